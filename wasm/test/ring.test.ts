import { describe, expect, test } from "vitest";
import { GENERATION, HEADER_WORDS, TOOK, WROTE } from "../src/ring-layout.ts";
import { Ring } from "../src/ring.ts";
import { startPeer } from "./peer.ts";
import { random, run, sample } from "./traffic.mjs";

const NEAR_WRAP = 2 ** 32 - 5000;
const lib = { Ring };

const make = (format: { channels?: number; capacity?: number; shared?: boolean; start?: number } = {}) =>
  Ring.create({ channels: 1, capacity: 64, sampleRate: 48_000, shared: false, ...format });
const ramp = (from: number, n: number) => Float32Array.from({ length: n }, (_, i) => from + i);
function take(ring: Ring, frames = ring.ready()): number[] {
  const packed = new Float32Array(frames * ring.channels);
  ring.readInto(packed, frames);
  return [...packed];
}

describe("creation", () => {
  test.each([
    [{ capacity: 100 }, /power of two/],
    [{ capacity: 1 }, /power of two/],
    [{ channels: 0 }, /1 to 64 channels/],
    [{ channels: 1.5 }, /1 to 64 channels/],
  ])("%o is refused", (format, message) => expect(() => make(format)).toThrow(message));

  test("only a ring can be attached, and has then what it was made with", () => {
    expect(() => Ring.attach(new ArrayBuffer(16))).toThrow(/no ring/);
    expect(() => Ring.attach(new ArrayBuffer(1024))).toThrow(/no ring/);
    const { channels, capacity, sampleRate } = Ring.attach(make({ channels: 3, capacity: 256 }).buffer);
    expect([channels, capacity, sampleRate]).toEqual([3, 256, 48_000]);
  });

  test("a side that is attached again goes on, in an open gap too", () => {
    const producer = make();
    const consumer = Ring.attach(producer.buffer);
    producer.push([ramp(0, 70)], 70);
    const again = Ring.attach(producer.buffer);
    expect(again.push([ramp(70, 10)], 10)).toBe(0);
    expect(take(consumer)).toHaveLength(64);
    expect(again.push([ramp(80, 4)], 4)).toBe(4);
    expect(take(Ring.attach(producer.buffer))).toEqual([80, 81, 82, 83]);
    expect(producer.counters()).toMatchObject({ written: 68, read: 68, overrun: 16 });
  });
});

test("channels: one plane goes to all, none is silence, what the other side has not is left out or silent", () => {
  const ring = make({ channels: 2 });
  ring.push([ramp(1, 2)], 2);
  ring.push([], 1);
  ring.push([ramp(5, 1), ramp(6, 1), ramp(7, 1)], 1);
  ring.pushFrom(ramp(8, 2), 2, 1, true);
  expect(take(ring)).toEqual([1, 2, 0, 5, 8, 9, 1, 2, 0, 6, 8, 9]);
  ring.push([ramp(1, 1), ramp(2, 1)], 1);
  const out = [0, 1, 2].map(() => new Float32Array(1).fill(9));
  ring.read(out, 0, 1);
  expect(out.map(([x]) => x)).toEqual([1, 2, 0]);
});

describe("gaps", () => {
  test("the place and the size are exact; nothing is written until all in front of it was read", () => {
    const ring = make();
    expect(ring.push([ramp(0, 100)], 100)).toBe(64);
    expect([ring.room(), ring.ready(), ring.final, ring.lost]).toEqual([0, 64, true, 0]);
    take(ring, 60);
    expect([ring.room(), ring.push([ramp(100, 10)], 10), ring.ready(), ring.final]).toEqual([0, 0, 4, true]);
    take(ring);
    expect([ring.room(), ring.ready(), ring.final, ring.lost]).toEqual([64, 0, true, 0]); // not yet final
    ring.push([ramp(110, 5)], 5);
    expect([ring.ready(), ring.final, ring.lost, take(ring)[0]]).toEqual([5, false, 46, 110]);
  });

  test("a second gap before the consumer has seen the first", () => {
    const ring = make();
    ring.push([ramp(0, 10)], 10);
    take(ring); // all is read, then the loss is told, then a full ring and the next loss
    ring.overrun(3);
    ring.push([ramp(13, 70)], 70);
    expect([ring.ready(), ring.final, ring.lost]).toEqual([64, true, 3]);
    ring.lost = 0;
    expect(ring.drop(100)).toBe(64);
    ring.push([ramp(83, 1)], 1);
    expect([ring.ready(), ring.lost]).toEqual([1, 6]);
  });

  test("in front of the end its size is final", () => {
    const ring = make();
    ring.push([ramp(0, 65)], 65);
    take(ring);
    ring.end();
    expect([ring.ended, ring.ready(), ring.lost]).toEqual([true, 0, 1]);
  });
});

test("of two interrupts the later place counts", () => {
  const ring = make();
  const other = Ring.attach(ring.buffer);
  ring.push([ramp(0, 5)], 5);
  ring.clear();
  ring.push([ramp(0, 5)], 5);
  other.clear();
  expect(ring.words[GENERATION]).toBe(2);
  expect(ring.words[49 + 1]).toBe(10);
});

