// A service worker that makes a page cross-origin isolated where its host cannot send headers (GitHub Pages
// and other static hosts). Never required: where the server sends the headers, don't register it.
//
//   import { registerIsolation } from "@remotemedia/web";
//   await registerIsolation("./service-worker.js");   // the first visit loads the page twice
//
// Copy dist/service-worker.js into the folder of your page: it serves that folder and what is below it, and
// the worker scripts that those pages start. `service-worker.js?coep=credentialless` lets pages load images and
// scripts of other sites that send no Cross-Origin-Resource-Policy (Chrome and Firefox; Safari does not have it).
// It adds headers to pages and worker scripts of its own origin: isolation depends on these two. Everything else,
// other origins, downloads and wasm among it, takes its usual way, so it costs nothing and cannot break there.
// It keeps no cache, but for this:
//
//   await keepOffline("./service-worker.js?offline");    // the page works without a network from then on
//
// With `?offline` it keeps all files of its origin that pages get, and gives what it kept where the server cannot be
// reached; where it can, the server goes first. A page that has changed on the server is another version: what was
// kept of the one before goes. A server that has no such worker any more is another program's: it goes, with all it kept.
// To be rid of it: navigator.serviceWorker.getRegistration() and its unregister().

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
  waitUntil(done: Promise<unknown>): void;
}
interface Scope {
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  readonly registration: { unregister(): Promise<boolean> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Event & { waitUntil(done: Promise<void>): void }) => void): void;
  addEventListener(type: "message", listener: (event: Event & { data: unknown; waitUntil(done: Promise<void>): void }) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}
const scope = globalThis as unknown as Scope;
const options = new URLSearchParams(scope.location.search);
const coep = options.get("coep") === "credentialless" ? "credentialless" : "require-corp";
const offline = options.has("offline");
const SCRIPTS = ["worker", "sharedworker"];
const KEPT = ["GET", "HEAD"];
const OFFLINE = "remotemedia-offline";
const HEAD = "remotemedia-head";

scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("message", (event) => {
  if (event.data === "claim") event.waitUntil(scope.clients.claim());
});
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (new URL(request.url).origin !== scope.location.origin) return;
  const isDocument = request.mode === "navigate" || SCRIPTS.includes(request.destination);
  if (offline && KEPT.includes(request.method)) {
    const answer = serverFirst(request, event);
    event.respondWith(isDocument ? answer.then(isolated) : answer);
  } else if (isDocument) {
    event.respondWith(fetch(request).then(isolated));
  }
});

/** What the server says, which is kept; where it cannot be reached, what was kept of it. */
async function serverFirst(request: Request, event: FetchEvent): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(request);
  } catch (error) {
    const kept = await recall(request);
    if (kept !== undefined) return kept;
    throw error;
  }
  const isPage = request.mode === "navigate";
  // `no-store`: who asks keeps it.
  if (answer.status === 200 && request.cache !== "no-store" && !request.headers.has("range")) {
    const kept = await recall(request).catch(() => undefined);
    if (kept === undefined || !isSame(kept, answer)) {
      const keeping = keep(request, answer.clone(), isPage).catch(() => undefined); // such as a full disk
      event.waitUntil(keeping);
      if (isPage) await keeping; // before anything that belongs to this version comes
    }
  }
  if (isPage) event.waitUntil(leaveIfReplaced().catch(() => undefined));
  return answer;
}

async function keep(request: Request, answer: Response, isPage: boolean): Promise<void> {
  const cache = await caches.open(OFFLINE);
  const url = keyOf(request);
  const before = isPage ? await cache.match(url) : undefined;
  if (before === undefined) {
    await cache.put(url, answer);
    return;
  }
  const [old, now] = await Promise.all([before.text(), answer.clone().text()]);
  if (old === now) return;
  await caches.delete(OFFLINE);
  await (await caches.open(OFFLINE)).put(url, answer);
}

/** Whether the server says that it is the version that is kept. */
function isSame(kept: Response, answer: Response): boolean {
  return ["etag", "last-modified"].some((name) => answer.headers.has(name) && answer.headers.get(name) === kept.headers.get(name));
}

async function recall(request: Request): Promise<Response | undefined> {
  const cache = await caches.open(OFFLINE);
  const kept = await cache.match(keyOf(request));
  if (kept !== undefined || request.method !== "HEAD") return kept;
  const whole = await cache.match(request.url);
  return whole && new Response(null, { status: whole.status, headers: whole.headers });
}

/** Pages read their queries themselves: one page, whatever they are. Caches know no answers to HEAD: they get a name. */
function keyOf({ url, mode, method }: Request): string {
  if (mode === "navigate") return url.replace(/[?#].*$/, "");
  return method === "HEAD" ? `${url}${url.includes("?") ? "&" : "?"}${HEAD}` : url;
}

async function leaveIfReplaced(): Promise<void> {
  const { status } = await fetch(scope.location.href, { method: "HEAD", cache: "no-store" });
  if (status !== 404 && status !== 410) return;
  await caches.delete(OFFLINE);
  await scope.registration.unregister();
}

/** The response with the headers; one whose headers may not be seen (a redirect that the browser follows itself) as it is. */
function isolated(response: Response): Response {
  if (response.status === 0 || response.redirected) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", coep);
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

export {};
