import { afterEach, describe, expect, test } from "vitest";
import { ProgressMeter, watchFetch } from "../src/progress.ts";
import type { Progress } from "../src/types.ts";
import { closeAll, serve } from "./server.ts";

function meter(expected: Record<string, number> = {}): { meter: ProgressMeter; told: Progress[] } {
  const told: Progress[] = [];
  return { meter: new ProgressMeter(expected, (progress) => told.push(progress)), told };
}

describe("the meter", () => {
  test("bytes move the bar within the download", () => {
    const { meter: made, told } = meter({ a: 60, b: 40 });
    made.enter("download", "downloading");
    made.add("a", 30, 0);
    made.add("b", 40, 0);
    expect(told.map(({ loadedBytes, totalBytes }) => [loadedBytes, totalBytes])).toEqual([[0, 100], [30, 100], [70, 100]]);
    expect(told.map(({ fraction }) => fraction)).toEqual([0, expect.closeTo(0.12), expect.closeTo(0.28)]);
    expect(told[2]).toMatchObject({ phase: "download", message: "downloading" });
  });

  test("it never falls: not by a file that nobody expected, nor by one that is larger", () => {
    const { meter: made, told } = meter({ a: 10 });
    made.enter("download", "");
    made.add("a", 10, 0);
    made.add("surprise", 1, 1_000_000);
    made.add("a", 500, 0);
    made.enter("python", "");
    made.enter("pipeline", "");
    made.enter("packages", "late");
    const fractions = told.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...fractions].sort((x, y) => x - y));
    expect(fractions.at(-1)).toBe(0.9);
    expect(told.at(-1)!.totalBytes).toBe(1_000_510);
  });

  test("the total follows what a file says of itself, and what it turns out to be", () => {
    const { meter: made, told } = meter({ a: 100, b: 100 });
    made.add("a", 10, 150);
    expect(told.at(-1)!.totalBytes).toBe(250);
    made.done("a");
    made.add("b", 1, 0);
    expect(told.at(-1)!.totalBytes).toBe(110);
    made.done("unknown");
  });

  test("the phases lead from 0 to 1, also where nothing is known", () => {
    const { meter: made, told } = meter();
    for (const phase of ["download", "python", "packages", "pipeline", "ready"] as const) made.enter(phase, phase);
    expect(told.map(({ fraction }) => fraction)).toEqual([0, 0.4, 0.7, 0.9, 1]);
    expect(told[0]).toMatchObject({ loadedBytes: 0, totalBytes: 0 });
  });
});

describe("fetch, watched", () => {
  let restore = (): void => undefined;
  afterEach(async () => {
    restore();
    await closeAll();
  });

  test("counts every byte under the file's name, and changes nothing", async () => {
    const content = Buffer.alloc(300_000, "remotemedia ");
    const address = await serve((_, answer) => {
      answer.writeHead(203, "As It Is", { "Content-Type": "application/wasm", "Content-Length": content.length, "X-Mine": "1" });
      answer.end(content);
    });
    const { meter: made, told } = meter({ "a.wasm": 1_000 });
    const before = globalThis.fetch;
    restore = watchFetch(made);
    const answer = await fetch(`${address}/deep/a.wasm?v=1#x`);
    expect([answer.status, answer.statusText, answer.ok]).toEqual([203, "As It Is", true]);
    expect([answer.headers.get("content-type"), answer.headers.get("x-mine")]).toEqual(["application/wasm", "1"]);
    expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
    expect(told.length).toBeGreaterThan(1); // as they come, not at the end
    expect(told.at(-1)).toMatchObject({ loadedBytes: content.length, totalBytes: content.length });
    restore();
    expect(globalThis.fetch).toBe(before);
  });

  test("of a body that was compressed counts what comes out, and believes no length", async () => {
    const { gzipSync } = await import("node:zlib");
    const packed = gzipSync(Buffer.alloc(50_000, "a"));
    const address = await serve((_, answer) => {
      answer.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": packed.length });
      answer.end(packed);
    });
    const { meter: made, told } = meter();
    restore = watchFetch(made);
    expect((await (await fetch(`${address}/a`)).arrayBuffer()).byteLength).toBe(50_000);
    expect(told.at(-1)).toMatchObject({ loadedBytes: 50_000, totalBytes: 50_000 });
  });

  test("leaves errors, answers without a body and failures as they are", async () => {
    const address = await serve((request, answer) => {
      answer.writeHead(request.url === "/none" ? 204 : 404).end(request.url === "/none" ? undefined : "gone");
    });
    const { meter: made, told } = meter();
    restore = watchFetch(made);
    const gone = await fetch(`${address}/gone`);
    expect([gone.status, await gone.text(), gone.url]).toEqual([404, "gone", `${address}/gone`]);
    expect((await fetch(`${address}/none`)).status).toBe(204);
    await closeAll();
    await expect(fetch(`${address}/away`)).rejects.toThrow(TypeError);
    expect(told).toEqual([]);
  });
});
