import { describe, expect, test } from "vitest";
import { text } from "../src/data.ts";
import { Outputs } from "../src/outputs.ts";
import { encode } from "../src/wire/index.ts";

const WINDOW = 256;

/** The worker's end, as `Outbox` counts: a credit for each packet, none once nobody reads. */
class Worker {
  readonly outputs: Outputs;
  readonly allowed: number[] = [];
  credit = 0;
  reading = false;
  #sent = 0;

  constructor() {
    this.outputs = new Outputs((packets) => {
      this.allowed.push(packets);
      this.reading = packets > 0;
      this.credit = this.reading ? this.credit + packets : 0;
    });
  }

  /** Send packets that are numbered through, as far as the credit goes; how many went. */
  send(count: number, generation = 0): number {
    const going = Math.min(count, this.credit);
    for (let n = 0; n < going; n++) this.push(generation);
    this.credit -= going;
    return going;
  }

  /** A packet, allowed or already on its way. */
  push(generation = 0): void {
    const sequence = this.#sent++;
    const place = { node: "n", port: "out", sequence, subSequence: 0, generation, timestampUs: 0 };
    this.outputs.push(encode({ data: text(String(sequence)), ...place }));
  }
}

async function read(packets: AsyncIterator<{ sequence: number | bigint }>, count: number): Promise<number[]> {
  const got: number[] = [];
  while (got.length < count) {
    const { value, done } = await packets.next();
    if (done === true) break;
    got.push(Number(value.sequence));
  }
  return got;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("credits", () => {
  test("nothing is allowed before somebody reads", () => {
    const worker = new Worker();
    worker.outputs.open();
    expect(worker.allowed).toEqual([]);
    worker.outputs.read();
    expect(worker.allowed).toEqual([WINDOW]);
  });

  test("more is allowed when half of them were read", async () => {
    const worker = new Worker();
    const packets = worker.outputs.read();
    expect(worker.send(1_000)).toBe(WINDOW);
    expect(await read(packets, WINDOW / 2 - 1)).toEqual(upTo(WINDOW / 2 - 1));
    expect(worker.allowed).toEqual([WINDOW]);
    await read(packets, 1);
    expect(worker.allowed).toEqual([WINDOW, WINDOW / 2]);
  });

  test("packets are decoded, in order, and never more than the window wait", async () => {
    const worker = new Worker();
    const packets = worker.outputs.read();
    let [sent, got] = [0, 0];
    while (got < 2_000) {
      sent += worker.send(1_000);
      expect(sent - got).toBeLessThanOrEqual(WINDOW);
      expect(await read(packets, 100)).toEqual(upTo(100).map((n) => n + got));
      got += 100;
    }
  });

  test("two readers share one window, and each packet is given once", async () => {
    const worker = new Worker();
    const [a, b] = [worker.outputs.read(), worker.outputs.read()];
    expect(worker.credit).toBe(WINDOW);
    worker.send(4);
    expect([...(await read(a, 2)), ...(await read(b, 2))]).toEqual([0, 1, 2, 3]);
    await a.return?.();
    expect(worker.reading).toBe(true);
    await b.return?.();
    expect(worker.reading).toBe(false);
  });
});

describe("a reader that leaves", () => {
  test("tells the worker so; the next one goes on with what is left", async () => {
    const worker = new Worker();
    const first = worker.outputs.read();
    worker.send(3);
    await read(first, 1);
    await first.return?.();
    expect(worker.allowed.at(-1)).toBe(0);
    const second = worker.outputs.read();
    expect(await read(second, 2)).toEqual([1, 2]);
    expect(await first.next()).toEqual({ value: undefined, done: true });
  });

  test("however often, no more than the window and what was on its way piles up", async () => {
    const worker = new Worker();
    let [sent, got] = [0, 0];
    for (let n = 0; n < 50; n++) {
      const packets = worker.outputs.read();
      expect(worker.reading).toBe(true);
      sent += worker.send(1_000);
      got += (await read(packets, 1)).length;
      await packets.return?.();
      if (n === 0) worker.push(); // that one had been sent before the worker heard of it
    }
    expect(sent - got).toBeLessThanOrEqual(WINDOW + 1);
  });

  test("while it waits takes nothing from others", async () => {
    const worker = new Worker();
    const [gone, stays] = [worker.outputs.read(), worker.outputs.read()];
    const abandoned = gone.next();
    await gone.return?.();
    expect(await abandoned).toEqual({ value: undefined, done: true });
    worker.send(1);
    expect(await read(stays, 1)).toEqual([0]);
  });
});

describe("an interrupt", () => {
  test("drops what is older, and allows as many instead", async () => {
    const worker = new Worker();
    const packets = worker.outputs.read();
    worker.send(WINDOW - 2);
    worker.send(2, 1);
    worker.outputs.drop(1, ["n"]);
    expect(worker.allowed).toEqual([WINDOW, WINDOW - 2]);
    expect(await read(packets, 2)).toEqual([WINDOW - 2, WINDOW - 1]);
  });

  test("of some nodes leaves what others gave out", async () => {
    const worker = new Worker();
    const packets = worker.outputs.read();
    worker.send(3);
    worker.outputs.drop(1, ["another"]);
    expect(await read(packets, 3)).toEqual([0, 1, 2]);
  });

  test("while nobody reads does not let the next reader be flooded", async () => {
    const worker = new Worker();
    const packets = worker.outputs.read();
    worker.send(200);
    await packets.return?.();
    worker.outputs.drop(1, ["n"]);
    worker.outputs.read();
    expect(worker.allowed.at(-1)).toBe(WINDOW);
  });
});

describe("lives", () => {
  test("a session that ends, ends the readers; one that broke, with its error", async () => {
    const worker = new Worker();
    worker.outputs.open();
    const packets = worker.outputs.read();
    worker.send(1);
    worker.outputs.end(new Error("broken"));
    expect(await read(packets, 1)).toEqual([0]);
    await expect(packets.next()).rejects.toThrow("broken");
    expect(await packets.next()).toEqual({ value: undefined, done: true });
  });

  test("the next session begins empty, and readers of the last one stay ended", async () => {
    const worker = new Worker();
    const old = worker.outputs.read();
    worker.send(2);
    worker.outputs.end();
    expect(await read(old, 5)).toEqual([0, 1]);
    worker.push();
    worker.outputs.open();
    const fresh = worker.outputs.read();
    worker.send(1);
    expect(await read(fresh, 1)).toEqual([3]);
    expect(await old.next()).toEqual({ value: undefined, done: true });
  });

  test("a worker that takes another's place is allowed anew", async () => {
    const worker = new Worker();
    const packets = worker.outputs.read();
    worker.send(10);
    worker.credit = 0;
    worker.outputs.begin();
    expect(worker.credit).toBe(WINDOW - 10);
    worker.send(1);
    expect(await read(packets, 11)).toEqual(upTo(11));
  });

  test("a frame that is broken is told, and ends that reader", async () => {
    const worker = new Worker();
    const packets = worker.outputs.read();
    worker.outputs.push(Uint8Array.of(1, 2, 3));
    await expect(packets.next()).rejects.toThrow(/frame|bytes|wire/i);
    expect(worker.reading).toBe(false);
  });
});
