// The control bus of a running session: what the page switches, puts in, and looks at.
import type { Data, Packet } from "./data.ts";
import type { GraphInfo } from "./protocol.generated.ts";
import { AsyncQueue } from "./queue.ts";
import type { Remote } from "./remote.ts";
import type { NodeState, Subscription, SubscriptionOptions } from "./types.ts";
import { decode, encodeData } from "./wire/index.ts";

/** Packets of a subscription that may be on their way; the rest waits in the worker, which drops the oldest. */
const WINDOW = 64;

interface Watched {
  readonly place: string;
  readonly capacity: number;
  readonly frames: AsyncQueue<Uint8Array>;
}

/** What of a session was changed, so that a worker that takes its place is given it too. */
export class Control {
  #next = 1;
  readonly #remote: () => Remote;
  readonly #watched = new Map<string, Watched>();
  readonly #states = new Map<string, NodeState>();
  readonly #params = new Map<string, Record<string, unknown>>();

  constructor(remote: () => Remote) {
    this.#remote = remote;
  }

  /** What was given to `setParams`, by node. */
  get params(): ReadonlyMap<string, Record<string, unknown>> {
    return this.#params;
  }

  async setNode(node: string, state: NodeState): Promise<void> {
    await this.#remote().ask({ type: "setNode", node, state });
    this.#states.set(node, state);
  }

  /** Gives all parameters that the node has now. */
  async setParams(node: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    const all = await this.#remote().ask<Record<string, unknown>>({ type: "setParams", node, params });
    this.#params.set(node, { ...this.#params.get(node), ...params });
    return all;
  }

  async publish(place: string, data: Data): Promise<void> {
    await this.#remote().ask({ type: "publish", place }, encodeData(data));
  }

  async subscribe(place: string, { capacity = 1024 }: SubscriptionOptions): Promise<Subscription> {
    const name = `s${this.#next++}`;
    const watched = { place, capacity, frames: new AsyncQueue<Uint8Array>() };
    this.#watched.set(name, watched);
    try {
      await this.#attach(name, watched);
    } catch (error) {
      this.#watched.delete(name);
      throw error;
    }
    return this.#iterate(name, watched);
  }

  /** A frame arrived; of a subscription that was left there may be some on their way. */
  push(name: string, frame: Uint8Array): void {
    this.#watched.get(name)?.frames.push(frame);
  }

  /** Another manifest runs now, with these nodes: it says what their parameters are. */
  changed({ nodes }: GraphInfo): void {
    this.#params.clear();
    for (const node of this.#states.keys()) if (!nodes.some(({ id }) => id === node)) this.#states.delete(node);
  }

  /** Another worker runs the session now: give it all but `params`. */
  async resume(): Promise<void> {
    const remote = this.#remote();
    for (const [node, state] of this.#states) await remote.ask({ type: "setNode", node, state });
    for (const [name, watched] of this.#watched) {
      await this.#attach(name, watched).catch((error: unknown) => { // its node was taken out of the graph meanwhile
        this.#watched.delete(name);
        watched.frames.end(error);
      });
    }
  }

  /** The session has ended. */
  end(): void {
    for (const { frames } of this.#watched.values()) frames.end();
    this.#watched.clear();
    this.#states.clear();
  }

  async #attach(subscription: string, { place, capacity, frames }: Watched): Promise<void> {
    await this.#remote().ask({ type: "subscribe", subscription, place, capacity });
    await this.#remote().ask({ type: "read", packets: WINDOW - frames.length, subscription });
  }

  #iterate(subscription: string, { place, frames }: Watched): Subscription {
    const read = frames.iterate();
    let taken = 0;
    const iterator: Subscription = {
      place,
      next: async () => {
        const result = await read.next();
        if (result.done === true) return { value: undefined, done: true };
        taken += 1;
        if (taken >= WINDOW / 2) {
          this.#tell({ type: "read", packets: taken, subscription });
          taken = 0;
        }
        return { value: decode(result.value).item as Packet, done: false };
      },
      return: async () => {
        if (this.#watched.delete(subscription)) {
          frames.end();
          this.#tell({ type: "unsubscribe", subscription });
        }
        await read.return();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** A worker that is gone needs to be told nothing. */
  #tell(question: Parameters<Remote["ask"]>[0]): void {
    this.#remote().ask(question).catch(() => undefined);
  }
}
