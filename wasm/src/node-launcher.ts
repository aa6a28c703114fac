// In the worker of a session: starts workers of nodes, and notices when one is gone.
import { messageOf } from "./errors.ts";
import type { FromNodeWorker, NodeBoot, ToNodeWorker } from "./node-protocol.ts";

/** What Python holds of a worker; `WorkerEnd` of ends.py. */
export interface NodeEnd {
  post(text: string, frame?: Uint8Array): void;
  terminate(): void;
}

export type OnSaid = (text: string, frame?: Uint8Array) => void;
/** Told once, in words that have the worker as their subject; not after `terminate`. */
export type OnEnded = (why: string) => void;

/** Start one. It runs the script that this worker runs, so that nothing else has to be found. */
export function launchNodes(options: Omit<NodeBoot, "life">, onSaid: OnSaid, onEnded: OnEnded): NodeEnd {
  const life = `remotemedia-nodes-${crypto.randomUUID()}`;
  const waiting = new AbortController();
  const worker = new Worker(location.href, { type: "module", name: "remotemedia nodes" });
  const post = (message: ToNodeWorker, transfer: Transferable[] = []): void => worker.postMessage(message, transfer);
  let over = false;
  const terminate = (): void => {
    over = true;
    waiting.abort();
    worker.onmessage = worker.onerror = null;
    worker.terminate();
  };
  const end = (why: string): void => {
    if (over) return;
    terminate();
    onEnded(why);
  };
  worker.onmessage = ({ data }: MessageEvent<FromNodeWorker>) => {
    switch (data.type) {
      case "booted":
        watch(life, waiting.signal, () => end("ended by itself"));
        break;
      case "said":
        onSaid(data.text, data.frame);
        break;
      case "ended":
        end(data.why);
        break;
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(`failed: ${event.message || "its script cannot be loaded (does worker-src allow it?)"}`);
  };
  post({ type: "bootNodes", options: { ...options, life } });
  return {
    post: (text, frame) => {
      if (frame === undefined) post({ type: "told", text });
      else post({ type: "told", text, frame }, [frame.buffer as ArrayBuffer]);
    },
    terminate,
  };
}

/** Nobody is told of a worker that closes itself; but the lock that it held is free then. */
function watch(life: string, signal: AbortSignal, gone: () => void): void {
  navigator.locks?.request(life, { signal }, gone).catch((error: unknown) => {
    if (!signal.aborted) console.warn(`a worker of nodes is not watched: ${messageOf(error)}`);
  });
}
