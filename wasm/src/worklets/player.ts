// What the playback worklet does with each render quantum.
import { CLEARED, CLEAR_FADE, CLEAR_TO, GENERATION, IDLE, LATENCY, READ, SKIPPED, UNDERRUN } from "../ring-layout.ts";
import type { Ring } from "../ring.ts";

/** Frames of a fade: 1.3 ms at 48 kHz. */
export const FADE = 64;
/** How long the fill must stay too high before it is lowered, s: longer than what makes blocks late now and then. */
const PATIENCE_S = 0.5;
/** Where lowering it was followed by an underrun it is waited twice as long, up to this, s. */
const MOST_PATIENCE_S = 32;
/** Part of a block by which the fill may stay too high. */
const SLACK = 1 / 4;
/** What a writer puts at once if nobody says, s. */
const BLOCK_S = 0.02;

export interface PlayerOptions {
  /** Skip what is late. Otherwise nothing is ever skipped. */
  live: boolean;
  /** Frames that wait when the next block comes: how late a block may be. */
  lead: number;
  /** Frames that the writer puts at once; live only. Default 20 ms. */
  block?: number;
}

/**
 * Plays a ring. Called on the audio thread; process() allocates nothing and takes any quantum and any channels.
 *
 * It starts when `lead` frames are there (live: when they are there since `lead` frames, or a block more of
 * them is), so a sound shorter than that is played too, later. Whatever breaks the signal (nothing left, a skip,
 * an interrupt, a gap, the start after one of them) is a cross-fade of FADE frames from what would have come,
 * or where that is missing from the last sample held, to what comes. An interrupt may ask for a longer fade: then
 * so many samples are played, under a raised cosine, before the rest is dropped. All other samples are as they were written.
 *
 * Counts: played + underrun + idle = frames asked for, where played = read − skipped − cleared.
 */
export class Player {
  /** The writer has ended and all was played. */
  ended = false;
  readonly #ring: Ring;
  readonly #live: boolean;
  readonly #lead: number;
  readonly #block: number;
  #patience: number;
  /** The fill was lowered, and nothing ran out since. */
  #lowered = false;
  #playing = false;
  /** Nothing was played or dropped. */
  #fresh = true;
  /** The count that frames of silence belong to. */
  #silent: typeof IDLE | typeof UNDERRUN = IDLE;
  /** Frames asked for since there was something to play. */
  #waited = 0;
  #generation: number;
  #clearAll = false;
  /** Lowest fill, and for how many frames it was watched. */
  #lowest = 0;
  #watched = 0;
  /** Per channel: what the running fade comes from, and the last sample. */
  readonly #tails: Float32Array[] = [];
  readonly #last: Float32Array;
  #faded = FADE;
  /** An interrupt's own fade: its frames, those of them still to come, and what is dropped behind them. */
  #leaving = 0;
  #left = 0;
  #behind = 0;

  constructor(ring: Ring, { live, lead, block = Math.round(ring.sampleRate * BLOCK_S) }: PlayerOptions) {
    this.#ring = ring;
    this.#live = live;
    this.#block = block;
    this.#lead = Math.max(1, Math.min(lead, ring.capacity - (live ? block : 0)));
    this.#patience = Math.round(ring.sampleRate * PATIENCE_S);
    this.#generation = Atomics.load(ring.words, GENERATION);
    this.#last = new Float32Array(ring.channels);
    for (let c = 0; c < ring.channels; c++) this.#tails.push(new Float32Array(FADE));
  }

  /** Interrupt: at the next quantum, what is there then is dropped. */
  clear(): void {
    this.#clearAll = true;
  }

