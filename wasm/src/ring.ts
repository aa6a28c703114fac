// A single-producer single-consumer ring of planar float32 samples. See docs/design/web.md, "The ring".
//
// Every method says which side may call it. No method of this class blocks, and none allocates unless it
// says so, so that both sides may be an AudioWorklet. Counts wrap at 2^32 and are compared by difference.

import {
  CAPACITY, CHANNELS, CLEAR_FADE, CLEAR_TO, CLOCK_KNOWN, ENDED, GAPS, GAP_AT, GAP_LOST, GENERATION, HEADER_WORDS, MAGIC, MAGIC_VALUE, OVERRUN, PASSED, READ, READ_CLOCK,
  READ_FLAGS, SAMPLE_RATE, TOOK, WANT_READ, WANT_WRITE, WRITE, WRITE_CLOCK, WRITE_FLAGS, WROTE, allocate, countersOf,
} from "./ring-layout.ts";
import type { RingCounters, RingFormat } from "./ring-layout.ts";

export type { RingCounters, RingFormat } from "./ring-layout.ts";

export class Ring {
  readonly buffer: ArrayBufferLike;
  readonly channels: number;
  readonly capacity: number;
  readonly sampleRate: number;
  /** The header. For mirrors of the ring; everyone else uses the methods. */
  readonly words: Int32Array;
  /** Consumer: frames lost in front of the next sample; set to 0 by who has seen it. */
  lost = 0;
  readonly #planes: Float32Array[] = [];
  readonly #mask: number;
  // Copies of words that only this side changes.
  #write: number;
  #read: number;
  #passed: number;
  /** Producer: samples are being lost, and nothing was written since. */
  #open: boolean;
  #final = false;

  private constructor(buffer: ArrayBufferLike) {
    const words = new Int32Array(buffer, 0, HEADER_WORDS);
    this.buffer = buffer;
    this.words = words;
    this.channels = words[CHANNELS]!;
    this.capacity = words[CAPACITY]!;
    this.sampleRate = words[SAMPLE_RATE]!;
    this.#mask = this.capacity - 1;
    for (let c = 0; c < this.channels; c++) {
      this.#planes.push(new Float32Array(buffer, (HEADER_WORDS + c * this.capacity) * 4, this.capacity));
    }
    this.#write = Atomics.load(words, WRITE);
    this.#read = Atomics.load(words, READ);
    this.#passed = Atomics.load(words, PASSED);
    const gaps = Atomics.load(words, GAPS);
    this.#open = gaps !== 0 && Atomics.load(words, GAP_AT + ((gaps - 1) & 1)) === this.#write;
  }

  /** A new ring; with `shared` its buffer can be given to other threads. `start` is the first index, for tests. Allocates. */
  static create(format: RingFormat & { shared: boolean; start?: number }): Ring {
    return new Ring(allocate(format, format.shared, format.start ?? 0));
  }

  /** The ring in a buffer, on any thread; a side may be attached again after its thread died. Allocates. */
  static attach(buffer: ArrayBufferLike): Ring {
    if (buffer.byteLength < HEADER_WORDS * 4 || new Int32Array(buffer, 0, 1)[MAGIC] !== MAGIC_VALUE) throw new TypeError("this buffer holds no ring");
    return new Ring(buffer);
  }

  // Both sides.

  /** Frames that are written and not read. */
  filled(): number {
    const read = Atomics.load(this.words, READ); // first, so that the consumer does not overtake
    return (Atomics.load(this.words, WRITE) - read) | 0;
  }

  /** Nothing will be written any more. Ask this before ready(), not after: then 0 is the end. */
  get ended(): boolean {
    return (Atomics.load(this.words, WRITE_FLAGS) & ENDED) !== 0;
  }

  /** Adds to one of this side's own words. */
  count(word: number, frames: number): void {
    Atomics.store(this.words, word, (this.words[word]! + frames) | 0);
  }

  /** Any thread; allocates. */
  counters(): RingCounters {
    return countersOf(this.words);
  }

  /** Interrupt: the consumer will drop what is written until now, once it has faded out `fade` frames of it. Any thread. */
  clear(fade = 0): void {
    const w = this.words;
    Atomics.store(w, CLEAR_FADE, fade);
    const to = Atomics.load(w, WRITE);
    for (let seen = Atomics.load(w, CLEAR_TO); ((to - seen) | 0) > 0; ) { // two threads may interrupt: the later place stays
      const found = Atomics.compareExchange(w, CLEAR_TO, seen, to);
      if (found === seen) break;
      seen = found;
    }
    Atomics.add(w, GENERATION, 1);
  }

  // Producer.

