// The examples: those of the repository, and small ones that are this page's own.
import type { Example } from "./store.ts";

const ours = import.meta.glob<string>("./examples/*.yaml", { query: "?raw", import: "default", eager: true });
const sources = import.meta.glob<string>("./examples/*.py", { query: "?raw", import: "default", eager: true });
const repository = import.meta.glob<string>("../../examples/*/pipeline.yaml", { query: "?raw", import: "default", eager: true });

export const CATALOG: Example[] = [
  ...Object.entries(repository).map(([path, manifest]) => exampleOf(path.split("/").at(-2) ?? path, manifest)),
  ...Object.entries(ours).map(([path, manifest]) =>
    exampleOf(path.replace(/^.*\/|\.yaml$/g, ""), manifest, sources[path.replace(/yaml$/, "py")]),
  ),
];

export const SERVED_ID = "served";

export function servedExample(manifest: string): Example {
  return { id: SERVED_ID, title: "What this server was started with", manifest: readable(manifest), source: "", speaks: speaks(manifest) };
}

/** JSON on one line is for machines. */
function readable(manifest: string): string {
  try {
    return JSON.stringify(JSON.parse(manifest), null, 2);
  } catch {
    return manifest;
  }
}

function exampleOf(id: string, manifest: string, source = ""): Example {
  const words = id.replace(/^\d+-/, "").replaceAll("-", " ");
  return { id, title: words.charAt(0).toUpperCase() + words.slice(1), manifest, source, speaks: speaks(manifest) };
}

function speaks(manifest: string): boolean {
  return /\bTextToSpeech(Node)?\b/.test(manifest);
}

/** By id, with or without its number; null where there is none. */
export function findExample(examples: readonly Example[], name: string | null): Example | null {
  return examples.find(({ id }) => id === name || id.replace(/^\d+-/, "") === name) ?? null;
}
