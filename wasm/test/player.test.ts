// The logic of the playback worklet, driven quantum by quantum without a browser.
import { describe, expect, test } from "vitest";
import { Ring } from "../src/ring.ts";
import { FADE, Player } from "../src/worklets/player.ts";
import type { PlayerOptions } from "../src/worklets/player.ts";
import { Recorder } from "../src/worklets/recorder.ts";
import { random } from "./traffic.mjs";

const RATE = 48_000;
/** 250 Hz, a gentle slope: whatever jumps more than it does is a click. */
const sine = (i: number) => Math.sin((2 * Math.PI * 250 * i) / RATE);
const STEEPEST = (2 * Math.PI * 250) / RATE;
/** A fade adds at most the distance of two signals in [−1, 1], over FADE frames. */
const LARGEST_STEP = STEEPEST + 2 / FADE;

class Desk {
  readonly ring: Ring;
  readonly player: Player;
  /** All that the speaker got. */
  readonly heard: number[] = [];
  asked = 0;
  #frame = 0;
  #written = 0;

  constructor(options: PlayerOptions, { capacity = 16_384, channels = 1, start = 0, clock = 0 } = {}) {
    this.ring = Ring.create({ channels, capacity, sampleRate: RATE, shared: false, start });
    this.player = new Player(this.ring, options);
    this.#frame = clock;
  }

