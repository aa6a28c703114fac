import { expect, test } from "vitest";
import { Turns } from "../src/turns.ts";

const later = () => new Promise((resolve) => setImmediate(resolve));

test("what comes first is begun at once, the rest in order, one after the other", async () => {
  const turns = new Turns();
  const told: string[] = [];
  turns.take(() => told.push("a"));
  expect(told).toEqual(["a"]);
  turns.take(() => told.push("b"));
  const third = turns.run(async () => {
    told.push("c");
    await later();
    told.push("c is over");
    return 3;
  });
  turns.take(() => told.push("d"));
  expect(told).toEqual(["a"]);
  turns.leave();
  expect(told).toEqual(["a", "b"]);
  turns.leave();
  expect(await third).toBe(3);
  await later();
  expect(told).toEqual(["a", "b", "c", "c is over", "d"]);
  turns.leave();
  turns.take(() => told.push("e"));
  expect(told.at(-1)).toBe("e");
});

test("one that fails ends its turn", async () => {
  const turns = new Turns();
  const failed = turns.run(() => Promise.reject(new Error("no")));
  const next = turns.run(() => Promise.resolve("yes"));
  await expect(failed).rejects.toThrow("no");
  expect(await next).toBe("yes");
});
