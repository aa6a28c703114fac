import { describe, expect, test } from "vitest";
import { startPeer } from "./peer.ts";
import { Ring } from "../src/ring.ts";
import { run } from "./traffic.mjs";

const NEAR_WRAP = 2 ** 32 - 5000;
const lib = { Ring };

describe("two threads", () => {
  test.each([
    { seed: 1, channels: 1, capacity: 4096, maxChunk: 960, frames: 1_000_000, start: 0, here: "produce" },
    { seed: 2, channels: 2, capacity: 1024, maxChunk: 1024, frames: 1_000_000, start: NEAR_WRAP, here: "consume" },
    { seed: 3, channels: 3, capacity: 256, maxChunk: 300, frames: 300_000, start: 2 ** 31 - 100, here: "produce" },
  ] as const)("every sample arrives in order: $channels × $frames, started at $start, the test is who $here", async ({ here, ...job }) => {
    const ring = Ring.create({ ...job, sampleRate: 48_000, shared: true });
    const there = here === "produce" ? "consume" : "produce";
    const peer = startPeer({ ...job, kind: there, buffer: ring.buffer });
    const mine = await run(lib, { ...job, kind: here, buffer: ring.buffer });
    const theirs = await peer;
    expect([...mine.faults, ...theirs.faults]).toEqual([]);
    expect([mine.frames, theirs.frames, mine.lost, theirs.lost]).toEqual([job.frames, job.frames, 0, 0]);
    const { written, read, overrun } = ring.counters();
    expect([written, read, overrun]).toEqual([(job.start + job.frames) % 2 ** 32, (job.start + job.frames) % 2 ** 32, 0]);
  });

  test.each([
    { seed: 11, channels: 1, capacity: 1024, maxChunk: 128, start: 0, here: "produce" },
    { seed: 12, channels: 2, capacity: 512, maxChunk: 700, start: NEAR_WRAP, here: "consume" },
    { seed: 13, channels: 1, capacity: 64, maxChunk: 100, start: NEAR_WRAP, here: "produce" },
  ] as const)("every lost frame is accounted for, at its place: capacity $capacity, seed $seed", async ({ here, ...rest }) => {
    const job = { ...rest, frames: 1_000_000, lossy: true };
    const ring = Ring.create({ ...job, sampleRate: 48_000, shared: true });
    const there = here === "produce" ? "consume" : "produce";
    const peer = startPeer({ ...job, kind: there, buffer: ring.buffer });
    const mine = await run(lib, { ...job, kind: here, buffer: ring.buffer });
    const theirs = await peer;
    const [producer, consumer] = here === "produce" ? [mine, theirs] : [theirs, mine];
    expect([...mine.faults, ...theirs.faults]).toEqual([]);
    expect(consumer.lost).toBe(producer.lost);
    expect(consumer.frames + consumer.lost).toBe(job.frames);
    expect(ring.counters().overrun).toBe(producer.lost);
    expect(consumer.gaps.length).toBeGreaterThan(2);
  });

});