  /** Frames that fit now; 0 while samples are being lost, until the consumer has taken all in front of the gap. */
  room(): number {
    const filled = (this.#write - Atomics.load(this.words, READ)) | 0;
    return this.#open && filled !== 0 ? 0 : this.capacity - filled;
  }

  /**
   * Writes `frames` of each plane. What does not fit is lost and counted; returns the frames written.
   * One plane goes to all channels, no plane is silence, planes beyond the ring's channels are left out.
   */
  push(planes: readonly Float32Array[], frames: number): number {
    const n = Math.min(frames, this.room());
    for (let c = 0; c < this.channels; c++) {
      const plane = planes.length === 1 ? planes[0] : planes[c];
      if (plane === undefined) this.#silence(c, n);
      else this.#store(c, plane, 0, n);
    }
    this.#publish(n);
    this.overrun(frames - n);
    return n;
  }

  /** The same from packed planes (channel c starts at c × frames), or, with `lossy` false, only what fits. Allocates views. */
  pushFrom(packed: Float32Array, frames: number, channels: number, lossy: boolean): number {
    const n = Math.min(frames, this.room());
    for (let c = 0; c < this.channels; c++) {
      const from = channels === 1 ? 0 : c;
      if (from >= channels) this.#silence(c, n);
      else this.#storeBulk(c, packed, from * frames, n);
    }
    this.#publish(n);
    if (lossy) this.overrun(frames - n);
    return n;
  }

  /** Frames are lost here: opens a gap, or widens the one that is open. */
  overrun(frames: number): void {
    if (frames <= 0) return;
    const w = this.words;
    this.count(OVERRUN, frames);
    if (this.#open) {
      this.count(GAP_LOST + ((w[GAPS]! - 1) & 1), frames);
      return;
    }
    const slot = w[GAPS]! & 1; // two slots: the consumer may still stand in front of the previous gap
    Atomics.store(w, GAP_AT + slot, this.#write);
    Atomics.store(w, GAP_LOST + slot, frames);
    this.count(GAPS, 1);
    this.#open = true;
    this.#signal(WROTE); // what is in front of a gap is taken even if it is no whole block
  }

  /** No more will come. */
  end(): void {
    Atomics.or(this.words, WRITE_FLAGS, ENDED);
    this.#signal(WROTE);
  }

  /** The next sample written is that of this frame of the context's clock. */
  writeAt(contextFrame: number): void {
    Atomics.store(this.words, WRITE_CLOCK, (contextFrame - this.#write) | 0); // one word, so never torn
    if (!(this.words[WRITE_FLAGS]! & CLOCK_KNOWN)) Atomics.or(this.words, WRITE_FLAGS, CLOCK_KNOWN);
  }

  /** Asks for a signal when `frames` fit. Look at room() after this, then wait() with what it returned. */
  wantRoom(frames: number): number {
    Atomics.store(this.words, WANT_READ, this.#open ? this.#write : (this.#write + frames - this.capacity) | 0);
    return Atomics.load(this.words, TOOK);
  }

  // Consumer.

  /** Frames that can be read in one piece. Goes over a gap that the consumer stands at, and adds it to `lost`. */
  ready(): number {
    const w = this.words;
    const filled = (Atomics.load(w, WRITE) - this.#read) | 0; // before the gaps: one in front of `write` is seen then
    this.#final = false;
    while (Atomics.load(w, GAPS) !== this.#passed) {
      const slot = this.#passed & 1;
      const before = (Atomics.load(w, GAP_AT + slot) - this.#read) | 0;
      if (before > filled) break; // a mirror tells of it before its samples are there
      if (before > 0 || (filled === 0 && !this.ended)) { // with nothing behind it yet, its size is not final
        this.#final = true;
        return before;
      }
      this.lost += Atomics.load(w, GAP_LOST + slot);
      this.#passed = (this.#passed + 1) | 0;
      Atomics.store(w, PASSED, this.#passed);
    }
    return filled;
  }

  /** What ready() returned last lies in front of a gap: it does not become more. */
  get final(): boolean {
    return this.#final;
  }

  /** Sample of a channel, `ahead` of the next one; ahead < ready(). */
  peek(channel: number, ahead: number): number {
    return this.#planes[channel]![(this.#read + ahead) & this.#mask]!;
  }

  /** Reads frames ≤ ready() into the planes from `at` on. One channel goes to all planes, planes beyond the channels become silent. */
  read(planes: readonly Float32Array[], at: number, frames: number): void {
    for (let c = 0; c < planes.length; c++) {
      const from = this.channels === 1 ? 0 : c;
      if (from < this.channels) this.#load(from, this.#read, planes[c]!, at, frames);
      else planes[c]!.fill(0, at, at + frames);
    }
    this.#advance(frames);
  }

  /** Reads frames ≤ ready() into packed planes: channel c starts at c × frames. Allocates views. */
  readInto(packed: Float32Array, frames: number): void {
    const start = this.#read & this.#mask;
    const first = Math.min(frames, this.capacity - start);
    for (let c = 0; c < this.channels; c++) {
      const plane = this.#planes[c]!;
      packed.set(plane.subarray(start, start + first), c * frames);
      if (first < frames) packed.set(plane.subarray(0, frames - first), c * frames + first);
    }
    this.#advance(frames);
  }

  /** Drops up to `frames`, over gaps too, and returns how many. */
  drop(frames: number): number {
    let left = frames;
    while (left > 0) {
      const n = Math.min(left, this.ready());
      if (n === 0) break;
      this.#advance(n);
      left -= n;
    }
    return frames - left;
  }

  /** The next sample read is heard at this frame of the context's clock. */
  readAt(contextFrame: number): void {
    Atomics.store(this.words, READ_CLOCK, (contextFrame - this.#read) | 0);
    if (!(this.words[READ_FLAGS]! & CLOCK_KNOWN)) Atomics.or(this.words, READ_FLAGS, CLOCK_KNOWN);
  }

  /** Asks for a signal when `frames` can be read. Look at ready() after this, then wait() with what it returned. */
  wantFrames(frames: number): number {
    Atomics.store(this.words, WANT_WRITE, (this.#read + frames) | 0);
    return Atomics.load(this.words, WROTE);
  }

  /** Resolves at the next signal on WROTE or TOOK after `seen` was read; null: there was one, look again. Shared rings; allocates. */
  wait(word: typeof WROTE | typeof TOOK, seen: number): Promise<unknown> | null {
    const signal = Atomics.waitAsync(this.words, word, seen);
    return signal.async ? signal.value : null;
  }

  /** Ends this side's own wait(). */
  wake(word: typeof WROTE | typeof TOOK): void {
    Atomics.notify(this.words, word);
  }

  /** Copies samples out without reading them: for mirrors. */
  copy(index: number, packed: Float32Array, frames: number): void {
    for (let c = 0; c < this.channels; c++) this.#load(c, index, packed, c * frames, frames);
  }

  #publish(frames: number): void {
    if (frames === 0) return;
    this.#open = false;
    const before = this.#write;
    this.#write = (before + frames) | 0;
    Atomics.store(this.words, WRITE, this.#write);
    if (crossed(Atomics.load(this.words, WANT_WRITE), before, this.#write)) this.#signal(WROTE);
  }

  #advance(frames: number): void {
    const before = this.#read;
    this.#read = (before + frames) | 0;
    Atomics.store(this.words, READ, this.#read);
    if (crossed(Atomics.load(this.words, WANT_READ), before, this.#read)) this.#signal(TOOK);
  }

  // The count changes before the notify: who looked before and waits after finds another count and does not sleep.
  #signal(word: number): void {
    Atomics.add(this.words, word, 1);
    Atomics.notify(this.words, word);
  }

  // Loops, not set(subarray()): a subarray is an allocation.
  #store(channel: number, from: Float32Array, at: number, frames: number): void {
    const plane = this.#planes[channel]!, mask = this.#mask, write = this.#write;
    for (let i = 0; i < frames; i++) plane[(write + i) & mask] = from[at + i]!;
  }

  /** Ten times as quick for a block of 20 ms, but it makes views: for the worker's side. */
  #storeBulk(channel: number, from: Float32Array, at: number, frames: number): void {
    const plane = this.#planes[channel]!, start = this.#write & this.#mask;
    const first = Math.min(frames, this.capacity - start);
    plane.set(from.subarray(at, at + first), start);
    if (first < frames) plane.set(from.subarray(at + first, at + frames), 0);
  }

  #silence(channel: number, frames: number): void {
    const plane = this.#planes[channel]!, mask = this.#mask, write = this.#write;
    for (let i = 0; i < frames; i++) plane[(write + i) & mask] = 0;
  }

  #load(channel: number, index: number, to: Float32Array, at: number, frames: number): void {
    const plane = this.#planes[channel]!, mask = this.#mask;
    for (let i = 0; i < frames; i++) to[at + i] = plane[(index + i) & mask]!;
  }
}

/** Whether a count that went from `before` to `after` reached `wanted`: true once, so one signal per wish. */
function crossed(wanted: number, before: number, after: number): boolean {
  return ((wanted - before) | 0) > 0 && ((wanted - after) | 0) <= 0;
}
