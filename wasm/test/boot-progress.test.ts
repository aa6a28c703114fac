import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BootProgress } from "../src/boot-progress.ts";
import type { Progress } from "../src/types.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const step = (phase: Progress["phase"], fraction: number): Progress => ({
  phase, message: phase, loadedBytes: 7, totalBytes: 9, fraction,
});

test("it tells at once, and four times a second while the worker is silent", () => {
  const told: Progress[] = [];
  const progress = new BootProgress((one) => told.push(one));
  expect(told).toHaveLength(1);
  progress.take(step("download", 0.4));
  vi.advanceTimersByTime(10_000);
  expect(told).toHaveLength(2 + 40);
  const fractions = told.map(({ fraction }) => fraction);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBeLessThan(0.95);
  expect(told.at(-1)).toMatchObject({ phase: "download", loadedBytes: 7, totalBytes: 9 });
  progress.end();
});

test("the fraction never falls, whatever the worker tells", () => {
  const told: Progress[] = [];
  const progress = new BootProgress((one) => told.push(one));
  progress.take(step("python", 0.7));
  vi.advanceTimersByTime(2_000);
  progress.take(step("packages", 0.7));
  progress.say("ready", "ready", 1);
  const fractions = told.map(({ fraction }) => fraction);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(told.at(-1)).toMatchObject({ phase: "ready", fraction: 1, loadedBytes: 7 });
  progress.end();
});

test("nothing is told after the end, and to nobody no timer runs", () => {
  const told: Progress[] = [];
  new BootProgress((one) => told.push(one)).end();
  const silent = new BootProgress(undefined);
  silent.take(step("python", 0.5));
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(5_000);
  expect(told).toHaveLength(1);
});
