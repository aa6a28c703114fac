import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { download, fetchAsset } from "../src/assets.ts";
import { RemoteMediaError } from "../src/errors.ts";
import { closeAll, serve } from "./server.ts";

const CONTENT = Buffer.from("PK\x03\x04 a wheel ".repeat(500), "latin1");
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

/** Cache Storage with one cache, in memory. */
class Caches {
  readonly entries = new Map<string, Response>();
  fail: "" | "open" | "match" | "put" | "delete" = "";

  open(name: string): Promise<Pick<Cache, "match" | "put" | "delete">> {
    expect(name).toBe("remotemedia-assets");
    const may = async (what: string): Promise<void> => {
      if (this.fail === what) throw new DOMException(`${what} is not possible`, "QuotaExceededError");
    };
    const cache: Pick<Cache, "match" | "put" | "delete"> = {
      match: (key) => may("match").then(() => this.entries.get(key as string)?.clone()),
      put: (key, answer) => may("put").then(() => void this.entries.set(key as string, answer)),
      delete: (key) => may("delete").then(() => this.entries.delete(key as string)),
    };
    return may("open").then(() => cache);
  }
}

let caches: Caches;
let asked: string[];
beforeEach(() => {
  caches = new Caches();
  asked = [];
  vi.stubGlobal("caches", caches);
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await closeAll();
});

/** An asset on a server that answers so. */
async function asset(answer: (to: ServerResponse) => void, path = "/w.whl.xz"): Promise<Parameters<typeof fetchAsset>[0]> {
  const address = await serve((request, to) => {
    asked.push(request.url ?? "");
    answer(to);
  });
  return { name: "w", url: address + path, sha256: SHA256, size: CONTENT.length };
}

const sends = (body: Buffer, headers: Record<string, string> = { "Content-Type": "application/x-xz" }) => (to: ServerResponse) =>
  void to.writeHead(200, headers).end(body);

async function failure(loading: Promise<unknown>): Promise<RemoteMediaError> {
  const error: unknown = await loading.then(() => "nothing was wrong", (error: unknown) => error);
  expect(error).toBeInstanceOf(RemoteMediaError);
  expect((error as RemoteMediaError).code).toBe("load");
  return error as RemoteMediaError;
}

describe("a body", () => {
  test("as it is on the server", async () => {
    expect(Buffer.from(await fetchAsset(await asset(sends(CONTENT)))).equals(CONTENT)).toBe(true);
  });

  test("that the server has compressed once more, by Content-Encoding", async () => {
    const encoded = await asset(sends(gzipSync(CONTENT), { "Content-Encoding": "gzip" }));
    expect(Buffer.from(await fetchAsset(encoded)).equals(CONTENT)).toBe(true);
  });

  test("of another version says so, with both hashes", async () => {
    const other = Buffer.from("another wheel");
    const wrong = await asset(sends(other));
    const { message } = await failure(fetchAsset(wrong));
    expect(message).toContain(`${wrong.url} is corrupted or of another version`);
    expect(message).toContain(createHash("sha256").update(other).digest("hex"));
    expect(message).toContain(SHA256);
    expect(caches.entries.size).toBe(0);
  });

  test("that is cut or damaged", async () => {
    const damaged = Buffer.from(CONTENT);
    damaged[30]! ^= 0xff;
    for (const body of [CONTENT.subarray(0, CONTENT.length - 20), damaged]) {
      expect((await failure(fetchAsset(await asset(sends(body))))).message).toMatch(/is corrupted/);
    }
  });

  test("that is empty", async () => {
    expect((await failure(fetchAsset(await asset(sends(Buffer.alloc(0)))))).message).toMatch(/is corrupted/);
  });

  test("that breaks off", async () => {
    const broken = await asset((to) => {
      to.writeHead(200, { "Content-Length": "100000" });
      to.write(CONTENT, () => to.destroy());
    });
    const { message, cause } = await failure(fetchAsset(broken));
    expect(message).toMatch(/w\.whl\.xz: the download broke off \(.*\): try again/);
    expect(cause).toBeInstanceOf(Error);
  });
});

