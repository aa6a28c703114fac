import { afterEach, expect, test, vi } from "vitest";
import type { FromNodeWorker } from "../src/node-protocol.ts";
import { hostNodes } from "../src/node-worker.ts";
import type { NodeScope } from "../src/node-worker.ts";
import type { Runtime, RuntimeOptions } from "../src/runtime.ts";
import type { Progress } from "../src/types.ts";

const OPTIONS = { pyodideUrl: "/pyodide/", assets: [], packages: ["scipy", "mine"], life: "lock" };

afterEach(() => vi.unstubAllGlobals());

/** A worker, and a Python that keeps what it is given. */
class Scene {
  readonly posted: FromNodeWorker[] = [];
  readonly received: [string, Uint8Array | undefined][] = [];
  readonly loaded: string[][] = [];
  readonly held: string[] = [];
  given: unknown[] = [];
  options: RuntimeOptions | undefined;
  onFatal: (error: unknown) => void = () => undefined;
  fault: Error | undefined;
  readonly scope: NodeScope = { onmessage: null, postMessage: (message) => void this.posted.push(message) };

  constructor() {
    const request = (name: string, hold: () => Promise<void>): Promise<void> => {
      this.held.push(name);
      return hold();
    };
    vi.stubGlobal("navigator", { locks: { request } });
  }

  host(): Promise<void> {
    return hostNodes(this.scope, OPTIONS, async (options, report, onFatal) => {
      this.options = options;
      this.onFatal = onFatal;
      report({ message: "starting Python" } as Progress);
      report({ message: "starting Python" } as Progress);
      if (this.fault !== undefined) throw this.fault;
      const receive = (text: string, frame?: unknown): void => {
        if (text === "bad") throw new Error("unreachable");
        this.received.push([text, frame as Uint8Array]);
      };
      return {
        run: (...given: unknown[]) => ((this.given = given), receive),
        loadPackages: async (names: string[]) => (this.loaded.push(names), names.filter((name) => name === "mine")),
        memoryBytes: () => 7,
      } as unknown as Runtime;
    });
  }

  tell(text: string, frame?: Uint8Array): void {
    this.scope.onmessage?.({ data: { type: "told", text, ...(frame && { frame }) } } as MessageEvent);
  }
}

test("it holds its lock before it says that it has booted, and what is told meanwhile waits", async () => {
  const scene = new Scene();
  const hosting = scene.host();
  scene.tell("first", new Uint8Array([1]));
  scene.tell("second");
  expect([scene.held, scene.received]).toEqual([["lock"], []]);
  await hosting;
  scene.tell("third");
  expect(scene.posted[0]).toEqual({ type: "booted" });
  expect(scene.received).toEqual([["first", new Uint8Array([1])], ["second", undefined], ["third", undefined]]);
});

test("packages that Pyodide lacks are left to micropip", async () => {
  const scene = new Scene();
  await scene.host();
  expect(scene.loaded).toEqual([["scipy", "mine"], ["micropip"]]);
  expect(scene.given[0]).toBe("remotemedia_wasm.workers.inside");
  expect(scene.given[2]).toEqual(["mine"]);
  expect((scene.given[1] as { memoryBytes(): number }).memoryBytes()).toBe(7);
});

test("lines and steps are told as messages.py has them", async () => {
  const scene = new Scene();
  await scene.host();
  scene.options?.print("hello", false);
  scene.options?.print("help", true);
  expect(scene.posted.slice(1)).toEqual(
    [["Line", "starting Python", "progress"], ["Line", "hello", "out"], ["Line", "help", "err"]].map((line) => ({
      type: "said", text: JSON.stringify(line),
    })),
  );
});

test("a trap ends it, and so does a start that fails", async () => {
  const scene = new Scene();
  await scene.host();
  scene.onFatal(new Error("out of memory"));
  scene.tell("bad");
  expect(scene.posted.slice(-2)).toEqual([
    { type: "ended", why: "trapped: out of memory" },
    { type: "ended", why: "trapped: unreachable" },
  ]);
  const other = new Scene();
  other.fault = new Error("HTTP 404");
  await other.host();
  expect(other.posted.at(-1)).toEqual({ type: "ended", why: "cannot be started: HTTP 404" });
});
