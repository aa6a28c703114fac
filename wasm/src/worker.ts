// The entry of the worker: messages in, messages out. What they do is in runtime.ts and in Python.
import { messageOf, RemoteMediaError } from "./errors.ts";
import type { BlockReader, BlockWriter, RingCounters } from "./links.ts";
import { openReader, openWriter } from "./links.ts";
import { launchNodes } from "./node-launcher.ts";
import type { ToNodeWorker } from "./node-protocol.ts";
import type { NodeScope } from "./node-worker.ts";
import { hostNodes } from "./node-worker.ts";
import type { ErrorInfo } from "./protocol.generated.ts";
import type { BootOptions, FromWorker, ToWorker } from "./protocol.ts";
import { HEARTBEAT_MS } from "./protocol.ts";
import type { Host, NodeHost, Receive, Runtime } from "./runtime.ts";
import { boot } from "./runtime.ts";

interface Scope {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker | ToNodeWorker>) => void) | null;
  close(): void;
}
const scope = globalThis as unknown as Scope;

let runtime: Runtime | undefined;
let receive: Receive = () => undefined;
/** What a worker of nodes is booted with. */
const nodes: Pick<BootOptions, "pyodideUrl" | "assets" | "onnx"> = {
  pyodideUrl: "",
  assets: [],
  onnx: { onnxUrl: "", modelsUrl: null, pageUrl: "" },
};
/** The ends of rings by connection, for their counters. */
const ends = new Map<string, BlockReader | BlockWriter>();

const host: Host = {
  answer(text, beside) {
    if (beside === undefined) scope.postMessage({ type: "answer", text });
    else scope.postMessage({ type: "answer", text, beside }, [beside.buffer as ArrayBuffer]);
  },
  packet(frame, subscription) {
    scope.postMessage({ type: "packet", frame, ...(subscription !== undefined && { subscription }) }, [frame.buffer as ArrayBuffer]);
  },
  recorded(recording, content) {
    scope.postMessage({ type: "recorded", recording, content }, [content.buffer]);
  },
};

const nodeHost: NodeHost = {
  launch: (packages, onSaid, onEnded) => launchNodes({ ...nodes, packages }, onSaid, onEnded),
};

scope.onmessage = ({ data }) => {
  try {
    if (data.type === "bootNodes") void hostNodes(scope as NodeScope, data.options);
    else take(data as ToWorker);
  } catch (error) {
    onFatal(error);
  }
};

function take(message: ToWorker): void {
  if (message.type === "boot") {
    void start(message.options);
    return;
  }
  if (message.type === "ping") {
    scope.postMessage({ type: "pong" });
    return;
  }
  if (runtime === undefined) throw new Error(`${message.type} before the boot`);
  switch (message.type) {
    case "call":
      receive(message.text, message.frame);
      break;
    case "reader": {
      const reader = openReader(message.endpoint, { blockFrames: message.blockFrames });
      ends.set(message.connection, reader);
      receive(message.text, reader);
      break;
    }
    case "writer": {
      const writer = openWriter(message.endpoint, { maxFrames: message.maxFrames, live: message.live });
      ends.set(message.connection, writer);
      receive(message.text, writer);
      break;
    }
    case "packages":
      void load(message.id, runtime.loadPackages(message.names));
      break;
    case "assets":
      nodes.assets.push(...message.assets);
      void load(message.id, runtime.loadAssets(message.assets));
      break;
    case "release":
      ends.delete(message.connection);
      break;
    case "counters":
      sendCounters(runtime, message.id);
      break;
  }
}

async function start(options: BootOptions): Promise<void> {
  if (options.status !== null) {
    const status = new Int32Array(options.status);
    const beat = (): void => {
      Atomics.store(status, 0, Date.now() | 0);
    };
    beat();
    setInterval(beat, HEARTBEAT_MS);
  }
  try {
    nodes.pyodideUrl = options.pyodideUrl;
    nodes.onnx = options.onnx;
    nodes.assets.push(...options.assets);
    const print = (text: string, isError: boolean): void => (isError ? console.warn(text) : console.log(text));
    runtime = await boot({ ...options, print }, (progress) => scope.postMessage({ type: "progress", progress }), onFatal);
    runtime.offer("remotemedia_host", nodeHost);
    receive = runtime.run<Receive>("remotemedia_wasm.worker", host);
    scope.postMessage({ type: "booted" });
  } catch (error) {
    scope.postMessage({ type: "failed", error: infoOf(error) });
  }
}

async function load(id: number, loading: Promise<string[] | void>): Promise<void> {
  try {
    scope.postMessage({ type: "loaded", id, unknown: (await loading) ?? [] });
  } catch (error) {
    scope.postMessage({ type: "loaded", id, unknown: [], error: infoOf(error) });
  }
}

function sendCounters(from: Runtime, id: number): void {
  const rings: Record<string, RingCounters> = {};
  for (const [connection, end] of ends) rings[connection] = end.counters();
  scope.postMessage({ type: "counters", id, rings, memoryBytes: from.memoryBytes() });
}

/** Python cannot go on: a trap in WebAssembly, or memory that cannot grow. */
function onFatal(error: unknown): void {
  scope.postMessage({ type: "crashed", message: messageOf(error) });
}

function infoOf(error: unknown): ErrorInfo {
  const ours = error instanceof RemoteMediaError;
  return {
    code: ours ? error.code : "load",
    message: messageOf(error),
    node: null,
    port: null,
    traceback: ours || !(error instanceof Error) ? "" : (error.stack ?? ""),
    problems: [],
  };
}
