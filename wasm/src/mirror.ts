// A ring whose two sides have no memory in common: each keeps a copy, and messages over a MessagePort keep
// them equal. The producer's side sends samples with its line of the header in pooled buffers, which come
// back at once; the consumer's side reports its line. So the rules and counts of a shared ring hold here too.
import {
  CLEAR_FADE, CLEAR_TO, ENDED, GAPS, GENERATION, LINE, READ, TOOK, WRITE, WRITE_FLAGS, WROTE,
} from "./ring-layout.ts";
import { Ring } from "./ring.ts";
import type { RingFormat } from "./ring.ts";

/** Frames in one message at most. */
const MESSAGE_FRAMES = 512;
/** A worklet posts when so many wait, not every quantum: adds up to 5 ms at 48 kHz. */
export const POST_FRAMES = 256;

// A buffer: the producer's line, these, and from HEAD on the samples.
const AT_GENERATION = LINE, AT_CLEAR_TO = LINE + 1, AT_FRAMES = LINE + 2, AT_FADE = LINE + 3, HEAD = LINE + 4;

export interface PortEndpoint extends RingFormat {
  kind: "port";
  port: MessagePort;
}

/** Where the producer is. Its pool holds a full ring; an empty pool makes samples wait here, it loses none. */
export class MirrorProducer {
  readonly ring: Ring;
  /** Called after the consumer's line arrived. */
  onRead: (() => void) | null = null;
  readonly #port: MessagePort;
  readonly #pool: ArrayBuffer[] = [];
  #sent: number;
  #atLeast = 1;
  #closing = false;
  #told = 0;
  #generation = 0;
  #clearTo: number;

  constructor(endpoint: PortEndpoint, start = 0) {
    this.ring = Ring.create({ ...endpoint, shared: false, start });
    this.#port = endpoint.port;
    this.#sent = this.#clearTo = start;
    const bytes = (HEAD + endpoint.channels * MESSAGE_FRAMES) * 4;
    for (let i = Math.ceil(endpoint.capacity / POST_FRAMES) + 2; i > 0; i--) this.#pool.push(new ArrayBuffer(bytes));
    this.#port.onmessage = ({ data }: MessageEvent<ArrayBuffer | Int32Array>) => {
      if (data instanceof ArrayBuffer) {
        this.#pool.push(data);
        this.pump(this.#atLeast);
        return;
      }
      const words = this.ring.words;
      for (let i = LINE - 1; i >= 0; i--) if (READ + i !== TOOK) words[READ + i] = data[i]!;
      this.onRead?.();
    };
  }

  /** Sends what waits if it is `atLeast` so much, or if there is more to tell: a gap, an interrupt, the end. */
  pump(atLeast: number): void {
    this.#atLeast = atLeast;
    const words = this.ring.words;
    for (;;) {
      const waiting = (words[WRITE]! - this.#sent) | 0;
      const news = words[GAPS]! + words[GENERATION]! + words[WRITE_FLAGS]!; // all of them only grow
      if (news === this.#told && (waiting === 0 || waiting < atLeast)) break;
      const buffer = this.#pool.pop();
      if (buffer === undefined) return;
      const frames = Math.min(waiting, MESSAGE_FRAMES);
      const head = new Int32Array(buffer);
      for (let i = 0; i < LINE; i++) head[i] = words[WRITE + i]!;
      if (frames === waiting) {
        this.#told = news;
        this.#generation = words[GENERATION]!;
        this.#clearTo = words[CLEAR_TO]!;
      } else {
        head[WRITE_FLAGS - WRITE]! &= ~ENDED; // these two wait for the samples in front of them
      }
      head[AT_GENERATION] = this.#generation;
      head[AT_CLEAR_TO] = this.#clearTo;
      head[AT_FADE] = words[CLEAR_FADE]!;
      head[AT_FRAMES] = frames;
      this.ring.copy(this.#sent, new Float32Array(buffer, HEAD * 4), frames);
      this.#sent = (this.#sent + frames) | 0;
      this.#port.postMessage(buffer, [buffer]);
    }
    if (this.#closing) this.#port.close();
  }

  /** Closes the port when all is sent. */
  close(): void {
    this.onRead = null;
    this.#closing = true;
    this.pump(1);
  }
}

/** Where the consumer is. */
export class MirrorConsumer {
  readonly ring: Ring;
  /** Called after samples arrived, or news without samples. */
  onWrite: (() => void) | null = null;
  readonly #port: MessagePort;
  readonly #line = new Int32Array(LINE);
  #reported: number;

  constructor(endpoint: PortEndpoint, start = 0) {
    this.ring = Ring.create({ ...endpoint, shared: false, start });
    this.#port = endpoint.port;
    this.#reported = start;
    this.#port.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      const words = this.ring.words;
      const head = new Int32Array(data);
      this.ring.pushFrom(new Float32Array(data, HEAD * 4), head[AT_FRAMES]!, this.ring.channels, false);
      for (let i = 1; i < LINE; i++) if (WRITE + i !== WROTE) words[WRITE + i] = head[i]!; // WRITE went on by the push
      words[CLEAR_TO] = head[AT_CLEAR_TO]!;
      words[CLEAR_FADE] = head[AT_FADE]!;
      words[GENERATION] = head[AT_GENERATION]!;
      this.#port.postMessage(data, [data]);
      this.onWrite?.();
    };
  }

  /** Call after reading: tells the producer's side if `atLeast` so many frames were read since, or the ring is empty now. */
  report(atLeast = POST_FRAMES): void {
    const read = this.ring.words[READ]!;
    const since = (read - this.#reported) | 0;
    if (since < atLeast && (since === 0 || this.ring.filled() !== 0)) return;
    this.#reported = read;
    for (let i = 0; i < LINE; i++) this.#line[i] = this.ring.words[READ + i]!;
    this.#port.postMessage(this.#line);
  }

  close(): void {
    this.#port.onmessage = null;
    this.#port.close();
  }
}
