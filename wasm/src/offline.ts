// A page that works without a network, by our service worker.
import { controlled } from "./isolation.ts";

/** Where service-worker.js keeps what pages get. */
const CACHE = "remotemedia-offline";

/** kept: what this page gets from now on is kept · unsupported: no service workers, or no secure context. */
export type Keeping = "kept" | "unsupported";

/**
 * Register our service-worker.js, by its URL on this origin with `?offline`, and keep what this page has loaded so far.
 * All that pages get from their own origin afterwards is kept, and comes from there when the server cannot be reached. Call it
 * before `Pipeline.load`, so that Python is kept too. Rejects if the worker cannot be loaded: offline too, if it was never kept.
 */
export async function keepOffline(url: string | URL): Promise<Keeping> {
  const workers = (navigator as Partial<Navigator>).serviceWorker;
  if (!isSecureContext || workers === undefined) return "unsupported";
  // Offline its update fails, which changes nothing where it rules the page already.
  await workers.register(url).catch((error: unknown) => {
    if (workers.controller === null) throw error;
  });
  const before = workers.controller !== null;
  await controlled(workers);
  // What came before it ruled the page has passed it by.
  if (!before) await keepLoaded();
  return "kept";
}

async function keepLoaded(): Promise<void> {
  const cache = await caches.open(CACHE);
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name.replace(/#.*$/, ""));
  const ours = [location.href.replace(/[?#].*$/, ""), ...loaded].filter((address) => new URL(address).origin === location.origin);
  await Promise.all(
    [...new Set(ours)].map(async (address) => {
      const answer = await fetch(address);
      if (answer.status === 200) await cache.put(address, answer);
    }),
  );
}
