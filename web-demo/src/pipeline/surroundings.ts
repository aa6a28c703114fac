// What the page finds around it: query parameters, optional files beside it.

export interface Query {
  /** Example to begin with. */
  example: string | null;
  /** Do without shared memory, to see that it works. */
  transferred: boolean;
}

export function queryOf(search: string): Query {
  const query = new URLSearchParams(search);
  return { example: query.get("example"), transferred: query.get("link") === "transferred" };
}

/** A servers' own page for what is not there must not pass for the file. */
async function answers(path: string, kind: RegExp, method: "HEAD" | "GET"): Promise<Response | null> {
  try {
    const response = await fetch(new URL(path, document.baseURI), { method, cache: "no-cache" });
    return response.ok && kind.test(response.headers.get("content-type") ?? "") ? response : null;
  } catch {
    return null;
  }
}

/** Folder of a Pyodide beside the page; undefined: the default, from its CDN. */
export async function ownPyodide(): Promise<URL | undefined> {
  const found = await answers("./pyodide/pyodide.mjs", /javascript/, "HEAD");
  return found ? new URL("./pyodide/", document.baseURI) : undefined;
}

/** Folders of onnxruntime-web and of models beside the page; without them: where their makers have them. */
export async function ownModels(): Promise<{ onnxUrl?: URL; modelsUrl?: URL }> {
  const [onnx, models] = await Promise.all([answers("./onnx/ort.wasm.min.mjs", /javascript/, "HEAD"), answers("./models/models.json", /json/, "HEAD")]);
  return {
    ...(onnx ? { onnxUrl: new URL("./onnx/", document.baseURI) } : {}),
    ...(models ? { modelsUrl: new URL("./models/", document.baseURI) } : {}),
  };
}

/** The manifest that `remotemedia web MANIFEST` serves. */
export async function servedManifest(): Promise<string | null> {
  const response = await answers("./manifest.json", /json/, "GET");
  return response ? response.text() : null;
}

/** Our service worker beside the page: keeps it for use without a network, and brings shared memory where the server cannot. */
export async function ownServiceWorker(): Promise<URL | null> {
  const path = "./service-worker.js";
  return (await answers(path, /javascript/, "HEAD")) ? new URL(`${path}?offline`, document.baseURI) : null;
}

const CLIP = "./clip.wav";

export async function hasClip(): Promise<boolean> {
  return (await answers(CLIP, /audio|octet-stream/, "HEAD")) !== null;
}

export async function fetchClip(): Promise<Blob> {
  const response = await fetch(new URL(CLIP, document.baseURI));
  if (!response.ok) throw new Error(`the clip cannot be had: ${response.status} ${response.statusText}`);
  return response.blob();
}
