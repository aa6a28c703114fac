import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

// -- the service worker, in a world of its own ---------------------------------------------------------

const ORIGIN = "https://page.example";

/** Cache Storage, in memory; answers can be read again and again. */
class Caches {
  readonly all = new Map<string, Map<string, Response>>();
  written = 0;
  async open(name: string) {
    const entries = this.all.get(name) ?? new Map<string, Response>();
    this.all.set(name, entries);
    const urlOf = (key: RequestInfo) => (typeof key === "string" ? key : key.url);
    return {
      match: async (key: RequestInfo) => entries.get(urlOf(key))?.clone(),
      put: async (key: RequestInfo, answer: Response) => {
        this.written += 1;
        entries.set(urlOf(key), answer.clone());
      },
    };
  }
  async delete(name: string) {
    return this.all.delete(name);
  }
  get kept(): string[] {
    return [...(this.all.get("remotemedia-offline")?.keys() ?? [])].map((url) => url.replace(ORIGIN, ""));
  }
}

type Listener = (event: Record<string, unknown>) => void;
const listeners = new Map<string, Listener>();
const unregister = vi.fn(async () => true);
let caches: Caches;
let server: (url: string, method: string) => Response | null; // null: not reachable

async function install(query = "?offline"): Promise<void> {
  vi.resetModules();
  listeners.clear();
  vi.stubGlobal("caches", (caches = new Caches()));
  vi.stubGlobal("location", new URL(`${ORIGIN}/service-worker.js${query}`));
  vi.stubGlobal("registration", { unregister });
  vi.stubGlobal("addEventListener", (type: string, listener: Listener) => listeners.set(type, listener));
  vi.stubGlobal("fetch", async (asked: Request | string, init?: RequestInit) => {
    const [url, method] = typeof asked === "string" ? [asked, init?.method ?? "GET"] : [asked.url, asked.method];
    const answer = server(url.replace(ORIGIN, ""), method);
    if (answer === null) throw new TypeError("Failed to fetch");
    return answer;
  });
  await import("../src/service-worker.ts");
}

interface Asked {
  mode?: string;
  method?: string;
  destination?: string;
  cache?: string;
  headers?: Record<string, string>;
}

/** What a page gets; undefined: the worker leaves it to the browser. */
async function ask(path: string, { mode = "cors", method = "GET", destination = "", cache = "default", headers = {} }: Asked = {}): Promise<Response | undefined> {
  const url = new URL(path, ORIGIN).href;
  const request = { url, mode, method, destination, cache, headers: new Headers(headers) };
  let answer: Promise<Response> | undefined;
  const waited: Promise<unknown>[] = [];
  listeners.get("fetch")?.({
    request,
    respondWith: (given: Promise<Response>) => (answer = given),
    waitUntil: (done: Promise<unknown>) => waited.push(done),
  });
  const given = await answer;
  await Promise.all(waited);
  return given;
}

const visit = (path = "/") => ask(path, { mode: "navigate", destination: "document" });
const online = (url: string, method: string): Response => new Response(method === "HEAD" ? null : `content of ${url}`);
const away = (): null => null;

beforeEach(() => {
  unregister.mockClear();
  server = online;
});
afterEach(() => vi.unstubAllGlobals());

