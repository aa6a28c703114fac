// Links carry samples between the audio thread and the worker; this file has the page's side, which makes
// them, and the two ends in the worker, which Python holds. The worklets' ends are in worklets/.
import { LATENCY, TOOK, WROTE } from "./ring-layout.ts";
import { MirrorConsumer, MirrorProducer } from "./mirror.ts";
import { Ring } from "./ring.ts";
import type { PortEndpoint } from "./mirror.ts";
import type { RingCounters, RingFormat } from "./ring.ts";

export type { RingCounters, RingFormat } from "./ring.ts";

export interface SharedEndpoint {
  kind: "shared";
  buffer: SharedArrayBuffer;
}

/** One end of a link, to be posted to the thread that opens it. One with a port can be opened once. */
export type Endpoint = SharedEndpoint | PortEndpoint;

/** What Python takes samples from. */
export interface BlockReader {
  readonly channels: number;
  readonly sampleRate: number;
  readonly blockFrames: number;
  /** channels × blockFrames, always the same view; a shorter block is packed (channel c at c × frames). */
  readonly staging: Float32Array;
  /**
   * Copies the next block into `staging`: its frames, fewer in front of a gap or at the end; 0 not there yet; −1 ended.
   * The bit LOST is set where frames were lost in front of it: `lost` says how many.
   */
  take(): number;
  /** Frames lost directly in front of the block last taken, or of the end. */
  readonly lost: number;
  /** Calls `wake` once, when take() would not give 0; never before arm returned. */
  arm(wake: () => void): void;
  /** No wake after this. */
  close(): void;
  counters(): RingCounters;
}

/** What Python puts samples into. */
export interface BlockWriter {
  readonly channels: number;
  readonly sampleRate: number;
  readonly maxFrames: number;
  /** channels × maxFrames; a block is packed in it. */
  readonly staging: Float32Array;
  /** Frames that fit now. */
  room(): number;
  /**
   * Takes a block of `frames` from `staging`; returns the frames taken. Live: what does not fit is lost and
   * counted, and all are taken. A block of one channel (`channels` 1) is copied to each channel of the ring.
   */
  put(frames: number, channels?: number): number;
  /** Calls `wake` once, when room() ≥ frames; never before arm returned. */
  arm(wake: () => void, frames: number): void;
  /** Interrupt: what waits is dropped, once `fade` frames of it were faded out (at least a few, so that nothing clicks). */
  clear(fade?: number): void;
  /** No more will come. */
  end(): void;
  /** No wake after this. */
  close(): void;
  counters(): RingCounters;
}

/** A bit of what take() gives; so Python looks at `lost` only when it is not 0. */
export const LOST = 1 << 30;

export interface ReaderOptions {
  blockFrames: number;
}

export interface WriterOptions {
  maxFrames: number;
  live: boolean;
}

/**
 * A link from or to a worklet. `capacity` is rounded up to a power of two; between two ends that both wait it must
 * hold a block of each, or they wait for each other. `ring`: the page may look at it, where memory is shared.
 */
export function createLink(format: RingFormat & { shared: boolean }): { worklet: Endpoint; worker: Endpoint; ring?: Ring } {
  const { channels, sampleRate, shared } = format;
  const capacity = 2 ** Math.ceil(Math.log2(format.capacity));
  if (shared) {
    const ring = Ring.create({ channels, capacity, sampleRate, shared });
    const endpoint: Endpoint = { kind: "shared", buffer: ring.buffer as SharedArrayBuffer };
    return { worklet: endpoint, worker: endpoint, ring };
  }
  const { port1, port2 } = new MessageChannel();
  const end = (port: MessagePort): Endpoint => ({ kind: "port", port, channels, capacity, sampleRate });
  return { worklet: end(port1), worker: end(port2) };
}

/** What must be in the transfer list of the postMessage that carries the endpoint. */
export function transferOf(endpoint: Endpoint): Transferable[] {
  return endpoint.kind === "port" ? [endpoint.port] : [];
}

export function openReader(endpoint: Endpoint, options: ReaderOptions): BlockReader {
  return endpoint.kind === "shared" ? sharedReader(endpoint, options) : portReader(endpoint, options);
}

export function openWriter(endpoint: Endpoint, options: WriterOptions): BlockWriter {
  return endpoint.kind === "shared" ? sharedWriter(endpoint, options) : portWriter(endpoint, options);
}

export function sharedReader(endpoint: SharedEndpoint, options: ReaderOptions): BlockReader {
  return new Reader(Ring.attach(endpoint.buffer), options, null);
}

export function portReader(endpoint: PortEndpoint, options: ReaderOptions): BlockReader {
  const mirror = new MirrorConsumer(endpoint);
  return new Reader(mirror.ring, options, mirror);
}

export function sharedWriter(endpoint: SharedEndpoint, options: WriterOptions): BlockWriter {
  return new Writer(Ring.attach(endpoint.buffer), options, null);
}

export function portWriter(endpoint: PortEndpoint, options: WriterOptions): BlockWriter {
  const mirror = new MirrorProducer(endpoint);
  return new Writer(mirror.ring, options, mirror);
}

/** Calls back once when something is due. It looks when told to and, on a shared ring, at every signal of the other side. */
class Alarm {
  #wake: (() => void) | null = null;
  #asleep = false;
  readonly #ring: Ring;
  readonly #word: typeof WROTE | typeof TOOK;
  readonly #want: () => number;
  readonly #due: () => boolean;
  readonly #shared: boolean;

