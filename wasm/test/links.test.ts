// One suite, both kinds of link, the other end in a real thread.
import { describe, expect, test } from "vitest";
import { createLink, openReader, openWriter, transferOf } from "../src/links.ts";
import { startPeer } from "./peer.ts";
import { run } from "./traffic.mjs";

const lib = { openReader, openWriter };

describe.each([{ shared: true }, { shared: false }])("a link, shared: $shared", ({ shared }) => {
  const link = (channels: number, capacity: number) => createLink({ channels, capacity, sampleRate: 48_000, shared });

  test.each([
    { seed: 21, channels: 1, capacity: 4096, maxChunk: 960, blockFrames: 960, frames: 1_000_000, here: "read" },
    { seed: 22, channels: 2, capacity: 2048, maxChunk: 1500, blockFrames: 480, frames: 500_000, here: "write" },
    { seed: 23, channels: 1, capacity: 1024, maxChunk: 3, blockFrames: 777, frames: 20_000, here: "read" },
    { seed: 24, channels: 1, capacity: 256, maxChunk: 256, blockFrames: 1, frames: 20_000, here: "write" },
  ] as const)("every wake-up and every sample arrives: writes ≤ $maxChunk, blocks of $blockFrames, seed $seed", async ({ here, ...job }) => {
    const { worklet, worker } = link(job.channels, job.capacity);
    const peer = startPeer({ ...job, kind: here === "read" ? "write" : "read", endpoint: worker });
    const mine = await run(lib, { ...job, kind: here, endpoint: worklet });
    const theirs = await peer;
    expect([...mine.faults, ...theirs.faults]).toEqual([]);
    expect([mine.frames, theirs.frames, mine.lost, theirs.lost]).toEqual([job.frames, job.frames, 0, 0]);
    expect(mine.wakes + theirs.wakes).toBeGreaterThan(10);
  });
  void transferOf;
});
