import { expect, test } from "vitest";
import { AsyncQueue } from "../src/queue.ts";

const END = { value: undefined, done: true };

function filled<T>(...items: T[]): AsyncQueue<T> {
  const queue = new AsyncQueue<T>();
  for (const item of items) queue.push(item);
  return queue;
}

test("gives in order what is there, and then what comes", async () => {
  const queue = filled(1, 2);
  const reader = queue.iterate();
  expect(queue.length).toBe(2);
  expect([await reader.next(), await reader.next()]).toEqual([{ value: 1, done: false }, { value: 2, done: false }]);
  const later = reader.next();
  queue.push(3);
  expect(await later).toEqual({ value: 3, done: false });
  expect(queue.length).toBe(0);
});

test("gives each item once, to the readers by turns", async () => {
  const queue = new AsyncQueue<number>();
  const [a, b] = [queue.iterate(), queue.iterate()];
  const asked = [a.next(), b.next(), a.next()];
  for (const item of [1, 2, 3]) queue.push(item);
  expect((await Promise.all(asked)).map(({ value }) => value as number)).toEqual([1, 2, 3]);
});

test("ends when what is there has been read", async () => {
  const queue = filled("last");
  queue.end();
  const read: string[] = [];
  for await (const item of queue.iterate()) read.push(item);
  expect(read).toEqual(["last"]);
  expect(await queue.iterate().next()).toEqual(END);
});

test("ends all who wait; one of them gets the error", async () => {
  const queue = new AsyncQueue<number>();
  const waiting = [queue.iterate().next(), queue.iterate().next()];
  queue.end(new Error("broken"));
  queue.end(new Error("too late"));
  const results = await Promise.allSettled(waiting);
  expect(results[0]).toMatchObject({ status: "rejected", reason: { message: "broken" } });
  expect(results[1]).toMatchObject({ status: "fulfilled", value: END });
});

test("keeps an error for who comes later", async () => {
  const queue = filled(1);
  queue.end(new Error("broken"));
  const reader = queue.iterate();
  expect(await reader.next()).toEqual({ value: 1, done: false });
  await expect(reader.next()).rejects.toThrow("broken");
  expect(await reader.next()).toEqual(END);
});

test("a reader that leaves takes nothing from the others", async () => {
  const queue = new AsyncQueue<string>();
  const [gone, stays] = [queue.iterate(), queue.iterate()];
  const abandoned = gone.next();
  const wanted = stays.next();
  expect(await gone.return()).toEqual(END);
  expect(await abandoned).toEqual(END);
  queue.push("x");
  expect(await wanted).toEqual({ value: "x", done: false });
  queue.push("y");
  expect(await gone.next()).toEqual(END);
  expect(queue.length).toBe(1);
});

test("a loop that breaks leaves the rest", async () => {
  const queue = filled(1, 2, 3);
  for await (const item of queue.iterate()) if (item === 2) break;
  expect(queue.length).toBe(1);
});

test("drops what is not wanted, and the oldest", () => {
  const queue = filled(1, 2, 3, 4);
  expect(queue.filter((item) => item % 2 === 0)).toBe(2);
  expect(queue.shift()).toBe(2);
  expect(queue.length).toBe(1);
});

test("starts anew: empty, without the error, and with who already waits", async () => {
  const queue = filled(1);
  queue.end(new Error("of before"));
  queue.reopen();
  const waiting = queue.iterate().next();
  queue.reopen();
  queue.push(2);
  expect(await waiting).toEqual({ value: 2, done: false });
});
