// What a page and its own worker say to each other. Requests and answers of the session are JSON text
// (protocol.generated.ts); here is what travels around them: boot, buffers, ports.
import type { Endpoint, RingCounters } from "./links.ts";
import type { OnnxOptions } from "./onnx.ts";
import type { ErrorInfo } from "./protocol.generated.ts";
import type { Progress } from "./types.ts";

/** One file of this package: where it is, and what it must be. */
export interface AssetRequest {
  name: string;
  url: string;
  /** Of the bytes that travel. */
  sha256: string;
  size: number;
}

export interface BootOptions {
  pyodideUrl: string;
  /** Wheels to unpack, in this order. */
  assets: AssetRequest[];
  /** Sizes of Pyodide's own files that will be loaded, by name, for the progress. */
  expected: Record<string, number>;
  /** Int32: [0] the worker's heartbeat, ms. Null without shared memory. */
  status: SharedArrayBuffer | null;
  /** One byte: Pyodide's interrupt buffer. */
  interrupt: SharedArrayBuffer | null;
  onnx: OnnxOptions;
}

export type ToWorker =
  | { type: "boot"; options: BootOptions }
  | { type: "call"; text: string; frame?: Uint8Array }
  | { type: "reader"; text: string; connection: string; endpoint: Endpoint; blockFrames: number }
  | { type: "writer"; text: string; connection: string; endpoint: Endpoint; maxFrames: number; live: boolean }
  | { type: "packages"; id: number; names: string[] }
  | { type: "assets"; id: number; assets: AssetRequest[] }
  | { type: "release"; connection: string }
  | { type: "counters"; id: number }
  | { type: "ping" };

export type FromWorker =
  | { type: "progress"; progress: Progress }
  | { type: "booted" }
  | { type: "answer"; text: string; beside?: Uint8Array }
  | { type: "packet"; frame: Uint8Array; subscription?: string }
  /** The next part of a recording. */
  | { type: "recorded"; recording: string; content: Uint8Array<ArrayBuffer> }
  | { type: "loaded"; id: number; unknown: string[]; error?: ErrorInfo }
  | { type: "counters"; id: number; rings: Record<string, RingCounters>; memoryBytes: number }
  | { type: "failed"; error: ErrorInfo }
  | { type: "crashed"; message: string }
  | { type: "pong" };

/** How often the worker's heart beats, ms. */
export const HEARTBEAT_MS = 50;
