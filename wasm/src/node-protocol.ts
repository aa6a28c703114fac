// What the worker of a session and a worker of its nodes say to each other, around the messages of Python
// (remotemedia_wasm/workers/messages.py), which are JSON text.
import type { OnnxOptions } from "./onnx.ts";
import type { AssetRequest } from "./protocol.ts";

export interface NodeBoot {
  pyodideUrl: string;
  onnx: OnnxOptions;
  /** Wheels to unpack, in this order. */
  assets: AssetRequest[];
  /** Of Pyodide's distribution, or, if it has them not, of Python's package index. */
  packages: string[];
  /** A lock that the worker holds as long as it lives. */
  life: string;
}

export type ToNodeWorker =
  | { type: "bootNodes"; options: NodeBoot }
  | { type: "told"; text: string; frame?: Uint8Array };

export type FromNodeWorker =
  | { type: "booted" }
  | { type: "said"; text: string; frame?: Uint8Array }
  /** Python cannot start, or not go on. */
  | { type: "ended"; why: string };

/** A line of Python's output, or a step of the boot, as the `Line` of messages.py. */
export const lineOf = (text: string, kind: "out" | "err" | "progress"): string => JSON.stringify(["Line", text, kind]);