describe("with ?offline", () => {
  test("what was got comes again when the server is away; what was not fails", async () => {
    await install();
    await ask("/a.wasm");
    server = away;
    expect(await (await ask("/a.wasm"))?.text()).toBe("content of /a.wasm");
    await expect(ask("/b.wasm")).rejects.toThrow("Failed to fetch");
  });

  test("the server goes first", async () => {
    await install();
    await ask("/a.json");
    server = () => new Response("newer");
    expect(await (await ask("/a.json"))?.text()).toBe("newer");
    server = away;
    expect(await (await ask("/a.json"))?.text()).toBe("newer");
  });

  test("what has not changed is not written again", async () => {
    await install();
    for (const header of ["ETag", "Last-Modified"]) {
      for (const version of ["1", "1", "2"]) {
        server = () => new Response(`version ${version}`, { headers: { [header]: version } });
        expect(await (await ask(`/${header}`))?.text()).toBe(`version ${version}`);
      }
    }
    expect(caches.written).toBe(4);
    server = away;
    expect(await (await ask("/ETag"))?.text()).toBe("version 2");
  });

  test("a page is one, whatever its query, and isolated from the cache, too", async () => {
    await install();
    await visit("/?example=a");
    server = away;
    const page = await visit("/?example=b");
    expect(await page?.text()).toBe("content of /?example=a");
    expect(page?.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
  });

  test("HEAD is answered by what HEAD or GET gave", async () => {
    await install();
    await ask("/asked.wav", { method: "HEAD" });
    await ask("/got.mjs");
    server = away;
    for (const path of ["/asked.wav", "/got.mjs"]) {
      const answer = await ask(path, { method: "HEAD" });
      expect([answer?.status, await answer?.text()]).toEqual([200, ""]);
    }
    await expect(ask("/asked.wav")).rejects.toThrow("Failed to fetch"); // its content was never here
  });

  test.each<[string, string, Asked, () => Response]>([
    ["not there", "/a", {}, () => new Response("", { status: 404 })],
    ["a part", "/a", { headers: { range: "bytes=0-1" } }, () => new Response("ab")],
    ["kept by who asks", "/a", { cache: "no-store" }, () => new Response("ab")],
    ["sent", "/a", { method: "POST" }, () => new Response("ab")],
    ["another origin", "https://other.example/a", {}, () => new Response("ab")],
  ])("not kept: %s", async (_, path, asked, answer) => {
    await install();
    server = answer;
    await ask(path, asked);
    expect(caches.kept).toEqual([]);
  });

  test("with another version of the page goes all of the old one, before anything of the new comes", async () => {
    await install();
    await visit();
    await ask("/assets/old.js");
    await visit();
    expect(caches.kept).toEqual(["/", "/assets/old.js"]);
    server = () => new Response("another page");
    await visit();
    expect(caches.kept).toEqual(["/"]);
    server = away;
    expect(await (await visit())?.text()).toBe("another page");
  });

  test("it leaves when the server has no such worker any more, and only then", async () => {
    await install();
    for (const status of [200, 500]) {
      server = (url, method) => (url.startsWith("/service-worker.js") ? new Response(null, { status }) : online(url, method));
      await visit();
    }
    expect(unregister).not.toHaveBeenCalled();
    expect(caches.kept).toEqual(["/"]);
    server = (url, method) => (url.startsWith("/service-worker.js") ? new Response(null, { status: 404 }) : online(url, method));
    await visit();
    expect(unregister).toHaveBeenCalledTimes(1);
    expect(caches.kept).toEqual([]);
  });
});

test("without ?offline it keeps nothing, and has a part in pages and workers only", async () => {
  await install("");
  expect(await ask("/a.wasm")).toBeUndefined();
  expect((await visit())?.headers.get("cross-origin-opener-policy")).toBe("same-origin");
  expect(await ask("/w.js", { destination: "worker" })).toBeDefined();
  expect(caches.kept).toEqual([]);
});

// -- the page -----------------------------------------------------------------------------------------

class Container extends EventTarget {
  listened = false;
  constructor(
    public controller: object | null,
    readonly register: () => Promise<unknown>,
  ) {
    super();
  }
  rule(): void {
    this.controller = {};
    this.dispatchEvent(new Event("controllerchange"));
  }
  override addEventListener(...given: Parameters<EventTarget["addEventListener"]>): void {
    super.addEventListener(...given);
    this.listened = true;
  }
}

describe("keepOffline", () => {
  const got: string[] = [];

  async function page({ controlled = false, register = async () => {} }: { controlled?: boolean; register?: () => Promise<unknown> } = {}) {
    vi.resetModules();
    got.length = 0;
    const container = new Container(controlled ? {} : null, vi.fn(register));
    vi.stubGlobal("isSecureContext", true);
    vi.stubGlobal("navigator", { serviceWorker: container });
    vi.stubGlobal("caches", (caches = new Caches()));
    vi.stubGlobal("location", new URL(`${ORIGIN}/demo/?example=a#b`));
    vi.spyOn(performance, "getEntriesByType").mockReturnValue(
      [`${ORIGIN}/demo/app.js`, `${ORIGIN}/demo/app.js`, `${ORIGIN}/demo/missing.json`, "https://other.example/x.js"].map((name) => ({ name }) as PerformanceEntry),
    );
    vi.stubGlobal("fetch", async (asked: string | URL) => {
      got.push(String(asked).replace(ORIGIN, ""));
      return new Response("", { status: String(asked).endsWith("missing.json") ? 404 : 200 });
    });
    const { keepOffline } = await import("../src/offline.ts");
    return { container, keepOffline };
  }

  test("registers, waits until it is ruled, and keeps what came before", async () => {
    const { container, keepOffline } = await page();
    const keeping = keepOffline("./service-worker.js?offline");
    await vi.waitFor(() => expect(container.listened).toBe(true));
    expect(got).toEqual([]);
    container.rule();
    expect(await keeping).toBe("kept");
    expect(container.register).toHaveBeenCalledWith("./service-worker.js?offline");
    expect(caches.kept).toEqual(["/demo/", "/demo/app.js"]);
    // The files of this package that the first pipeline may not need.
    for (const name of [/pyyaml.*xz$/, /remotemedia_models.*xz$/, /remotemedia_workers.*xz$/, /capture\.js$/, /playback\.js$/]) {
      expect(got.some((url) => name.test(url))).toBe(true);
    }
  });

  test("offline, where it rules the page already, a worker that cannot be loaded is no matter", async () => {
    const refused = () => Promise.reject(new TypeError("offline"));
    const { keepOffline } = await page({ controlled: true, register: refused });
    expect(await keepOffline("./sw.js?offline")).toBe("kept");
    expect(caches.kept).toEqual([]);
    const first = await page({ register: refused });
    await expect(first.keepOffline("./sw.js?offline")).rejects.toThrow("offline");
  });

  test("one that the user reloaded past is asked to take the page; one that never does is not waited for for ever", async () => {
    const posted: unknown[] = [];
    const registration = { active: { postMessage: (message: unknown) => posted.push(message) } };
    const { container, keepOffline } = await page({ register: () => Promise.resolve(registration) });
    const keeping = keepOffline("./sw.js?offline");
    await vi.waitFor(() => expect(posted).toEqual(["claim"]));
    container.rule();
    expect(await keeping).toBe("kept");

    const stuck = await page();
    vi.useFakeTimers();
    try {
      const failing = stuck.keepOffline("./sw.js?offline");
      await vi.advanceTimersByTimeAsync(5_000);
      expect(await failing).toBe("failed");
    } finally {
      vi.useRealTimers();
    }
    expect(caches.kept).toEqual([]);
  });

  test("is not possible everywhere", async () => {
    const { keepOffline } = await page();
    vi.stubGlobal("navigator", {});
    expect(await keepOffline("./sw.js?offline")).toBe("unsupported");
  });
});
