import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HEARTBEAT_MS } from "../src/protocol.ts";
import { Watchdog } from "../src/watchdog.ts";

const TIMEOUT = 1_000;
const SIGINT = 2;

beforeEach(() => void vi.useFakeTimers({ now: 1_790_000_000_123 }));
afterEach(() => void vi.useRealTimers());

/** A worker and its watchdog; `alive` says whether it answers. */
class Scene {
  alive = true;
  readonly told: string[] = [];
  readonly interrupt = new Uint8Array(new SharedArrayBuffer(1));
  readonly dog: Watchdog;

  constructor(shared: boolean, timeout = TIMEOUT) {
    this.dog = new Watchdog(shared, timeout, {
      ping: () => {
        this.told.push("ping");
        if (this.alive) this.dog.pong();
      },
      onHung: (message) => this.told.push(`hung: ${message}`),
      onDead: (message) => this.told.push(`dead: ${message}`),
    });
    if (!shared) return;
    this.dog.interrupt = this.interrupt;
    setInterval(() => this.beat(), HEARTBEAT_MS);
    this.beat();
  }

  beat(): void {
    if (this.alive) Atomics.store(new Int32Array(this.dog.status!), 0, Date.now() | 0);
  }

  /** Events of one kind. */
  of(kind: string): string[] {
    return this.told.filter((each) => each.startsWith(kind));
  }
}

/** The clock goes on, and nothing runs: the machine sleeps. */
const sleep = (ms: number): void => void vi.setSystemTime(Date.now() + ms);

describe("with shared memory", () => {
  test("a worker that beats is left alone", () => {
    const scene = new Scene(true);
    scene.dog.start();
    vi.advanceTimersByTime(60_000);
    expect(scene.told).toEqual([]);
    expect(scene.interrupt[0]).toBe(0);
  });

  test("a call below the limit is left alone", () => {
    const scene = new Scene(true);
    scene.dog.start();
    vi.advanceTimersByTime(500);
    scene.alive = false;
    vi.advanceTimersByTime(TIMEOUT - 2 * HEARTBEAT_MS);
    scene.alive = true;
    vi.advanceTimersByTime(5_000);
    expect(scene.told).toEqual([]);
  });

  test("a hung call is cut off by a signal, told once, and the worker lives", () => {
    const scene = new Scene(true);
    scene.dog.start();
    vi.advanceTimersByTime(2_000);
    scene.alive = false;
    vi.advanceTimersByTime(TIMEOUT + 2 * HEARTBEAT_MS);
    expect(scene.interrupt[0]).toBe(SIGINT);
    expect(scene.told).toEqual([expect.stringMatching(/^hung: .*has not returned for 10\d\d ms/)]);
    scene.alive = true;
    scene.interrupt[0] = 0;
    vi.advanceTimersByTime(10_000);
    expect(scene.told).toHaveLength(1);
    expect(scene.interrupt[0]).toBe(0);
    scene.alive = false; // a second time is told again
    vi.advanceTimersByTime(TIMEOUT + 2 * HEARTBEAT_MS);
    expect(scene.of("hung")).toHaveLength(2);
    expect(scene.of("dead")).toEqual([]);
  });

  test("a call that no signal reaches is dead, once", () => {
    const scene = new Scene(true);
    scene.dog.start();
    vi.advanceTimersByTime(2_000);
    scene.alive = false;
    vi.advanceTimersByTime(10_000);
    expect(scene.of("hung")).toHaveLength(1);
    expect(scene.of("dead")).toEqual([expect.stringMatching(/did not return for 1[0-3]\d\d ms, and could not be cut off/)]);
    vi.advanceTimersByTime(10_000);
    expect(scene.told).toHaveLength(2);
  });

  test("without an interrupt buffer it is dead at once", () => {
    const scene = new Scene(true);
    scene.dog.interrupt = null;
    scene.dog.start();
    scene.alive = false;
    vi.advanceTimersByTime(2_000);
    expect(scene.told).toEqual([expect.stringMatching(/^dead/)]);
  });

  test("after a sleep of the machine the worker gets its full time", () => {
    const scene = new Scene(true);
    scene.dog.start();
    vi.advanceTimersByTime(2_000);
    scene.alive = false; // slow to wake up
    sleep(3_600_000);
    vi.advanceTimersByTime(TIMEOUT - 2 * HEARTBEAT_MS);
    scene.alive = true;
    vi.advanceTimersByTime(2_000);
    expect(scene.told).toEqual([]);
    scene.alive = false; // and is still watched
    vi.advanceTimersByTime(2_000);
    expect(scene.of("dead")).toHaveLength(1);
  });

  test("counts right when the clock's 32 bits wrap", () => {
    vi.setSystemTime(Math.ceil(Date.now() / 2 ** 32) * 2 ** 32 + 2 ** 31 - 300);
    const scene = new Scene(true);
    scene.dog.start();
    vi.advanceTimersByTime(600);
    expect(Date.now() | 0).toBeLessThan(0);
    expect(scene.told).toEqual([]);
    scene.alive = false;
    vi.advanceTimersByTime(2_000);
    expect(scene.of("dead")).toHaveLength(1);
  });
});

describe("without shared memory", () => {
  test("it asks, and an answer is enough", () => {
    const scene = new Scene(false);
    expect(scene.dog.status).toBeNull();
    scene.dog.start();
    vi.advanceTimersByTime(TIMEOUT * 5);
    expect(scene.told).toEqual(Array(20).fill("ping"));
  });

  test("no answer within the limit is the end", () => {
    const scene = new Scene(false);
    scene.dog.start();
    vi.advanceTimersByTime(TIMEOUT);
    scene.alive = false;
    vi.advanceTimersByTime(TIMEOUT * 2);
    expect(scene.told.at(-1)).toMatch(/^dead: a call did not return for 1\d\d\d ms/);
    expect(scene.of("hung")).toEqual([]);
    const { length } = scene.told;
    vi.advanceTimersByTime(TIMEOUT * 5);
    expect(scene.told).toHaveLength(length);
  });

  test("after a sleep it asks again before it judges", () => {
    const scene = new Scene(false);
    scene.dog.start();
    vi.advanceTimersByTime(TIMEOUT);
    sleep(3_600_000);
    vi.advanceTimersByTime(TIMEOUT * 5);
    expect(scene.of("dead")).toEqual([]);
  });
});

test("stopped, or with no limit, it looks at nothing; started again, it begins anew", () => {
  const scene = new Scene(true);
  scene.alive = false;
  scene.dog.start();
  scene.dog.start();
  scene.dog.stop();
  vi.advanceTimersByTime(60_000);
  expect(scene.told).toEqual([]);
  const endless = new Scene(true, Infinity);
  endless.alive = false;
  endless.dog.start();
  vi.advanceTimersByTime(600_000);
  expect(endless.told).toEqual([]);
  scene.dog.start();
  vi.advanceTimersByTime(TIMEOUT - HEARTBEAT_MS);
  expect(scene.told).toEqual([]);
  vi.advanceTimersByTime(TIMEOUT);
  expect(scene.of("dead")).toHaveLength(1);
});
