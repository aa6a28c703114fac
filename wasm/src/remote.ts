// The page's side of one worker: requests and their answers, and the watchdog.
import { RemoteMediaError, fromInfo, messageOf } from "./errors.ts";
import type { Endpoint, RingCounters } from "./links.ts";
import { transferOf } from "./links.ts";
import type { Answer, Ended, Happened, PageRequest } from "./protocol.generated.ts";
import type { AssetRequest, BootOptions, FromWorker, ToWorker } from "./protocol.ts";
import { Watchdog } from "./watchdog.ts";
import type { Progress } from "./types.ts";

/** A request without its number. */
export type Question = PageRequest extends infer R ? (R extends PageRequest ? Omit<R, "id"> : never) : never;

export interface RemoteListener {
  onProgress(progress: Progress): void;
  /** Of a subscription, or of what comes out. */
  onPacket(frame: Uint8Array, subscription?: string): void;
  onRecorded(recording: string, content: Uint8Array<ArrayBuffer>): void;
  onHappened(event: Happened): void;
  onEnded(message: Ended): void;
  /** The watchdog cut a call off. */
  onHung(message: string): void;
  /** The worker is gone: it trapped, or hung where nothing else helps. */
  onDeath(reason: string): void;
}

export interface Attachment {
  connection: string;
  endpoint: Endpoint;
  /** Of a reader: samples at once. */
  blockFrames?: number;
  /** Of a writer. */
  maxFrames?: number;
  live?: boolean;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export interface RemoteOptions extends Omit<BootOptions, "status" | "interrupt"> {
  shared: boolean;
  hangTimeoutMs: number;
}

/** One worker. */
export class Remote {
  #next = 1;
  #dead: RemoteMediaError | null = null;
  readonly #waiting = new Map<number, Waiting>();
  readonly #worker: Worker;
  readonly #listener: RemoteListener;
  readonly #watchdog: Watchdog;

