// Notices calls into Python that do not return, and cuts them off.

const LOOK_MS = 50;
/** Signals that are tried, one a look, before the worker counts as dead. */
const SIGNALS = 4;
const SIGINT = 2;

export interface WatchdogActions {
  ping(): void;
  onHung(message: string): void;
  onDead(message: string): void;
}

/**
 * With shared memory the worker's heart beats there, and a signal goes through Pyodide's interrupt
 * buffer: the call is cut off, the worker lives. Without it the worker is asked to answer, and dies if
 * it does not.
 */
export class Watchdog {
  /** Where the worker's heart beats; null without shared memory. */
  readonly status: SharedArrayBuffer | null;
  interrupt: Uint8Array | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #lastLook = 0;
  #lastAnswer = 0;
  #signals = 0;
  readonly #beats: Int32Array | null;
  readonly #timeoutMs: number;
  readonly #actions: WatchdogActions;

  constructor(shared: boolean, timeoutMs: number, actions: WatchdogActions) {
    this.status = shared ? new SharedArrayBuffer(64) : null;
    this.#beats = this.status === null ? null : new Int32Array(this.status);
    this.#timeoutMs = timeoutMs;
    this.#actions = actions;
  }

  start(): void {
    if (this.#timer !== undefined || !Number.isFinite(this.#timeoutMs)) return;
    this.#lastAnswer = Date.now();
    this.#lastLook = Date.now();
    this.#signals = 0;
    this.#timer = setInterval(() => this.#look(), this.#beats === null ? this.#timeoutMs / 4 : LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The worker answered. */
  pong(): void {
    this.#lastAnswer = Date.now();
  }

  #look(): void {
    const now = Date.now();
    const since = now - this.#lastLook;
    this.#lastLook = now;
    // After a sleep of the machine, or a blocked page, the worker gets its full time before it is judged.
    if (since > this.#timeoutMs / 2 + LOOK_MS * 4) {
      this.#lastAnswer = now;
      return;
    }
    const answered = now - this.#lastAnswer;
    const silent = this.#beats === null ? answered : Math.min(answered, (now - Atomics.load(this.#beats, 0)) | 0);
    if (silent < this.#timeoutMs) {
      this.#signals = 0;
      if (this.#beats === null) this.#actions.ping();
      return;
    }
    if (this.interrupt === null || this.#signals >= SIGNALS) {
      this.stop();
      this.#actions.onDead(`a call did not return for ${silent} ms, and could not be cut off`);
      return;
    }
    if (this.#signals++ === 0) {
      this.#actions.onHung(`a call into Python has not returned for ${silent} ms: it is cut off`);
    }
    this.interrupt[0] = SIGINT;
  }
}
