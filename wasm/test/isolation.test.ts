import { afterEach, describe, expect, test, vi } from "vitest";
import { checkIsolation, explainIsolation, registerIsolation } from "../src/isolation.ts";

const GOOD = { isSecureContext: true, crossOriginIsolated: true, SharedArrayBuffer, Atomics, framed: false };
const page = (headers: Record<string, string>) => () => Promise.resolve(new Response(null, { headers }));

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe("check", () => {
  test("all is there", () => expect(checkIsolation(GOOD)).toEqual({ shared: true }));

  test.each([
    ["isSecureContext", false, /secure context/, /https/],
    ["crossOriginIsolated", false, /not cross-origin isolated/, /Cross-Origin-Opener-Policy: same-origin.*require-corp/],
    ["SharedArrayBuffer", undefined, /SharedArrayBuffer/, /Safari 15\.2/],
    ["Atomics", {}, /waitAsync/, /Safari 16\.4/],
  ])("without %s", (name, value, reason, fix) => {
    const answer = checkIsolation({ ...GOOD, [name]: value });
    expect(answer.shared).toBe(false);
    expect(answer.reason).toMatch(reason);
    expect(answer.fix).toMatch(fix);
  });

  test("of this scope: Node has no crossOriginIsolated", () => expect(checkIsolation().shared).toBe(false));
});

describe("explain", () => {
  const alone = { ...GOOD, crossOriginIsolated: false };
  test.each([
    ["both missing", alone, {}, /Opener-Policy is missing, must be same-origin; .*Embedder-Policy is missing/],
    ["a weaker opener policy", alone, { "cross-origin-opener-policy": "same-origin-allow-popups", "cross-origin-embedder-policy": "require-corp" }, /^Cross-Origin-Opener-Policy is same-origin-allow-popups, must be/],
    ["no embedder policy", alone, { "cross-origin-opener-policy": "same-origin" }, /^Cross-Origin-Embedder-Policy is missing/],
    ["right, with a report", alone, { "cross-origin-opener-policy": 'same-origin; report-to="x"', "cross-origin-embedder-policy": "credentialless" }, /right now/],
    ["a frame", { ...alone, framed: true }, { "cross-origin-embedder-policy": "require-corp" }, /frame that is not isolated/],
    ["http", { ...alone, isSecureContext: false }, {}, /secure context/],
  ])("%s", async (_, scope, headers, reason) => {
    const answer = await explainIsolation(scope, page(headers as Record<string, string>));
    expect(answer.shared).toBe(false);
    expect(answer.reason).toMatch(reason);
    expect(answer.fix).toBeTruthy();
  });

  test("tells the headers where all is well, and no more than it knows where the server is away", async () => {
    const coop = "same-origin", coep = "require-corp";
    expect(await explainIsolation(GOOD, page({ "cross-origin-opener-policy": coop, "cross-origin-embedder-policy": coep }))).toEqual({ shared: true, coop, coep });
    const away = await explainIsolation(alone, () => Promise.reject(new TypeError("offline")));
    expect(away).toMatchObject({ shared: false, coop: null, coep: null, reason: "the page is not cross-origin isolated" });
  });
});

describe("register", () => {
  function browser({ isolated = false, secure = true, workers = true } = {}) {
    const stored = new Map<string, string>();
    const container = Object.assign(new EventTarget(), { controller: null as object | null, register: vi.fn(() => Promise.resolve()) });
    const reload = vi.fn();
    vi.stubGlobal("crossOriginIsolated", isolated);
    vi.stubGlobal("isSecureContext", secure);
    vi.stubGlobal("navigator", workers ? { serviceWorker: container } : {});
    vi.stubGlobal("location", { reload });
    vi.stubGlobal("sessionStorage", {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => stored.set(key, value),
      removeItem: (key: string) => stored.delete(key),
    });
    return { container, reload, stored };
  }

  test("reloads when the worker has the page, once: a second time it says failed", async () => {
    const { container, reload } = browser();
    const first = registerIsolation("./sw.js");
    await Promise.resolve();
    expect(reload).not.toHaveBeenCalled();
    container.dispatchEvent(new Event("controllerchange"));
    expect(await first).toBe("reloading");
    container.controller = {};
    expect(await registerIsolation("./sw.js")).toBe("failed");
    expect(reload).toHaveBeenCalledTimes(1);
    expect(container.register).toHaveBeenCalledWith("./sw.js");
  });

  test("nothing to do, and no way", async () => {
    const { container, reload, stored } = browser({ isolated: true });
    stored.set("remotemedia-isolation", "1");
    expect(await registerIsolation("./sw.js")).toBe("isolated");
    expect([stored.size, container.register.mock.calls.length]).toEqual([0, 0]);
    browser({ workers: false });
    expect(await registerIsolation("./sw.js")).toBe("unsupported");
    browser({ secure: false });
    expect(await registerIsolation("./sw.js")).toBe("unsupported");
    expect(reload).not.toHaveBeenCalled();
  });
});

describe("service worker", () => {
  interface Caught {
    request: { url: string; mode: string; destination: string };
    response?: Promise<Response>;
  }
  async function worker(search = "") {
    const on = new Map<string, (event: object) => void>();
    vi.stubGlobal("location", { search, origin: "https://here" });
    vi.stubGlobal("addEventListener", (type: string, listener: (event: object) => void) => on.set(type, listener));
    await import("../src/service-worker.ts");
    return async (url: string, mode: string, destination: string, response: Response): Promise<Response | undefined> => {
      vi.stubGlobal("fetch", () => Promise.resolve(response));
      const event: Caught = { request: { url, mode, destination } };
      on.get("fetch")!({ ...event, respondWith: (given: Promise<Response>) => (event.response = given) });
      return event.response;
    };
  }
  const policies = (response: Response | undefined) => ["opener-policy", "embedder-policy", "resource-policy"].map((name) => response?.headers.get(`cross-origin-${name}`));

  test("pages and worker scripts get the headers, body and status stay", async () => {
    const ask = await worker();
    const answer = await ask("https://here/a/", "navigate", "document", new Response("<p>", { status: 404, headers: { "content-type": "text/html" } }));
    expect(policies(answer)).toEqual(["same-origin", "require-corp", "same-origin"]);
    expect([answer!.status, answer!.headers.get("content-type"), await answer!.text()]).toEqual([404, "text/html", "<p>"]);
    expect(policies(await ask("https://here/worker.js", "same-origin", "worker", new Response("1")))[1]).toBe("require-corp");
  });

  test("credentialless where asked for", async () => {
    const ask = await worker("?coep=credentialless");
    expect(policies(await ask("https://here/", "navigate", "document", new Response("")))[1]).toBe("credentialless");
  });

  test("other origins and other files take their usual way; redirects and opaque answers pass", async () => {
    const ask = await worker();
    expect(await ask("https://there/", "navigate", "document", new Response(""))).toBeUndefined();
    expect(await ask("https://here/x.wasm", "cors", "", new Response(""))).toBeUndefined();
    const error = Response.error();
    expect(await ask("https://here/", "navigate", "document", error)).toBe(error);
  });
});