  /** Start a worker. Raises a `load` error that says which file, why, and what to do. */
  static async boot(options: RemoteOptions, listener: RemoteListener, signal?: AbortSignal): Promise<Remote> {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "remotemedia" });
    const remote = new Remote(worker, options, listener);
    try {
      await remote.#boot(options, signal);
      return remote;
    } catch (error) {
      remote.terminate();
      throw error;
    }
  }

  private constructor(worker: Worker, options: RemoteOptions, listener: RemoteListener) {
    this.#worker = worker;
    this.#listener = listener;
    this.#watchdog = new Watchdog(options.shared, options.hangTimeoutMs, {
      ping: () => this.#post({ type: "ping" }),
      onHung: (message) => listener.onHung(message),
      onDead: (message) => this.#die(message),
    });
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.#take(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(event.message || "its script cannot be loaded (is worker.js beside index.js, and does worker-src allow it?)");
    };
  }

  /** Watch for calls that do not return; off while it does what may take long. */
  watch(on: boolean): void {
    if (on) this.#watchdog.start();
    else this.#watchdog.stop();
  }

  /** Ask, and wait for the answer. Raises what Python raised. */
  async ask<T>(question: Question, frame?: Uint8Array): Promise<T> {
    return (await this.#ask<T>(question, (text) => {
      if (frame === undefined) this.#post({ type: "call", text });
      else this.#post({ type: "call", text, frame }, [frame.buffer as ArrayBuffer]);
    })).result;
  }

  /** As `ask`; `take` sees the result before any packet that comes after it, and before who waits for a packet goes on. */
  async askFirst<T>(question: Question, take: (result: T) => void): Promise<void> {
    await this.#ask<T>(question, (text) => this.#post({ type: "call", text }), take);
  }

  /** As `ask`, for bytes that come beside the answer. */
  async askBytes(question: Question): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const answer = await this.#ask<null>(question, (text) => this.#post({ type: "call", text }));
    return answer.beside as Uint8Array<ArrayBuffer> | undefined;
  }

  /** Connect a ring. */
  async attach(question: Question, what: Attachment): Promise<void> {
    const { connection, endpoint } = what;
    await this.#ask<null>(question, (text) => {
      const message: ToWorker =
        what.blockFrames !== undefined
          ? { type: "reader", text, connection, endpoint, blockFrames: what.blockFrames }
          : { type: "writer", text, connection, endpoint, maxFrames: what.maxFrames ?? 0, live: what.live ?? false };
      this.#post(message, transferOf(endpoint));
    });
  }

  /** Forget a ring that is no longer connected. */
  release(connection: string): void {
    this.#post({ type: "release", connection });
  }

  /** Load packages of Pyodide's distribution; gives back those that it does not have. */
  async loadPackages(names: string[]): Promise<string[]> {
    return (await this.#number<{ unknown: string[] }>((id) => this.#post({ type: "packages", id, names }))).unknown;
  }

  /** Load more wheels of this package. */
  async loadAssets(assets: AssetRequest[]): Promise<void> {
    await this.#number((id) => this.#post({ type: "assets", id, assets }));
  }

  /** Counters of all rings, and the size of the memory. */
  counters(): Promise<{ rings: Record<string, RingCounters>; memoryBytes: number }> {
    return this.#number((id) => this.#post({ type: "counters", id }));
  }

  terminate(reason = "the pipeline was closed"): void {
    this.#watchdog.stop();
    this.#worker.onmessage = null;
    this.#worker.onerror = null;
    this.#worker.terminate();
    this.#dead ??= new RemoteMediaError(reason, { code: "worker" });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
  }

  async #boot(options: RemoteOptions, signal?: AbortSignal): Promise<void> {
    const { pyodideUrl, assets, expected, shared, onnx } = options;
    const booted = this.#number<null>(() => {
      const interrupt = shared ? new SharedArrayBuffer(1) : null;
      this.#watchdog.interrupt = interrupt === null ? null : new Uint8Array(interrupt);
      const status = this.#watchdog.status;
      this.#post({ type: "boot", options: { pyodideUrl, assets, expected, status, interrupt, onnx } });
    }, 0);
    const abort = (): void => {
      this.#dead = new RemoteMediaError("the loading was aborted", { code: "aborted", cause: signal?.reason });
      this.terminate();
    };
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort);
    try {
      await booted;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async #ask<T>(
    question: Question, post: (text: string) => void, take?: (result: T) => void,
  ): Promise<{ result: T; beside?: unknown }> {
    return this.#number<{ result: T }>((id) => post(JSON.stringify({ ...question, id })), this.#next++, take && (({ result }) => take(result)));
  }

  #number<T>(post: (id: number) => void, id = this.#next++, take?: (answer: T) => void): Promise<T> {
    if (this.#dead !== null) return Promise.reject(this.#dead);
    return new Promise<T>((resolve, reject) => {
      const settle = (answer: unknown): void => {
        take?.(answer as T);
        resolve(answer as T);
      };
      this.#waiting.set(id, { resolve: settle, reject });
      try {
        post(id);
      } catch (error) {
        this.#waiting.delete(id);
        reject(error instanceof Error ? error : new Error(messageOf(error)));
      }
    });
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case "packet":
        this.#listener.onPacket(message.frame, message.subscription);
        break;
      case "recorded":
        this.#listener.onRecorded(message.recording, message.content);
        break;
      case "answer":
        this.#takeAnswer(JSON.parse(message.text) as Answer, message.beside);
        break;
      case "progress":
        this.#listener.onProgress(message.progress);
        break;
      case "booted":
        this.#settle(0)?.resolve(null);
        break;
      case "failed":
        this.#settle(0)?.reject(fromInfo(message.error));
        break;
      case "loaded":
        if (message.error === undefined) this.#settle(message.id)?.resolve(message);
        else this.#settle(message.id)?.reject(fromInfo(message.error));
        break;
      case "counters":
        this.#settle(message.id)?.resolve(message);
        break;
      case "pong":
        this.#watchdog.pong();
        break;
      case "crashed":
        this.#die(message.message);
        break;
    }
  }

  #takeAnswer(answer: Answer, beside?: Uint8Array): void {
    switch (answer.type) {
      case "done":
        this.#settle(answer.id)?.resolve({ result: answer.result, beside });
        break;
      case "failed":
        this.#settle(answer.id)?.reject(fromInfo(answer.error));
        break;
      case "event":
        this.#listener.onHappened(answer);
        break;
      case "ended":
        this.#listener.onEnded(answer);
        break;
    }
  }

  #die(reason: string): void {
    if (this.#dead !== null) return;
    this.#dead = new RemoteMediaError(`the worker died: ${reason}`, { code: "worker" });
    this.terminate();
    this.#listener.onDeath(reason);
  }
}
