// Whether this page may share memory between threads, and if not, why and what to do.

export interface Isolation {
  /** Memory can be shared with the audio thread and the worker. */
  shared: boolean;
  reason?: string;
  fix?: string;
}

/** What the server said about this page; null: no such header, or the page could not be asked for. */
export interface ExplainedIsolation extends Isolation {
  coop: string | null;
  coep: string | null;
}

/** The part of the global scope that is looked at. */
export interface IsolationScope {
  isSecureContext?: boolean;
  crossOriginIsolated?: boolean;
  SharedArrayBuffer?: unknown;
  Atomics?: unknown;
  /** Whether the page is in a frame. */
  framed?: boolean;
}

const HEADERS = "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
/** Longest time until a service worker has its page, ms: it is downloaded first. */
const CONTROL_MS = 5_000;
const RELOADED = "remotemedia-isolation";

/** Answers at once, from what the browser allows now. Works in workers too. */
export function checkIsolation(scope: IsolationScope = here()): Isolation {
  if (!scope.isSecureContext) {
    return { shared: false, reason: "the page is not a secure context", fix: "serve it over https, or from localhost" };
  }
  if (!scope.crossOriginIsolated) {
    return {
      shared: false,
      reason: "the page is not cross-origin isolated",
      fix: `send ${HEADERS}, or call registerIsolation() where headers cannot be set`,
    };
  }
  if (typeof scope.SharedArrayBuffer !== "function") {
    return { shared: false, reason: "the browser has no SharedArrayBuffer", fix: "use Chrome 92, Firefox 79, Safari 15.2 or later" };
  }
  if (typeof (scope.Atomics as { waitAsync?: unknown } | undefined)?.waitAsync !== "function") {
    return { shared: false, reason: "the browser has no Atomics.waitAsync", fix: "use Chrome 87, Safari 16.4, Firefox 145 or later" };
  }
  return { shared: true };
}

/** Also asks the server (HEAD of this page) which header is missing. Never rejects. */
export async function explainIsolation(scope: IsolationScope = here(), ask: () => Promise<Response> = head): Promise<ExplainedIsolation> {
  const isolation = checkIsolation(scope);
  let headers: Headers;
  try {
    headers = (await ask()).headers;
  } catch {
    return { ...isolation, coop: null, coep: null };
  }
  const coop = headers.get("cross-origin-opener-policy");
  const coep = headers.get("cross-origin-embedder-policy");
  if (isolation.shared || scope.crossOriginIsolated || !scope.isSecureContext) return { ...isolation, coop, coep };
  const wrong = [];
  // In a frame the opener policy of the top page counts, not the frame's.
  if (!scope.framed && !is(coop, "same-origin")) wrong.push(`Cross-Origin-Opener-Policy is ${coop ?? "missing"}, must be same-origin`);
  if (!is(coep, "require-corp", "credentialless")) wrong.push(`Cross-Origin-Embedder-Policy is ${coep ?? "missing"}, must be require-corp or credentialless`);
  if (wrong.length > 0) return { ...isolation, reason: wrong.join("; "), coop, coep };
  if (scope.framed) {
    return {
      ...isolation, coop, coep,
      reason: "the page is in a frame that is not isolated",
      fix: 'the page around it needs the same headers, and allow="cross-origin-isolated" on the frame',
    };
  }
  return { ...isolation, coop, coep, reason: "the headers are right now, but were not when the page was loaded", fix: "reload the page" };
}

/** isolated: nothing to do · reloading: the page loads again · unsupported: no service workers here · failed: it was reloaded, in vain. */
export type Registration = "isolated" | "reloading" | "unsupported" | "failed";

/**
 * For hosts where headers cannot be set: registers our service-worker.js, by its URL on this origin, and reloads the
 * page, once. The worker's folder must hold the page. Rejects if the worker cannot be loaded. Call it before anything else.
 */
export async function registerIsolation(url: string | URL): Promise<Registration> {
  if (globalThis.crossOriginIsolated) {
    sessionStorage.removeItem(RELOADED);
    return "isolated";
  }
  const workers = (navigator as Partial<Navigator>).serviceWorker;
  if (!isSecureContext || workers === undefined) return "unsupported";
  const registration = await workers.register(url);
  // One that was reloaded and still is not isolated would reload for ever.
  if (sessionStorage.getItem(RELOADED) !== null) {
    sessionStorage.removeItem(RELOADED);
    return "failed";
  }
  await controlled(workers, registration);
  sessionStorage.setItem(RELOADED, "1");
  location.reload();
  return "reloading";
}

/** Whether our service worker answers this page's requests; waits until it does, but not for ever. */
export async function controlled(workers: ServiceWorkerContainer, registration: ServiceWorkerRegistration | undefined): Promise<boolean> {
  if (workers.controller !== null) return true;
  const changed = new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
  // A new one takes the page by itself. One that has been there takes it when asked: the user may have reloaded past it.
  registration?.active?.postMessage("claim");
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([changed, new Promise((resolve) => (timer = setTimeout(resolve, CONTROL_MS)))]);
  clearTimeout(timer);
  return workers.controller !== null;
}

function is(value: string | null, ...allowed: string[]): boolean {
  return allowed.includes(value?.split(";")[0]?.trim().toLowerCase() ?? "");
}

function here(): IsolationScope {
  const { isSecureContext, crossOriginIsolated, SharedArrayBuffer, Atomics } = globalThis as IsolationScope;
  return { isSecureContext: isSecureContext ?? false, crossOriginIsolated: crossOriginIsolated ?? false, SharedArrayBuffer, Atomics, framed: globalThis.self !== globalThis.top };
}

function head(): Promise<Response> {
  return fetch(location.href, { method: "HEAD", cache: "no-store" });
}