  write(frames: number, signal: (i: number) => number = sine): void {
    const plane = Float32Array.from({ length: frames }, (_, i) => signal(this.#written + i));
    this.ring.push(Array.from({ length: this.ring.channels }, () => plane), frames);
    this.#written += frames;
  }

  play(quantum: number, times = 1, channels = this.ring.channels): Float32Array[] {
    let out: Float32Array[] = [];
    for (; times > 0; times--) {
      out = Array.from({ length: channels }, () => new Float32Array(quantum).fill(NaN));
      this.player.process(out, quantum, this.#frame);
      this.#frame += quantum;
      this.asked += quantum;
      for (const sample of out[0]!) this.heard.push(sample);
    }
    return out;
  }

  get played(): number {
    const { read, skipped, cleared } = this.ring.counters();
    return read - skipped - cleared;
  }

  largestStep(): number {
    let largest = Math.abs(this.heard[0]!);
    for (let i = 1; i < this.heard.length; i++) largest = Math.max(largest, Math.abs(this.heard[i]! - this.heard[i - 1]!));
    return largest;
  }

  /** Every frame that the speaker asked for has one cause, and nothing clicks. */
  check(): void {
    const { underrun, idle, written, read, filled } = this.ring.counters();
    expect(this.played + underrun + idle).toBe(this.asked);
    expect(written).toBe(read + filled);
    expect(this.heard.every((x) => Math.abs(x) <= 1)).toBe(true); // not NaN either: all was filled
    expect(this.largestStep()).toBeLessThanOrEqual(LARGEST_STEP + 1e-6);
  }
}

describe("start", () => {
  test("a file begins when `lead` frames are there, with its samples as they are", () => {
    const desk = new Desk({ live: false, lead: 1000 });
    desk.write(999, (i) => i + 1);
    desk.play(128);
    desk.write(1, (i) => i + 1);
    desk.play(128, 4);
    expect(desk.heard.slice(128)).toEqual(Array.from({ length: 512 }, (_, i) => i + 1));
    expect(desk.ring.counters()).toMatchObject({ idle: 128, underrun: 0, latencyFrames: 1000 - 384 });
  });

  test("a sound shorter than `lead` is played when it has waited that long", () => {
    const desk = new Desk({ live: false, lead: 1000 });
    desk.write(50);
    desk.play(128, 8);
    expect(desk.played).toBe(0);
    desk.play(128);
    expect(desk.played).toBe(50);
    desk.check();
  });

  test("live: the block that comes next finds `lead` frames", () => {
    const desk = new Desk({ live: true, lead: 480, block: 960 });
    desk.play(128, 3);
    for (let block = 0; block < 20; block++) {
      desk.write(960);
      desk.play(120, 8);
      if (block > 0) expect(desk.ring.filled()).toBe(480);
    }
    expect(desk.ring.counters()).toMatchObject({ underrun: 0, skipped: 0 });
    desk.check();
  });

  test("live: what had gathered before the start is skipped unheard", () => {
    const desk = new Desk({ live: true, lead: 480, block: 960 });
    desk.write(10_000);
    desk.play(128);
    expect(desk.ring.counters()).toMatchObject({ skipped: 10_000 - 1440, filled: 1440 - 128 });
    desk.check();
  });
});

describe("underrun", () => {
  test.each([0, 1, 10, 63, 64, 65, 127])("%i frames left: faded out, counted, faded in again", (left) => {
    const desk = new Desk({ live: false, lead: 128 });
    desk.write(1280 + left);
    desk.play(128, 10);
    expect(desk.largestStep()).toBeLessThanOrEqual(STEEPEST + 1e-6);
    desk.play(128, 5);
    expect(desk.ring.counters()).toMatchObject({ underrun: 640 - left, read: 1280 + left });
    const end = 1280 + Math.max(0, left - FADE) + FADE;
    expect(desk.heard.slice(end)).toEqual(Array(128 * 15 - end).fill(0));
    desk.write(1000);
    desk.play(128, 7);
    desk.check();
    const from = 1280 + left + FADE; // after the fade-in, the samples as they are
    expect(desk.heard[128 * 15 + FADE]).toBeCloseTo(sine(from), 6);
  });

  test.each([1, 2, 3, 4, 5, 6])("any traffic, seed %i: every frame has one cause, nothing clicks", (seed) => {
    const next = random(seed);
    const live = seed % 2 === 0;
    const channels = 1 + (seed % 3);
    const desk = new Desk({ live, lead: 1 + ((next() * 2000) | 0), block: 960 }, { channels, capacity: 4096, start: seed % 2 ? 2 ** 32 - 9000 : 0 });
    for (let i = 0; i < 4000; i++) {
      const r = next();
      if (r < 0.3) desk.write(Math.min(desk.ring.room(), (next() * 700) | 0), (k) => sine(k) * 0.9);
      else if (r < 0.31) desk.ring.clear(next() < 0.5 ? 0 : Math.floor(next() * 3000));
      else if (r < 0.315) desk.player.clear();
      else if (r < 0.32) desk.ring.overrun(1 + ((next() * 100) | 0));
      desk.play(1 + ((next() * 200) | 0), 1, 1 + ((next() * 3) | 0));
    }
    desk.ring.end();
    for (let i = 0; i < 1000 && !desk.player.ended; i++) desk.play(128);
    expect(desk.player.ended).toBe(true);
    const { underrun, idle, skipped, cleared, written, read } = desk.ring.counters();
    expect(read).toBe(written);
    expect((read - (seed % 2 ? 2 ** 32 - 9000 : 0) + 2 ** 33) % 2 ** 32 - skipped - cleared + underrun + idle).toBe(desk.asked);
    if (!live) expect(skipped).toBe(0);
    expect(desk.largestStep()).toBeLessThanOrEqual(LARGEST_STEP + 1e-6);
  });
});

describe("too much", () => {
  test("live: half a second later the fill is back at `lead`, over a cross-fade", () => {
    const desk = new Desk({ live: true, lead: 480, block: 960 });
    const step = () => {
      desk.write(960);
      desk.play(120, 8);
    };
    for (let i = 0; i < 5; i++) step();
    desk.write(9600); // the worker was busy, and caught up
    for (let i = 0; i < 60; i++) step();
    const { skipped, filled, underrun } = desk.ring.counters();
    expect({ skipped, filled, underrun }).toEqual({ skipped: 9600, filled: 480, underrun: 0 });
    desk.check();
  });

  test("live: what is in front of an overrun is dropped, so that the writer can go on", () => {
    const desk = new Desk({ live: true, lead: 480, block: 960 }, { capacity: 8192 });
    desk.write(960);
    desk.play(128, 5);
    desk.write(9000);
    expect(desk.ring.room()).toBe(0);
    desk.play(128, 2);
    expect(desk.ring.counters()).toMatchObject({ filled: 0, skipped: 8192 - 128 });
    desk.write(960);
    desk.play(128, 8);
    expect(desk.ring.lost).toBe(0);
    expect(desk.ring.counters()).toMatchObject({ overrun: 9000 - (8192 - 960 + 128) });
    desk.check();
  });

  test.each([[200, 0], [900, 900]])("live: %i frames too many, of which %i are skipped: a quarter of a block is left alone", (surplus, skips) => {
    const desk = new Desk({ live: true, lead: 480, block: 960 });
    for (let i = 0; i < 200; i++) {
      desk.write(960 + (i === 20 ? surplus : 0));
      desk.play(120, 8);
    }
    expect(desk.ring.counters()).toMatchObject({ skipped: skips, filled: 480 + surplus - skips, underrun: 0 });
    desk.check();
  });

  test("live: where lowering the fill is followed by an underrun, it is lowered ever more rarely", () => {
    const desk = new Desk({ live: true, lead: 480, block: 960 });
    let skips = 0;
    let before = 0;
    for (let i = 0; i < 6000; i++) { // two minutes, in which one block a second comes a block late
      if (i % 50 !== 25) desk.write(i % 50 === 26 ? 1920 : 960);
      desk.play(120, 8);
      const { skipped } = desk.ring.counters();
      skips += skipped !== before ? 1 : 0;
      before = skipped;
    }
    expect(skips).toBeGreaterThan(0);
    expect(skips).toBeLessThan(12); // 120 if every one were answered by going back
    expect(desk.ring.counters().underrun).toBeLessThan(12 * 960);
    desk.check();
  });

  test("buffered: nothing is skipped, every sample comes out once, in order", () => {
    const desk = new Desk({ live: false, lead: 480 });
    let i = 0;
    while (i < 100_000) {
      const n = Math.min(desk.ring.room(), 3000);
      desk.write(n, (k) => k + 1);
      i += n;
      desk.play(128, 3);
    }
    desk.play(128, 128);
    const heard = desk.heard.filter((x) => x !== 0).slice(0, 100_000);
    expect(heard.every((x, k) => x === k + 1)).toBe(true);
    expect(desk.ring.counters()).toMatchObject({ skipped: 0, overrun: 0 });
  });
});

describe("interrupt", () => {
  test.each(["writer", "page"])("by the %s: silence after one fade, what was written later is played", (who) => {
    const desk = new Desk({ live: false, lead: 128 });
    desk.write(8000);
    desk.play(128, 4);
    if (who === "writer") desk.ring.clear();
    else desk.player.clear();
    const before = desk.heard.length;
    desk.play(32, 4);
    expect(desk.ring.counters()).toMatchObject({ filled: 0, cleared: 8000 - 512, underrun: 0, idle: 128 });
    expect(desk.heard[before + FADE - 2]).not.toBe(0);
    expect(desk.heard.slice(before + FADE)).toEqual(Array(128 - FADE).fill(0));
    desk.write(500);
    desk.play(128, 3);
    expect(desk.played).toBe(512 + 384);
    desk.check();
  });

  test("what is written after the interrupt and before the quantum stays", () => {
    const desk = new Desk({ live: false, lead: 128 });
    desk.write(2000);
    desk.play(128);
    desk.ring.clear();
    desk.write(300);
    desk.play(128);
    expect(desk.ring.counters()).toMatchObject({ cleared: 2000 - 128, filled: 300 - 128 });
    desk.check();
  });

  test("before the start nothing is heard of it", () => {
    const desk = new Desk({ live: false, lead: 1000 });
    desk.write(500);
    desk.play(128);
    desk.ring.clear();
    desk.play(128, 4);
    expect(desk.heard.every((x) => x === 0)).toBe(true);
    expect(desk.ring.counters()).toMatchObject({ cleared: 500, idle: 640 });
  });
});

describe("interrupt with a fade", () => {
  const raised = (n: number, i: number) => (1 + Math.cos((Math.PI * (i + 1)) / n)) / 2;

  test.each([128, 100])("what is left is played under a raised cosine, then there is silence (quantum of %i)", (quantum) => {
    const desk = new Desk({ live: false, lead: 128 });
    desk.write(8000);
    desk.play(quantum, 4);
    const from = desk.heard.length;
    desk.ring.clear(960);
    desk.play(quantum, 12);
    for (let i = 0; i < 960; i++) expect(desk.heard[from + i]).toBeCloseTo(sine(from + i) * raised(960, i), 6);
    expect(desk.heard.slice(from + 960).every((x) => x === 0)).toBe(true);
    expect(desk.largestStep()).toBeLessThanOrEqual(STEEPEST + 1e-6);
    expect(desk.ring.counters()).toMatchObject({ filled: 0, cleared: 8000 - from - 960, underrun: 0 });
    desk.check();
  });

  test("it is no longer than what is left, and of a few frames it is as without one", () => {
    const desk = new Desk({ live: false, lead: 128 });
    desk.write(512 + 300);
    desk.play(128, 4);
    desk.ring.clear(48_000);
    desk.play(128, 4);
    for (let i = 0; i < 300; i++) expect(desk.heard[512 + i]).toBeCloseTo(sine(512 + i) * raised(300, i), 6);
    expect(desk.ring.counters()).toMatchObject({ cleared: 0, read: 812, idle: 512 - 300 });
    desk.write(2000);
    desk.play(128, 4);
    desk.ring.clear(FADE);
    desk.play(128, 1);
    expect(desk.heard.slice(-128 + FADE)).toEqual(Array(128 - FADE).fill(0));
    desk.check();
  });

  test("what is written later is played after it, and nothing of what was there", () => {
    const desk = new Desk({ live: false, lead: 128 });
    desk.write(4000, () => 0.5);
    desk.play(128, 2);
    desk.ring.clear(512);
    desk.write(1000, () => -0.5);
    desk.play(128, 4);
    expect(desk.heard.slice(256).every((x) => x >= 0)).toBe(true);
    desk.play(128, 4);
    expect(desk.heard.slice(256 + 512 + FADE).every((x) => x === -0.5)).toBe(true);
    expect(desk.ring.counters()).toMatchObject({ cleared: 4000 - 256 - 512, underrun: 0, idle: 0 });
  });

  test("a second one lets it go on and takes what came since; without a fade it ends it", () => {
    const desk = new Desk({ live: false, lead: 128 });
    desk.write(4000);
    desk.play(128, 2);
    desk.ring.clear(1024);
    desk.play(128, 4);
    desk.write(1000);
    desk.ring.clear(1024);
    desk.play(128, 4);
    for (let i = 0; i < 1024; i++) expect(desk.heard[256 + i]).toBeCloseTo(sine(256 + i) * raised(1024, i), 6);
    expect(desk.ring.counters()).toMatchObject({ cleared: 5000 - 256 - 1024, filled: 0 });
    desk.write(4000);
    desk.play(128, 3);
    desk.ring.clear(1024);
    desk.play(128, 4);
    desk.ring.clear();
    desk.play(128);
    expect(desk.heard.slice(-128 + FADE)).toEqual(Array(128 - FADE).fill(0));
    expect(desk.largestStep()).toBeLessThanOrEqual(STEEPEST + 1 / FADE);
    desk.check();
  });

  test("it stops in front of a gap", () => {
    const desk = new Desk({ live: false, lead: 128 }, { capacity: 2048 });
    desk.write(2048);
    desk.write(100);
    desk.play(128, 12);
    desk.ring.clear(1024);
    desk.play(128, 8);
    for (let i = 0; i < 512; i++) expect(desk.heard[1536 + i]).toBeCloseTo(sine(1536 + i) * raised(512, i), 6);
    expect(desk.ring.counters()).toMatchObject({ cleared: 0, overrun: 100, filled: 0 });
    desk.check();
  });
});

test("end: all is played as it is, then a fade from the last sample, then ended", () => {
  const desk = new Desk({ live: false, lead: 1000 });
  desk.write(300, () => 0.5);
  desk.ring.end();
  desk.play(128, 2);
  expect(desk.player.ended).toBe(false);
  desk.play(128);
  expect(desk.player.ended).toBe(true);
  expect(desk.heard.slice(0, 300)).toEqual(Array(300).fill(0.5));
  expect(desk.ring.counters()).toMatchObject({ underrun: 0, idle: 84 });
  for (let i = 0; i < FADE; i++) expect(desk.heard[300 + i]).toBeCloseTo(0.5 * (1 - (i + 1) / FADE), 6);
});

test("channels: one goes to all, more are left out, missing ones are silent", () => {
  const stereo = new Desk({ live: false, lead: 1 }, { channels: 2 });
  stereo.ring.push([new Float32Array(256).fill(0.25), new Float32Array(256).fill(-0.25)], 256);
  expect(stereo.play(64, 1, 3).map((plane) => plane[63])).toEqual([0.25, -0.25, 0]);
  expect(stereo.play(64, 1, 1).map((plane) => plane[63])).toEqual([0.25]);
  const mono = new Desk({ live: false, lead: 1 });
  mono.write(256, () => 0.5);
  expect(mono.play(64, 1, 2).map((plane) => plane[63])).toEqual([0.5, 0.5]);
});

test("the delay from capture to play is the difference of the clocks, over a wrap and an underrun too", () => {
  const start = 2 ** 32 - 1000;
  const capture = Ring.create({ channels: 1, capacity: 8192, sampleRate: RATE, shared: false, start });
  const recorder = new Recorder(capture);
  const desk = new Desk({ live: true, lead: 480, block: 960 }, { clock: 5000, start });
  const ramp = (i: number) => Float32Array.from({ length: 128 }, (_, k) => (i + k) / 2 ** 20);
  const block = new Float32Array(960);
  for (let t = 0; t < 48_000; t += 128) {
    recorder.process([ramp(t)], 128, 5000 + t);
    if (capture.ready() >= 960 && (t < 20_000 || t > 24_000)) {
      capture.readInto(block, 960);
      desk.ring.pushFrom(block, 960, 1, true);
    }
    desk.play(128);
  }
  const delay = desk.ring.counters().readClock! - capture.counters().writeClock!;
  const heard = desk.heard.at(-1)!; // t/2^20: its sample was captured at context frame 5000 + t
  expect(delay).toBe(48_000 - 1 + (desk.heard.length - 48_000) - Math.round(heard * 2 ** 20));
  expect(desk.ring.counters().underrun).toBeGreaterThan(0);
});
