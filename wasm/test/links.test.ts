// One suite for both kinds of link.
import { afterEach, describe, expect, test, vi } from "vitest";
import { LOST, createLink, openReader, openWriter, transferOf } from "../src/links.ts";
import type { BlockReader, BlockWriter, Endpoint } from "../src/links.ts";
import { MirrorConsumer, MirrorProducer, POST_FRAMES } from "../src/mirror.ts";
import { CLEAR_FADE, GENERATION } from "../src/ring-layout.ts";
import { Ring } from "../src/ring.ts";
import { Player } from "../src/worklets/player.ts";
import { startPeer } from "./peer.ts";
import { run, sample } from "./traffic.mjs";

const lib = { openReader, openWriter };
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Other threads and ports take a moment; how long does not matter. */
async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !isSo(); i++) await turn();
  expect(isSo()).toBe(true);
}

describe.each([{ shared: true }, { shared: false }])("a link, shared: $shared", ({ shared }) => {
  const open: (BlockReader | BlockWriter)[] = [];
  afterEach(() => open.splice(0).forEach((end) => end.close()));

  const link = (channels: number, capacity: number) => createLink({ channels, capacity, sampleRate: 48_000, shared });
  function pair({ channels = 1, capacity = 1024, blockFrames = 100, maxFrames = 400, live = false } = {}): { reader: BlockReader; writer: BlockWriter } {
    const { worklet, worker } = link(channels, capacity);
    const reader = openReader(worklet, { blockFrames });
    const writer = openWriter(worker, { maxFrames, live });
    open.push(reader, writer);
    return { reader, writer };
  }
  function put(writer: BlockWriter, from: number, frames: number): number {
    for (let c = 0; c < writer.channels; c++) for (let i = 0; i < frames; i++) writer.staging[c * frames + i] = sample(from + i, c);
    return writer.put(frames);
  }
  const isReady = (reader: BlockReader) => new Promise<void>((resolve) => reader.arm(resolve));

  test.each([
    { seed: 21, channels: 1, capacity: 4096, maxChunk: 960, blockFrames: 960, frames: 1_000_000, here: "read" },
    { seed: 22, channels: 2, capacity: 2048, maxChunk: 1500, blockFrames: 480, frames: 500_000, here: "write" },
    { seed: 23, channels: 1, capacity: 1024, maxChunk: 3, blockFrames: 777, frames: 20_000, here: "read" },
    { seed: 24, channels: 1, capacity: 256, maxChunk: 256, blockFrames: 1, frames: 20_000, here: "write" },
    { seed: 25, channels: 3, capacity: 512, maxChunk: 256, blockFrames: 256, frames: 200_000, here: "read" },
  ] as const)("two threads: every wake-up and every sample arrives, seed $seed", async ({ here, ...job }) => {
    const { worklet, worker } = link(job.channels, job.capacity);
    const peer = startPeer({ ...job, kind: here === "read" ? "write" : "read", endpoint: worker });
    const mine = await run(lib, { ...job, kind: here, endpoint: worklet });
    const theirs = await peer;
    expect([...mine.faults, ...theirs.faults]).toEqual([]);
    expect([mine.frames, theirs.frames, mine.lost, theirs.lost]).toEqual([job.frames, job.frames, 0, 0]);
    expect(mine.wakes + theirs.wakes).toBeGreaterThan(10);
  });

  test.each([
    { seed: 31, channels: 1, capacity: 1024, maxChunk: 500, blockFrames: 300, frames: 500_000, here: "read" },
    { seed: 32, channels: 2, capacity: 512, maxChunk: 512, blockFrames: 512, frames: 500_000, here: "write" },
  ] as const)("two threads, live: every lost frame is counted, at its place, seed $seed", async ({ here, ...job }) => {
    const { worklet, worker } = link(job.channels, job.capacity);
    const peer = startPeer({ ...job, lossy: true, kind: here === "read" ? "write" : "read", endpoint: worker });
    const mine = await run(lib, { ...job, lossy: true, kind: here, endpoint: worklet });
    const theirs = await peer;
    const [reader, writer] = here === "read" ? [mine, theirs] : [theirs, mine];
    expect([...mine.faults, ...theirs.faults]).toEqual([]);
    expect(reader.frames + reader.lost).toBe(job.frames);
    expect(reader.lost).toBe(writer.lost);
    expect(reader.gaps.length).toBeGreaterThan(2);
  });

  test("blocks, the packed tail, the end", async () => {
    const { reader, writer } = pair({ channels: 2 });
    expect([reader.channels, reader.sampleRate, reader.blockFrames, reader.staging.length, writer.maxFrames, writer.staging.length]).toEqual([2, 48_000, 100, 200, 400, 800]);
    const { staging } = reader;
    put(writer, 0, 130);
    await isReady(reader);
    expect([reader.take(), reader.take(), reader.lost]).toEqual([100, 0, 0]);
    expect([staging[99], staging[100]]).toEqual([sample(99, 0), sample(0, 1)]);
    writer.end();
    await isReady(reader);
    expect(reader.take()).toBe(30);
    expect([staging[29], staging[30], reader.staging === staging]).toEqual([sample(129, 0), sample(100, 1), true]);
    expect([reader.take(), reader.take()]).toEqual([-1, -1]);
  });

  test("a gap: a shorter block in front of it, `lost` behind it, and at the end", async () => {
    const { reader, writer } = pair({ capacity: 256, live: true });
    expect([put(writer, 0, 300), writer.room()]).toEqual([300, 0]);
    await isReady(reader);
    expect([reader.take(), reader.take(), reader.take(), reader.take(), reader.lost]).toEqual([100, 100, 56, 0, 0]);
    await until(() => writer.room() === 256);
    put(writer, 300, 110);
    await isReady(reader);
    expect([reader.take(), reader.lost, reader.staging[0]]).toEqual([100 | LOST, 44, 300]);
    expect(reader.take()).toBe(0); // 10 frames are no block
    await until(() => writer.room() === 246);
    put(writer, 410, 300);
    writer.end();
    await until(() => reader.counters().overrun === 98);
    expect([reader.take(), reader.take(), reader.take(), reader.lost]).toEqual([100, 100, 56, 0]);
    expect([reader.take(), reader.lost]).toEqual([-1, 54]);
  });

  test("buffered: what does not fit stays with the writer", async () => {
    const { reader, writer } = pair({ capacity: 256 });
    expect([put(writer, 0, 200), writer.put(100), writer.room(), writer.put(10)]).toEqual([200, 56, 0, 0]);
    const wake = vi.fn();
    writer.arm(wake, 150);
    await isReady(reader);
    reader.take();
    for (let i = 0; i < 20; i++) await turn();
    expect(wake).not.toHaveBeenCalled();
    expect([reader.take(), reader.take()]).toEqual([100, 0]);
    await until(() => wake.mock.calls.length > 0);
    expect(writer.room()).toBe(200);
    expect(writer.counters().overrun).toBe(0);
  });

  test("a mono block goes to all channels", async () => {
    const { reader, writer } = pair({ channels: 2 });
    writer.staging.fill(0.5, 0, 100);
    expect(writer.put(100, 1)).toBe(100);
    await isReady(reader);
    reader.take();
    expect([...reader.staging]).toEqual(Array(200).fill(0.5));
  });

  test("arm wakes once, after it returned; never after close", async () => {
    const { reader, writer } = pair();
    const wake = vi.fn();
    put(writer, 0, 400);
    await isReady(reader);
    reader.arm(wake);
    writer.arm(wake, 10);
    expect(wake).not.toHaveBeenCalled();
    await until(() => wake.mock.calls.length === 2);
    put(writer, 400, 100);
    for (let i = 0; i < 20; i++) await turn();
    expect(wake).toHaveBeenCalledTimes(2);
    reader.arm(wake); // due at once, and closed before it is told
    writer.arm(wake, 10);
    reader.close();
    writer.close();
    for (let i = 0; i < 20; i++) await turn();
    expect(wake).toHaveBeenCalledTimes(2);
  });

  test("close ends a wait that is not due", async () => {
    const { reader, writer } = pair();
    const wake = vi.fn();
    reader.arm(wake);
    writer.arm(wake, 1024);
    await until(() => wake.mock.calls.length === 1); // there is room; there are no samples
    reader.close();
    put(writer, 0, 400);
    for (let i = 0; i < 20; i++) await turn();
    expect(wake).toHaveBeenCalledTimes(1);
  });

  test("both ends count the same", async () => {
    const { reader, writer } = pair({ live: true });
    put(writer, 0, 400);
    put(writer, 400, 400);
    put(writer, 800, 400);
    await until(() => {
      reader.take();
      return reader.counters().read === 1024;
    });
    await until(() => writer.counters().read === 1024);
    expect(writer.counters()).toEqual(reader.counters());
    expect(reader.counters()).toMatchObject({ written: 1024, read: 1024, filled: 0, capacity: 1024, overrun: 176 });
  });

  test("a player at the other end: room as it plays, an interrupt by the writer, the end", async () => {
    const { worklet, worker } = link(1, 1024);
    const writer = openWriter(worker, { maxFrames: 1000, live: false });
    open.push(writer);
    const mirror = worklet.kind === "port" ? new MirrorConsumer(worklet) : null;
    const ring = worklet.kind === "port" ? mirror!.ring : Ring.attach(worklet.buffer);
    const player = new Player(ring, { live: false, lead: 100 });
    const out = [new Float32Array(128)];
    let clock = 0;
    const play = (times: number) => {
      for (; times > 0; times--, clock += 128) {
        player.process(out, 128, clock);
        mirror?.report();
      }
    };
    put(writer, 0, 1000);
    await until(() => ring.filled() === 1000);
    play(4);
    await until(() => writer.room() === 24 + 512);
    writer.clear();
    put(writer, 1000, 200);
    await until(() => ring.counters().written === 1200);
    play(1);
    expect(ring.counters()).toMatchObject({ cleared: 1000 - 512, filled: 200 - 128 });
    writer.end();
    await until(() => ring.ended);
    play(3);
    expect(player.ended).toBe(true);
    await until(() => writer.room() === 1024);
    mirror?.report(0);
    await until(() => writer.counters().idle === 3 * 128 - 72);
    expect(writer.counters()).toEqual(ring.counters());
    mirror?.close();
  });

  test("capacity is rounded up; wrong sizes are refused", () => {
    const { worklet, worker, ring } = link(1, 1000);
    expect(transferOf(worker)).toHaveLength(shared ? 0 : 1);
    expect(ring?.capacity).toBe(shared ? 1024 : undefined);
    expect(() => openReader(worker, { blockFrames: 1025 })).toThrow(/1 to 1024 frames/);
    const writer = openWriter(worklet, { maxFrames: 100, live: true });
    expect(() => writer.put(101)).toThrow(/up to 100 frames, not 101/);
    open.push(writer);
  });
});

