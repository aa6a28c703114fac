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
// It keeps no cache. To be rid of it: navigator.serviceWorker.getRegistration() and its unregister().

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Scope {
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Event & { waitUntil(done: Promise<void>): void }) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}
const scope = globalThis as unknown as Scope;
const coep = new URLSearchParams(scope.location.search).get("coep") === "credentialless" ? "credentialless" : "require-corp";
const SCRIPTS = ["worker", "sharedworker"];

scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const isOurs = new URL(request.url).origin === scope.location.origin;
  if (isOurs && (request.mode === "navigate" || SCRIPTS.includes(request.destination))) event.respondWith(fetch(request).then(isolated));
});

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
