import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { launchNodes } from "../src/node-launcher.ts";
import type { FromNodeWorker, ToNodeWorker } from "../src/node-protocol.ts";

const BOOT = { pyodideUrl: "/pyodide/", assets: [], packages: ["scipy"] };

/** A worker that never runs; the test speaks in its place. */
class QuietWorker {
  static last: QuietWorker;
  onmessage: ((event: { data: FromNodeWorker }) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  terminated = 0;
  readonly posted: ToNodeWorker[] = [];
  readonly transferred: Transferable[][] = [];

  constructor(readonly url: string) {
    QuietWorker.last = this;
  }

  postMessage(message: ToNodeWorker, transfer: Transferable[]): void {
    this.posted.push(message);
    this.transferred.push(transfer);
  }

  terminate(): void {
    this.terminated += 1;
  }

  say(data: FromNodeWorker): void {
    this.onmessage?.({ data });
  }

  get life(): string {
    const [first] = this.posted;
    if (first?.type !== "bootNodes") throw new Error("it was not booted");
    return first.options.life;
  }
}

/** Locks that the test frees. */
class Locks {
  readonly asked = new Map<string, () => void>();
  readonly given: AbortSignal[] = [];

  request(name: string, { signal }: { signal: AbortSignal }, got: () => void): Promise<void> {
    this.given.push(signal);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      this.asked.set(name, () => {
        got();
        resolve();
      });
    });
  }
}

let locks: Locks;
const ended: string[] = [];
const said: [string, Uint8Array | undefined][] = [];

beforeEach(() => {
  locks = new Locks();
  ended.length = said.length = 0;
  vi.stubGlobal("Worker", QuietWorker);
  vi.stubGlobal("location", { href: "https://example.org/web/worker.js?v=1" });
  vi.stubGlobal("navigator", { locks });
});
afterEach(() => vi.unstubAllGlobals());

const launch = (): ReturnType<typeof launchNodes> =>
  launchNodes(BOOT, (text, frame) => said.push([text, frame]), (why) => ended.push(why));

describe("a worker of nodes", () => {
  test("runs the script of the worker that starts it, with what that was booted with", () => {
    launch();
    const worker = QuietWorker.last;
    expect(worker.url).toBe("https://example.org/web/worker.js?v=1");
    expect(worker.posted).toEqual([{ type: "bootNodes", options: { ...BOOT, life: worker.life } }]);
    expect(worker.life).toMatch(/^remotemedia-nodes-[0-9a-f-]{36}$/);
  });

  test("frames are transferred, and texts go alone", () => {
    const end = launch();
    const frame = new Uint8Array([1, 2]);
    end.post("a", frame);
    end.post("b");
    const { posted, transferred } = QuietWorker.last;
    expect(posted.slice(1)).toEqual([{ type: "told", text: "a", frame }, { type: "told", text: "b" }]);
    expect(transferred.slice(1)).toEqual([[frame.buffer], []]);
    QuietWorker.last.say({ type: "said", text: "c", frame });
    expect(said).toEqual([["c", frame]]);
  });

  test("one that closes itself is noticed by its lock, once", () => {
    launch();
    const worker = QuietWorker.last;
    expect(locks.asked.size).toBe(0); // it has to hold it first
    worker.say({ type: "booted" });
    locks.asked.get(worker.life)?.();
    expect(ended).toEqual(["ended by itself"]);
    expect(worker.terminated).toBe(1);
    worker.say({ type: "ended", why: "trapped" });
    expect(ended).toHaveLength(1);
  });

  test("a trap, and a script that cannot be loaded", () => {
    launch();
    QuietWorker.last.say({ type: "ended", why: "trapped: unreachable" });
    launch();
    QuietWorker.last.onerror?.({ message: "", preventDefault: () => undefined });
    expect(ended).toEqual(["trapped: unreachable", "failed: its script cannot be loaded (does worker-src allow it?)"]);
  });

  test("of one that was terminated nothing is heard, and its lock is waited for no longer", async () => {
    const end = launch();
    const worker = QuietWorker.last;
    worker.say({ type: "booted" });
    end.terminate();
    expect(locks.given[0]?.aborted).toBe(true);
    worker.say({ type: "said", text: "late" });
    locks.asked.get(worker.life)?.();
    await Promise.resolve();
    expect([said, ended, worker.terminated]).toEqual([[], [], 1]);
  });

  test("without locks it works, too", () => {
    vi.stubGlobal("navigator", {});
    launch();
    QuietWorker.last.say({ type: "booted" });
    QuietWorker.last.say({ type: "said", text: "x" });
    expect([said, ended]).toEqual([[["x", undefined]], []]);
  });
});
