// A worker of nodes: Python in it, which does what the worker of the session tells.
import { messageOf } from "./errors.ts";
import type { FromNodeWorker, NodeBoot, ToNodeWorker } from "./node-protocol.ts";
import { lineOf } from "./node-protocol.ts";
import { boot } from "./runtime.ts";
import type { Receive } from "./runtime.ts";

export interface NodeScope {
  postMessage(message: FromNodeWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToNodeWorker>) => void) | null;
}

/** Become a worker of nodes; what is told before Python is there waits. */
export async function hostNodes(scope: NodeScope, options: NodeBoot, start = boot): Promise<void> {
  const waiting: { text: string; frame?: Uint8Array }[] = [];
  let receive: Receive | undefined;
  const say = (text: string, frame?: Uint8Array): void => {
    if (frame === undefined) scope.postMessage({ type: "said", text });
    else scope.postMessage({ type: "said", text, frame }, [frame.buffer as ArrayBuffer]);
  };
  const onFatal = (error: unknown): void => scope.postMessage({ type: "ended", why: `trapped: ${messageOf(error)}` });
  const take = (text: string, frame?: Uint8Array): void => {
    try {
      receive?.(text, frame);
    } catch (error) {
      onFatal(error);
    }
  };
  scope.onmessage = ({ data }) => {
    if (data.type !== "told") return;
    if (receive === undefined) waiting.push(data);
    else take(data.text, data.frame);
  };
  // Held until this worker is no more: there is nothing else by which that can be known everywhere.
  await new Promise<void>((held) => {
    if (navigator.locks === undefined) held();
    else void navigator.locks.request(options.life, () => (held(), new Promise(() => undefined)));
  });
  scope.postMessage({ type: "booted" });
  let phase = "";
  try {
    const runtime = await start(
      {
        ...options, expected: {}, interrupt: null,
        print: (text, isError) => {
          if (isError) console.warn(text);
          else console.log(text);
          say(lineOf(text, isError ? "err" : "out"));
        },
      },
      ({ message }) => {
        if (message !== phase) say(lineOf((phase = message), "progress"));
      },
      onFatal,
    );
    const unknown = await runtime.loadPackages(options.packages);
    if (unknown.length > 0) await runtime.loadPackages(["micropip"]);
    const host = { say, memoryBytes: () => runtime.memoryBytes() };
    receive = runtime.run<Receive>("remotemedia_wasm.workers.inside", host, unknown);
    for (const { text, frame } of waiting) take(text, frame);
  } catch (error) {
    scope.postMessage({ type: "ended", why: `cannot be started: ${messageOf(error)}` });
  }
}
