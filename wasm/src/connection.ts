// What a connection is to its pipeline.
import type { AudioHost } from "./audio.ts";
import type { Remote } from "./remote.ts";
import type { Connection, PipelineEvent } from "./types.ts";

/** A connection as the pipeline sees it. */
export interface Attached extends Connection {
  readonly sampleRate: number;
  /** Whether it feeds the graph in real time, until it is disconnected. */
  readonly feeds: boolean;
  /** Connect to the worker, or to another one that took its place. */
  attach(): Promise<void>;
  /** What is captured still goes into the graph, unless it is abandoned. */
  disconnect(abandon?: boolean): Promise<void>;
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