describe("an answer", () => {
  test("404 names the address and the options", async () => {
    const gone = await asset((to) => void to.writeHead(404).end("gone"));
    const { message } = await failure(fetchAsset(gone));
    expect(message).toBe(`${gone.url}: HTTP 404 Not Found: is baseUrl or pyodideUrl the folder of that file?`);
  });

  test("without a reason phrase, as of HTTP/2", async () => {
    const gone = await asset((to) => void to.writeHead(503, "").end());
    expect((await failure(download(gone.url))).message).toContain(": HTTP 503: is baseUrl");
  });

  test("that is an HTML page, as single-page hosts send for anything", async () => {
    const page = await asset(sends(Buffer.from("<!doctype html>"), { "Content-Type": "text/html; charset=utf-8" }));
    expect((await failure(fetchAsset(page))).message).toMatch(/answers with an HTML page instead of the file: is baseUrl/);
  });

  test("that never comes", async () => {
    const away = await asset(sends(CONTENT));
    await closeAll();
    const { message, cause } = await failure(fetchAsset(away));
    expect(message).toMatch(/cannot be fetched \(.*\): the server is not reachable, or refuses other origins \(CORS\), or .*connect-src/);
    expect(cause).toBeInstanceOf(TypeError);
  });
});

describe("the cache", () => {
  test("has it the second time", async () => {
    const wheel = await asset(sends(CONTENT));
    await fetchAsset(wheel);
    expect(Buffer.from(await fetchAsset(wheel)).equals(CONTENT)).toBe(true);
    expect(asked).toEqual(["/w.whl.xz"]);
    expect([...caches.entries.keys()]).toEqual([`${wheel.url}?sha256=${SHA256}`]);
  });

  test("keeps versions apart, and addresses with a query", async () => {
    const wheel = await asset(sends(CONTENT), "/w.whl.xz?token=1");
    await fetchAsset(wheel);
    expect([...caches.entries.keys()]).toEqual([`${wheel.url}&sha256=${SHA256}`]);
    expect(asked).toEqual(["/w.whl.xz?token=1"]);
  });

  test.each([
    ["wrong", () => new Response("rubbish")],
    ["unreadable", () => new Response(new ReadableStream({ start: (to) => to.error(new TypeError("cannot be read")) }))],
  ])("an entry that is %s is fetched again and replaced", async (_, entry) => {
    const wheel = await asset(sends(CONTENT));
    const key = `${wheel.url}?sha256=${SHA256}`;
    caches.entries.set(key, entry());
    expect(Buffer.from(await fetchAsset(wheel)).equals(CONTENT)).toBe(true);
    expect(asked).toHaveLength(1);
    expect(Buffer.from(await caches.entries.get(key)!.arrayBuffer()).equals(CONTENT)).toBe(true);
  });

  test.each(["open", "match", "put", "delete"] as const)("that fails to %s is done without", async (what) => {
    const wheel = await asset(sends(CONTENT));
    if (what === "delete") caches.entries.set(`${wheel.url}?sha256=${SHA256}`, new Response("rubbish"));
    caches.fail = what;
    expect(Buffer.from(await fetchAsset(wheel)).equals(CONTENT)).toBe(true);
    expect(asked).toHaveLength(1);
  });

  test("that does not exist is done without", async () => {
    vi.stubGlobal("caches", undefined);
    const wheel = await asset(sends(CONTENT));
    await fetchAsset(wheel);
    await fetchAsset(wheel);
    expect(asked).toHaveLength(2);
  });
});

test("a page that is no secure context is told what to do, before anything is fetched", async () => {
  const wheel = await asset(sends(CONTENT));
  vi.stubGlobal("crypto", {});
  expect((await failure(fetchAsset(wheel))).message).toMatch(/no secure context.*https, or from localhost/);
  expect(asked).toEqual([]);
});

test("a download tells how far it is, and brings all of it", async () => {
  const content = Buffer.alloc(3_000_000, 7);
  const address = await serve((_, to) => void to.writeHead(200, { "Content-Type": "application/octet-stream" }).end(content));
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => (now += 1_000)); // it tells a few times a second
  const told: number[] = [];
  const bytes = await download(address, "modelsUrl", { arrived: (count) => told.push(count) });
  clock.mockRestore();
  expect(Buffer.from(bytes).equals(content)).toBe(true);
  expect(told.at(-1)).toBe(content.length);
  expect(told).toEqual([...new Set(told)].sort((one, other) => one - other));
});
