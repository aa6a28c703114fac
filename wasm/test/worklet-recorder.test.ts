// The logic of the capture worklet, driven quantum by quantum without a browser.
import { expect, test } from "vitest";
import { Ring } from "../src/ring.ts";
import { Recorder } from "../src/worklets/recorder.ts";

const RATE = 48_000;
const plane = (value: number) => new Float32Array(128).fill(value);
const last = (ring: Ring) => {
  const packed = new Float32Array(ring.ready() * ring.channels);
  const n = ring.ready();
  ring.readInto(packed, n);
  return Array.from({ length: ring.channels }, (_, c) => packed[c * n + n - 1]);
};

test("changes of the channel count, and no input", () => {
  const ring = Ring.create({ channels: 2, capacity: 1024, sampleRate: RATE, shared: false });
  const recorder = new Recorder(ring);
  recorder.process([plane(1)], 128, 0);
  expect(last(ring)).toEqual([1, 1]);
  recorder.process([plane(1), plane(2), plane(3)], 128, 128);
  expect(last(ring)).toEqual([1, 2]);
  recorder.process([], 128, 256);
  expect(last(ring)).toEqual([0, 0]);
  expect(ring.counters()).toMatchObject({ written: 384, overrun: 0, writeClock: 0 });
});

test("quanta that the browser left out are a gap of their length", () => {
  const ring = Ring.create({ channels: 1, capacity: 1024, sampleRate: RATE, shared: false });
  const recorder = new Recorder(ring);
  recorder.process([plane(1)], 128, 1000);
  expect(last(ring)).toEqual([1]);
  recorder.process([plane(2)], 128, 1000 + 3 * 128);
  expect(last(ring)).toEqual([2]);
  expect(ring.lost).toBe(256);
  expect(ring.counters()).toMatchObject({ written: 256, overrun: 256, writeClock: 1000 + 256 });
});

test("captured = written + overrun", () => {
  const ring = Ring.create({ channels: 1, capacity: 512, sampleRate: RATE, shared: false });
  const recorder = new Recorder(ring);
  for (let i = 0; i < 10; i++) recorder.process([plane(i)], 128, i * 128);
  expect(ring.counters()).toMatchObject({ written: 512, overrun: 768 });
});
