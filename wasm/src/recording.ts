// Recordings of a session, which arrive in parts while they are written.
import { RemoteMediaError } from "./errors.ts";
import type { RecordOptions } from "./protocol.generated.ts";
import type { Remote } from "./remote.ts";
import type { RecordingOptions, SessionRecording } from "./types.ts";

export const RECORDING_TYPE = "application/vnd.remotemedia.recording";
const MAX_BYTES = 2 ** 26;

/** What came of one recording so far. */
class Recording implements SessionRecording {
  #size = 0;
  #whole: Promise<Blob> | undefined;
  readonly #parts: Blob[] = [];
  readonly #end: () => Promise<unknown>;

  constructor(end: () => Promise<unknown>) {
    this.#end = end;
  }

  get size(): number {
    return this.#size;
  }

  /** Blobs need not stay in memory. */
  push(content: Uint8Array<ArrayBuffer>): void {
    this.#parts.push(new Blob([content]));
    this.#size += content.length;
  }

  stop(): Promise<Blob> {
    this.#whole ??= this.#complete();
    return this.#whole;
  }

  async #complete(): Promise<Blob> {
    try {
      await this.#end();
    } catch (error) {
      // With its worker dead the recording is as long as what came: all of that is whole records.
      if (!(error instanceof RemoteMediaError) || error.code !== "worker") throw error;
    }
    return new Blob(this.#parts, { type: RECORDING_TYPE });
  }
}

/** The recordings of a pipeline. */
export class Recordings {
  #next = 1;
  readonly #remote: () => Remote;
  readonly #running = new Map<string, Recording>();

  constructor(remote: () => Remote) {
    this.#remote = remote;
  }

  /** A recording, and what tells the worker to begin it. */
  prepare({ taps = [], maxBytes = MAX_BYTES }: RecordingOptions): { recording: SessionRecording; options: RecordOptions; forget(): void } {
    const name = `r${this.#next++}`;
    const recording = new Recording(async () => {
      try {
        await this.#remote().ask({ type: "stopRecording", recording: name });
      } finally {
        this.#running.delete(name);
      }
    });
    this.#running.set(name, recording);
    return { recording, options: { recording: name, taps: [...taps], maxBytes }, forget: () => this.#running.delete(name) };
  }

  async start(wanted: RecordingOptions): Promise<SessionRecording> {
    const { recording, options, forget } = this.prepare(wanted);
    try {
      await this.#remote().ask({ type: "startRecording", options });
    } catch (error) {
      forget();
      throw error;
    }
    return recording;
  }

  /** A part arrived. */
  push(name: string, content: Uint8Array<ArrayBuffer>): void {
    this.#running.get(name)?.push(content);
  }
}
