// A page that works without a network, by our service worker.
import { fetchAsset } from "./assets.ts";
import { WORKLETS } from "./audio.ts";
import { controlled } from "./isolation.ts";
import { assetOf } from "./loader.ts";
import type { LoadOptions } from "./types.ts";

/** Where service-worker.js keeps what pages get. */
const CACHE = "remotemedia-offline";
/** Wheels of this package that the first pipeline may not have needed, but another one will. */
const LATER = ["pyyaml", "workers", "models"] as const;

/** kept: what this page gets from now on is kept · unsupported: no service workers, or no secure context · failed: the worker does not start. */
export type Keeping = "kept" | "unsupported" | "failed";

/**
 * Register our service-worker.js, by its URL on this origin with `?offline`, and keep what this page has loaded so far,
 * and the files of this package. All else that pages get from their own origin is kept from then on, and comes from there
 * when the server cannot be reached. Call it before `Pipeline.load`, so that Python is kept, too. Rejects if the worker
 * cannot be loaded.
 */
export async function keepOffline(url: string | URL, { baseUrl }: Pick<LoadOptions, "baseUrl"> = {}): Promise<Keeping> {
  const workers = (navigator as Partial<Navigator>).serviceWorker;
  if (!isSecureContext || workers === undefined) return "unsupported";
  const before = workers.controller !== null;
  const registration = await workers.register(url).catch((error: unknown) => {
    if (!before) throw error; // else it cannot be asked for now, but is there
    return undefined;
  });
  if (!(await controlled(workers, registration))) return "failed";
  // What came before it ruled the page has passed it by.
  if (!before) await keepLoaded();
  // Without a network they are there, or cannot be had now.
  await Promise.allSettled([...LATER.map((name) => fetchAsset(assetOf(name, baseUrl))), ...WORKLETS.map((worklet) => fetch(worklet))]);
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