  /** Fills `frames` of each plane. `contextFrame` is the context's clock at the first of them. */
  process(out: readonly Float32Array[], frames: number, contextFrame: number): void {
    const ring = this.#ring;
    const over = ring.ended; // before looking at the samples: there are no others then
    this.#obey();
    if (!this.#playing) this.#start(frames, over);
    let at = 0;
    let faded = 0;
    while (this.#playing && at < frames) {
      if (this.#left > 0) {
        at = this.#leave(out, at, Math.min(this.#left, frames - at), contextFrame);
        continue;
      }
      const filled = ring.filled();
      const ready = ring.ready();
      if (ring.lost > 0) {
        ring.lost = 0;
        this.#cut(0);
      }
      if (at === 0) Atomics.store(ring.words, LATENCY, filled);
      if (ready >= frames - at || ready < filled) { // enough, or only a gap in front of more
        at = this.#play(out, at, Math.min(ready, frames - at), contextFrame);
        continue;
      }
      faded = over ? 0 : Math.min(ready, FADE); // what ends by itself needs no fade
      at = this.#play(out, at, ready - faded, contextFrame);
      this.#cut(faded);
      ring.drop(faded);
      this.#rest(over ? IDLE : UNDERRUN);
    }
    if (at < frames) {
      for (let c = 0; c < out.length; c++) out[c]!.fill(0, at, frames);
      this.#blend(out, at, frames - at);
      this.#last.fill(0);
      ring.count(this.#silent, frames - at - faded);
    }
    if (this.#live && this.#playing && this.#left === 0) this.#lower(frames);
    if (over && !this.#playing && ring.filled() === 0) {
      this.#silent = IDLE;
      this.ended = this.#faded === FADE;
    }
  }

  #obey(): void {
    const { words } = this.#ring;
    const generation = Atomics.load(words, GENERATION);
    if (generation === this.#generation && !this.#clearAll) return;
    const frames = this.#clearAll ? this.#ring.filled() : (Atomics.load(words, CLEAR_TO) - words[READ]!) | 0;
    const fade = this.#clearAll ? 0 : Math.min(Atomics.load(words, CLEAR_FADE), frames, this.#ring.ready());
    this.#generation = generation;
    this.#clearAll = false;
    if (frames <= 0) return;
    this.#fresh = false;
    if (this.#left > 0 && fade >= this.#left) { // it fades already
      this.#behind = frames - this.#left;
      return;
    }
    if (this.#playing && fade > FADE && this.#left === 0) {
      this.#leaving = this.#left = fade;
      this.#behind = frames - fade;
      return;
    }
    if (this.#playing) this.#cut(FADE);
    this.#drop(frames);
  }

  /** What an interrupt leaves nothing of. */
  #drop(frames: number): void {
    this.#left = 0;
    this.#ring.count(CLEARED, this.#ring.drop(frames));
    this.#rest(IDLE);
  }

  /** Plays frames ≤ #left under an interrupt's fade, and then drops the rest. */
  #leave(out: readonly Float32Array[], at: number, frames: number, contextFrame: number): number {
    const ring = this.#ring;
    ring.read(out, at, frames);
    for (let i = 0; i < frames; i++) {
      const level = this.#level(i);
      for (let c = 0; c < out.length; c++) out[c]![at + i]! *= level;
    }
    this.#blend(out, at, frames);
    ring.readAt(contextFrame + at + frames);
    this.#left -= frames;
    if (this.#left === 0) {
      this.#last.fill(0);
      this.#drop(this.#behind);
    }
    return at + frames;
  }

  /** How loud the sample `ahead` of the next one is: 1, but for the fade of an interrupt, which ends at 0. */
  #level(ahead: number): number {
    if (this.#left === 0) return 1;
    return (1 + Math.cos((Math.PI * Math.min(this.#leaving, this.#leaving - this.#left + ahead + 1)) / this.#leaving)) / 2;
  }

  #rest(silent: typeof IDLE | typeof UNDERRUN): void {
    if (silent === UNDERRUN && this.#lowered) {
      this.#lowered = false;
      this.#patience = Math.min(2 * this.#patience, MOST_PATIENCE_S * this.#ring.sampleRate);
    }
    this.#playing = false;
    this.#waited = 0;
    this.#silent = silent;
  }

  #start(frames: number, over: boolean): void {
    const filled = this.#ring.filled();
    if (filled === 0) return;
    const due = over || this.#waited >= this.#lead || filled >= this.#lead + (this.#live ? this.#block : 0);
    this.#waited += frames;
    if (!due) return;
    this.#playing = true;
    if (!this.#fresh || this.#live) this.#cut(0); // a file begins as it is
    this.#fresh = false;
    this.#watch();
    // After an underrun a block may be kept that came late: it is what makes the next late one no underrun.
    if (this.#live) this.#skip(filled - this.#lead - this.#block * (this.#silent === UNDERRUN ? 2 : 1));
  }

  /** Plays frames ≤ ready() at `at`; returns where they end. */
  #play(out: readonly Float32Array[], at: number, frames: number, contextFrame: number): number {
    if (frames === 0) return at;
    const ring = this.#ring;
    for (let c = 0; c < ring.channels; c++) this.#last[c] = ring.peek(c, frames - 1);
    ring.read(out, at, frames);
    this.#blend(out, at, frames);
    ring.readAt(contextFrame + at + frames);
    return at + frames;
  }

  /** Goes back to `lead` when the fill was above it for a while; drops all when the ring overran. */
  #lower(frames: number): void {
    const ready = this.#ring.ready();
    if (this.#ring.final && ready > 0) { // the writer begins again when this is gone: sooner is fresher
      this.#cut(FADE);
      this.#skip(ready);
      this.#rest(UNDERRUN);
      return;
    }
    this.#lowest = Math.min(this.#lowest, ready);
    this.#watched += frames;
    if (this.#watched < this.#patience) return;
    const surplus = this.#lowest - this.#lead;
    this.#watch();
    if (surplus < this.#block * SLACK) return;
    this.#lowered = true;
    this.#cut(FADE);
    this.#skip(surplus);
  }

  #watch(): void {
    this.#lowest = this.#ring.capacity;
    this.#watched = 0;
  }

  #skip(frames: number): void {
    if (frames > 0) this.#ring.count(SKIPPED, this.#ring.drop(frames));
  }

  /** Begins a fade from what comes next: up to `ahead` frames of the ring, then its last sample held. */
  #cut(ahead: number): void {
    const n = Math.min(ahead, this.#ring.ready());
    for (let c = 0; c < this.#tails.length; c++) {
      const tail = this.#tails[c]!;
      const held = n > 0 ? this.#ring.peek(c, n - 1) * this.#level(n - 1) : this.#last[c]!;
      for (let i = 0; i < FADE; i++) {
        const next = i < n ? this.#ring.peek(c, i) * this.#level(i) : held;
        const old = this.#faded + i; // the fade that runs now would have gone on
        tail[i] = old < FADE ? mix(tail[old]!, next, old) : next;
      }
    }
    this.#faded = 0;
  }

  #blend(out: readonly Float32Array[], at: number, frames: number): void {
    const n = Math.min(frames, FADE - this.#faded);
    if (n === 0) return;
    for (let c = 0; c < out.length; c++) {
      const tail = this.#tails[this.#tails.length === 1 ? 0 : c];
      if (tail === undefined) break;
      const plane = out[c]!;
      for (let i = 0; i < n; i++) plane[at + i] = mix(tail[this.#faded + i]!, plane[at + i]!, this.#faded + i);
    }
    this.#faded += n;
  }
}

function mix(from: number, to: number, step: number): number {
  return from + ((to - from) * (step + 1)) / FADE;
}