describe("a mirror", () => {
  const start = 2 ** 32 - 1000;
  function mirrors(capacity = 1024): { producer: MirrorProducer; consumer: MirrorConsumer } {
    const { worklet, worker } = createLink({ channels: 1, capacity, sampleRate: 48_000, shared: false });
    const port = (endpoint: Endpoint) => endpoint as Endpoint & { kind: "port" };
    return { producer: new MirrorProducer(port(worklet), start), consumer: new MirrorConsumer(port(worker), start) };
  }

  test("posts a few quanta at a time; its indices wrap", async () => {
    const { producer, consumer } = mirrors();
    const plane = new Float32Array(128);
    let messages = 0, expected = 0;
    consumer.onWrite = () => messages++;
    for (let i = 0; i < 3200; i += 128) {
      producer.ring.push([plane.map((_, k) => i + k)], 128);
      producer.pump(POST_FRAMES);
      await until(() => ((i + 128) % 256 === 0 ? consumer.ring.filled() === 256 : true));
      for (let n = consumer.ring.ready(); n > 0; n--) if (consumer.ring.peek(0, 0) === expected++) consumer.ring.drop(1);
      consumer.report();
      await until(() => producer.ring.filled() <= 128);
    }
    producer.ring.end();
    producer.pump(POST_FRAMES);
    await until(() => consumer.ring.ended);
    expect([expected, messages, consumer.ring.filled()]).toEqual([3072, 13, 128]);
    expect(consumer.ring.counters().written).toBe(3200 - 1000);
    consumer.close();
    producer.close();
  });

  test("the end and an interrupt do not overtake the samples in front of them", async () => {
    const { producer, consumer } = mirrors();
    const seen: [filled: number, ended: boolean, interrupts: number][] = [];
    consumer.onWrite = () => seen.push([consumer.ring.filled(), consumer.ring.ended, consumer.ring.words[GENERATION]!]);
    producer.ring.push([new Float32Array(1000)], 1000);
    producer.ring.clear(480);
    producer.ring.end();
    producer.pump(POST_FRAMES);
    await until(() => consumer.ring.ended);
    expect(seen).toEqual([[512, false, 0], [1000, true, 1]]);
    expect(consumer.ring.words[CLEAR_FADE]).toBe(480);
    consumer.close();
    producer.close();
  });

  test("a consumer that does not answer makes it full, and no more is posted than its pool has", async () => {
    const { producer, consumer } = mirrors();
    const { port1, port2 } = new MessageChannel(); // nobody listens at port2
    const deaf = new MirrorProducer({ kind: "port", port: port1, channels: 1, capacity: 1024, sampleRate: 48_000 });
    const post = vi.spyOn(port1, "postMessage");
    for (let i = 0; i < 1000; i++) {
      deaf.ring.push([new Float32Array(128)], 128);
      deaf.pump(1);
    }
    expect(deaf.ring.counters()).toMatchObject({ written: 1024, overrun: 127_000 - 24 });
    expect(post.mock.calls.length).toBe(1024 / POST_FRAMES + 2);
    for (const port of [port1, port2]) port.close();
    consumer.close();
    producer.close();
  });
});