  constructor(ring: Ring, word: typeof WROTE | typeof TOOK, want: () => number, due: () => boolean, shared: boolean) {
    this.#ring = ring;
    this.#word = word;
    this.#want = want;
    this.#due = due;
    this.#shared = shared;
  }

  set(wake: () => void): void {
    this.#wake = wake;
    if (this.#ready()) queueMicrotask(() => this.look());
  }

  look(): void {
    const wake = this.#wake;
    if (wake === null || !this.#ready()) return;
    this.#wake = null;
    wake();
  }

  cancel(): void {
    this.#wake = null;
    if (this.#asleep) this.#ring.wake(this.#word);
  }

  /** Whether it is due; if not, the next signal makes it look again. */
  #ready(): boolean {
    for (;;) {
      const seen = this.#want();
      if (this.#due()) return true;
      if (!this.#shared || this.#asleep) return false; // asleep since before this look: a later signal still wakes it
      const signal = this.#ring.wait(this.#word, seen);
      if (signal === null) continue;
      this.#asleep = true;
      void signal.then(() => {
        this.#asleep = false;
        this.look();
      });
      return false;
    }
  }
}

class Reader implements BlockReader {
  readonly channels: number;
  readonly sampleRate: number;
  readonly blockFrames: number;
  readonly staging: Float32Array;
  lost = 0;
  readonly #ring: Ring;
  readonly #mirror: MirrorConsumer | null;
  readonly #alarm: Alarm;

  constructor(ring: Ring, { blockFrames }: ReaderOptions, mirror: MirrorConsumer | null) {
    if (!(blockFrames >= 1 && blockFrames <= ring.capacity)) throw new RangeError(`blocks of 1 to ${ring.capacity} frames can be read from this ring, not ${blockFrames}`);
    this.channels = ring.channels;
    this.sampleRate = ring.sampleRate;
    this.blockFrames = blockFrames;
    this.staging = new Float32Array(ring.channels * blockFrames);
    this.#ring = ring;
    this.#mirror = mirror;
    this.#alarm = new Alarm(ring, WROTE, () => ring.wantFrames(blockFrames), () => this.#frames() !== 0, mirror === null);
    if (mirror !== null) mirror.onWrite = () => this.#alarm.look();
  }

  take(): number {
    const ring = this.#ring;
    const frames = this.#frames();
    if (frames === 0) {
      this.#mirror?.report(1); // Python will wait now, and so may the writer, for this room
      return 0;
    }
    this.lost = ring.lost;
    ring.lost = 0;
    if (frames < 0) return frames;
    Atomics.store(ring.words, LATENCY, ring.filled());
    ring.readInto(this.staging, frames);
    this.#mirror?.report();
    return this.lost === 0 ? frames : frames | LOST;
  }

  arm(wake: () => void): void {
    this.#alarm.set(wake);
  }

  close(): void {
    this.#alarm.cancel();
    this.#mirror?.close();
  }

  counters(): RingCounters {
    return this.#ring.counters();
  }

  #frames(): number {
    const ended = this.#ring.ended;
    const frames = Math.min(this.#ring.ready(), this.blockFrames);
    if (frames === this.blockFrames || this.#ring.final) return frames;
    return ended ? frames || -1 : 0;
  }
}

class Writer implements BlockWriter {
  readonly channels: number;
  readonly sampleRate: number;
  readonly maxFrames: number;
  readonly staging: Float32Array;
  readonly #ring: Ring;
  readonly #live: boolean;
  readonly #mirror: MirrorProducer | null;
  readonly #alarm: Alarm;
  #wanted = 0;

  constructor(ring: Ring, { maxFrames, live }: WriterOptions, mirror: MirrorProducer | null) {
    this.channels = ring.channels;
    this.sampleRate = ring.sampleRate;
    this.maxFrames = maxFrames;
    this.staging = new Float32Array(ring.channels * maxFrames);
    this.#ring = ring;
    this.#live = live;
    this.#mirror = mirror;
    this.#alarm = new Alarm(ring, TOOK, () => ring.wantRoom(this.#wanted), () => ring.room() >= this.#wanted, mirror === null);
    if (mirror !== null) mirror.onRead = () => this.#alarm.look();
  }

  room(): number {
    return this.#ring.room();
  }

  put(frames: number, channels = this.channels): number {
    if (!(frames >= 0 && frames <= this.maxFrames)) throw new RangeError(`a block has up to ${this.maxFrames} frames, not ${frames}`);
    const taken = this.#ring.pushFrom(this.staging, frames, channels, this.#live);
    this.#mirror?.pump(1);
    return this.#live ? frames : taken;
  }

  arm(wake: () => void, frames: number): void {
    this.#wanted = Math.min(frames, this.#ring.capacity);
    this.#alarm.set(wake);
  }

  clear(fade = 0): void {
    this.#ring.clear(fade);
    this.#mirror?.pump(1);
  }

  end(): void {
    this.#ring.end();
    this.#mirror?.pump(1);
  }

  close(): void {
    this.#alarm.cancel();
    this.#mirror?.close();
  }

  counters(): RingCounters {
    return this.#ring.counters();
  }
}
