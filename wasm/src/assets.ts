// Files of this package: fetched with progress, checked by SHA-256, kept in Cache Storage.
import { RemoteMediaError, messageOf } from "./errors.ts";
import type { AssetRequest } from "./protocol.ts";

const CACHE = "remotemedia-assets";
const TELL_MS = 100;

/** The bytes of an asset, as they are on the server. */
export async function fetchAsset(asset: AssetRequest): Promise<Uint8Array<ArrayBuffer>> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new RemoteMediaError(
      "this page is no secure context, so files cannot be checked and audio is not allowed: serve it over https, or from localhost",
      { code: "load" },
    );
  }
  const cache = await openCache();
  const key = `${asset.url}#sha256=${asset.sha256}`.replace("#", asset.url.includes("?") ? "&" : "?");
  const kept = await recall(cache, key);
  if (kept !== undefined) {
    if ((await sha256(kept)) === asset.sha256) return kept;
    await cache?.delete(key).catch(() => false);
  }
  const bytes = await download(asset.url, undefined, { init: cache === undefined ? {} : { cache: "no-store" } });
  const actual = await sha256(bytes);
  if (actual !== asset.sha256) {
    throw new RemoteMediaError(
      `${asset.url} is corrupted or of another version: its SHA-256 is ${actual}, not ${asset.sha256}; ` +
        "deploy the files of one version of @remotemedia/web together",
      { code: "load" },
    );
  }
  await cache?.put(key, new Response(bytes)).catch(() => undefined); // such as a full disk
  return bytes;
}

interface DownloadOptions {
  init?: RequestInit;
  /** Told how many bytes are here, a few times a second. */
  arrived?: ((bytes: number) => void) | undefined;
}

/** The body of an answer. Raises a `load` error that says what came instead, and what to do. */
export async function download(url: string, folder = "baseUrl or pyodideUrl", { init, arrived }: DownloadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  let answer: Response;
  try {
    answer = await fetch(url, init);
  } catch (error) {
    throw new RemoteMediaError(
      `${url} cannot be fetched (${messageOf(error)}): the server is not reachable, or refuses other ` +
        "origins (CORS), or the page's Content-Security-Policy forbids it (connect-src)",
      { code: "load", cause: error },
    );
  }
  if (!answer.ok) {
    throw new RemoteMediaError(
      `${url}: ${status(answer)}: is ${folder} the folder of that file?`,
      { code: "load" },
    );
  }
  if ((answer.headers.get("content-type") ?? "").startsWith("text/html")) {
    throw new RemoteMediaError(
      `${url}: the server answers with an HTML page instead of the file: is ${folder} right?`,
      { code: "load" },
    );
  }
  try {
    const body = arrived === undefined ? answer : counted(answer, arrived);
    return new Uint8Array(await body.arrayBuffer());
  } catch (error) {
    throw new RemoteMediaError(`${url}: the download broke off (${messageOf(error)}): try again`, {
      code: "load",
      cause: error,
    });
  }
}

/** The answer, whose bytes are counted on their way. */
function counted(answer: Response, arrived: (bytes: number) => void): Response {
  let count = 0;
  let told = performance.now();
  const meter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      count += chunk.byteLength;
      if (performance.now() - told >= TELL_MS) {
        told = performance.now();
        arrived(count);
      }
      controller.enqueue(chunk);
    },
  });
  return new Response(answer.body?.pipeThrough(meter));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function status({ status, statusText }: Response): string {
  return `HTTP ${status} ${statusText}`.trimEnd(); // HTTP/2 has no text
}

/** What the cache has; an entry that cannot be read is as good as none. */
async function recall(cache: Cache | undefined, key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const kept = await cache?.match(key);
    return kept === undefined ? undefined : new Uint8Array(await kept.arrayBuffer());
  } catch {
    return undefined;
  }
}

async function openCache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined; // private windows, some embedded browsers
  }
}