describe("clocks", () => {
  test("tell of sample 0, whatever the index is", () => {
    const ring = make({ start: 2 ** 32 - 3 });
    expect(ring.counters()).toMatchObject({ writeClock: null, readClock: null });
    ring.push([ramp(0, 10)], 10);
    ring.writeAt(1010);
    take(ring, 4);
    ring.readAt(2004);
    expect(ring.counters()).toMatchObject({ writeClock: 1003, readClock: 2003 });
  });
});

describe.each([1, 2, 3, 4, 5, 6, 7, 8])("any order of calls, seed %i", (seed) => {
  test("is that of a queue with gaps, within its memory", () => {
    const next = random(seed);
    const channels = 1 + (seed % 3);
    const capacity = 2 ** (1 + (seed % 7));
    const start = 2 ** 32 - 1000;
    const bytes = (HEADER_WORDS + channels * capacity) * 4;
    const memory = new ArrayBuffer(bytes + 256); // the ring, then canaries
    new Uint8Array(memory).set(new Uint8Array(make({ channels, capacity, start }).buffer));
    new Uint8Array(memory, bytes).fill(0xa5);
    const ring = Ring.attach(memory);
    const queue: number[] = []; // frame numbers that were written and not read
    let frame = 0, expected = 0, lost = 0, open = false, captured = 0;
    for (let step = 0; step < 2000; step++) {
      const n = (next() * capacity * 1.5) | 0;
      if (next() < 0.5) {
        const planes = Array.from({ length: channels }, (_, c) => Float32Array.from({ length: n }, (_, i) => sample(frame + i, c)));
        const fits = open && queue.length > 0 ? 0 : Math.min(n, capacity - queue.length);
        expect(ring.room()).toBe(open && queue.length > 0 ? 0 : capacity - queue.length);
        expect(ring.push(planes, n)).toBe(fits);
        for (let i = 0; i < fits; i++) queue.push(frame + i);
        if (fits > 0) open = false;
        if (n > fits) open = true;
        frame += n;
        captured += n;
        lost += n - fits;
      } else {
        const frames = Math.min(n, ring.ready());
        expected += ring.lost;
        ring.lost = 0;
        const piece = queue.splice(0, frames);
        const guarded = new Float32Array(channels * frames + 2).fill(7.25);
        ring.readInto(guarded.subarray(1, -1), frames);
        expect([guarded[0], guarded.at(-1)]).toEqual([7.25, 7.25]);
        const wrong = guarded.subarray(1, -1).findIndex((x, at) => x !== sample(expected + (at % frames), Math.floor(at / frames)));
        expect(wrong).toBe(-1);
        if (frames > 0) expect([piece[0], piece.at(-1)]).toEqual([expected, expected + frames - 1]);
        expected += frames;
      }
      expect(ring.filled()).toBe(queue.length);
      expect(ring.counters().overrun).toBe(lost);
    }
    const { written, overrun, read, filled } = ring.counters();
    expect((written - start + 2 ** 32) % 2 ** 32 + overrun).toBe(captured);
    expect((read + filled) % 2 ** 32).toBe(written);
    expect(new Uint8Array(memory, bytes).every((byte) => byte === 0xa5)).toBe(true);
    const words = new Int32Array(memory, 0, HEADER_WORDS);
    for (const line of [5, 27, 43, 52, 65]) expect([...words.subarray(line, Math.ceil(line / 16) * 16)].every((word) => word === 0)).toBe(true);
  });
});

describe("signals", () => {
  const OTHER = { push: (ring: Ring) => void ring.push([ramp(0, 8)], 8), gap: (ring: Ring) => ring.overrun(1), end: (ring: Ring) => ring.end() };
  test.each(["push", "gap", "end"] as const)("a %s is noticed wherever it falls between want, look and wait", async (what) => {
    for (const place of [0, 1, 2, 3]) {
      const ring = make({ shared: true });
      const other = Ring.attach(ring.buffer);
      other.push([ramp(0, 2)], 2);
      const look = () => ring.ended || ring.ready() >= 8 || ring.final;
      if (place === 0) OTHER[what](other);
      const seen = ring.wantFrames(8);
      if (place === 1) OTHER[what](other);
      if (look()) continue;
      if (place === 2) OTHER[what](other);
      const signal = ring.wait(WROTE, seen);
      if (place === 3) OTHER[what](other);
      if (signal !== null) await signal;
      expect(look()).toBe(true);
      expect(place).toBeGreaterThan(1);
    }
  });

  test("one per wish, not one per quantum", () => {
    const ring = make({ shared: true, capacity: 1024 });
    const other = Ring.attach(ring.buffer);
    ring.wantFrames(500);
    for (let i = 0; i < 100; i++) other.push([ramp(0, 10)], 10);
    expect(ring.words[WROTE]).toBe(1);
    other.wantRoom(24 + 300);
    for (let i = 0; i < 100; i++) ring.drop(10);
    expect(ring.words[TOOK]).toBe(1);
  });
});

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
