// What happens beside the packets: events, and the state of the pipeline, whose every change is one.
import { RemoteMediaError, fromInfo } from "./errors.ts";
import type { Happened } from "./protocol.generated.ts";
import { AsyncQueue } from "./queue.ts";
import type { PipelineEvent, PipelineState } from "./types.ts";

const MAX_EVENTS = 1_024;

export class Events {
  #state: PipelineState = "loaded";
  readonly #queue = new AsyncQueue<PipelineEvent>();

  get state(): PipelineState {
    return this.#state;
  }

  tell(event: PipelineEvent): void {
    this.#queue.push(event);
    if (this.#queue.length > MAX_EVENTS) this.#queue.shift();
  }

  /** Something happened in the session. */
  happened({ kind, node, port, sequence, error, message, fraction }: Happened): void {
    if (error !== null) this.tell({ kind: "error", error: fromInfo(error), node, port, sequence });
    else this.tell({ kind: "session", what: kind, message, node, port, fraction });
  }

  become(state: PipelineState, message = ""): void {
    if (this.#state === state) return;
    this.#state = state;
    this.tell({ kind: "state", state, message });
  }

  /** Raise what to do first, if it is in one of these states. */
  refuse(what: string, ...states: readonly PipelineState[]): void {
    if (!states.includes(this.#state)) return;
    const why: Record<PipelineState, string> = {
      loaded: "the pipeline is not running: call start() first",
      stopped: "the pipeline is stopped: call start() first",
      running: "the pipeline is running: call stop() first",
      finished: "the input is finished: stop() and start() it again",
      restarting: "the worker is being started again: wait for the state event",
      failed: "the pipeline failed: load it again",
      closed: "the pipeline is closed: load it again",
    };
    throw new RemoteMediaError(`${what}: ${why[this.#state]}`, { code: "state" });
  }

  iterate(): AsyncIterableIterator<PipelineEvent, undefined, undefined> {
    return this.#queue.iterate();
  }

  end(): void {
    this.#queue.end();
  }
}
