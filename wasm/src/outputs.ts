// Packets that come out, as the page reads them: decoded when they are asked for, with back-pressure.
import type { Packet } from "./data.ts";
import { decode } from "./wire/index.ts";
import { AsyncQueue } from "./queue.ts";

/** Packets that may be on their way while the page reads. */
const WINDOW = 256;

/**
 * The page's end of what is `Outbox` in the worker: it allows a number of packets, and more when
 * half of them were read. When the last reader stops, the worker keeps only the newest.
 */
export class Outputs {
  #queue = new AsyncQueue<Uint8Array>();
  #readers = 0;
  #allowed = 0;
  readonly #allow: (packets: number) => void;

  /** @param allow - Tells the worker that so many more may come; 0 that nobody reads. */
  constructor(allow: (packets: number) => void) {
    this.#allow = allow;
  }

  /** A frame arrived. */
  push(frame: Uint8Array): void {
    this.#queue.push(frame);
  }

  /** A worker begins, which has been allowed nothing yet. */
  begin(): void {
    this.#allowed = 0;
    if (this.#readers > 0) this.#grant(1);
  }

  /** A session starts: forget the last one's packets. */
  open(): void {
    this.#queue.reopen();
    this.begin();
  }

  /** No more will come. */
  end(error?: Error): void {
    this.#queue.end(error);
  }

  /** Drop what nodes gave out before an interrupt. */
  drop(generation: number, nodes: readonly string[]): void {
    const interrupted = new Set(nodes);
    this.#allowed -= this.#queue.filter((frame) => {
      const packet = decode(frame).item as Packet;
      return packet.generation >= generation || !interrupted.has(packet.node);
    });
    if (this.#readers > 0) this.#grant();
  }

  read(): AsyncIterableIterator<Packet, undefined, undefined> {
    const frames = this.#queue.iterate();
    let done = false;
    const leave = (): void => {
      if (done) return;
      done = true;
      void frames.return();
      this.#readers -= 1;
      if (this.#readers === 0) {
        this.#allowed = 0;
        this.#allow(0);
      }
    };
    this.#readers += 1;
    // The first one allows something in any case: that tells the worker that somebody reads.
    this.#grant(this.#readers === 1 ? 1 : 0);
    const iterator: AsyncIterableIterator<Packet, undefined, undefined> = {
      next: async () => {
        try {
          const result = await frames.next();
          if (result.done === true) {
            leave();
            return result;
          }
          this.#allowed -= 1;
          if (!done && this.#allowed <= WINDOW / 2) this.#grant();
          return { value: decode(result.value).item as Packet, done: false };
        } catch (error) {
          leave();
          throw error;
        }
      },
      return: () => {
        leave();
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Fill the window up; what earlier readers left unread is in it. */
  #grant(atLeast = 0): void {
    const more = Math.max(atLeast, WINDOW - Math.max(this.#allowed, this.#queue.length));
    if (more <= 0) return;
    this.#allowed = WINDOW;
    this.#allow(more);
  }
}
