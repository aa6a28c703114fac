// What a connection is to its pipeline.
import type { AudioHost } from "./audio.ts";
import type { Remote } from "./remote.ts";
import type { Connection, PipelineEvent } from "./types.ts";

/** A connection as the pipeline sees it. */
export interface Attached extends Connection {
  readonly sampleRate: number;
  /** Connect to the worker, or to another one that took its place. */
  attach(): Promise<void>;
}

/** The pipeline as a connection sees it. */
export interface Owner {
  readonly id: string;
  readonly audio: AudioHost;
  /** Whether samples go through shared memory. */
  readonly shared: boolean;
  remote(): Remote;
  tell(event: PipelineEvent): void;
  finish(): Promise<void>;
  /** The connection is no more. */
  forget(): void;
}
