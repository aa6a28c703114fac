// Where a manifest, packages and folders come from: what a page names, as text or as full addresses.
import { RemoteMediaError, messageOf } from "./errors.ts";
import type { ManifestSource } from "./types.ts";

/** A manifest as text or object, and what errors call it. */
export interface Manifest {
  content: Record<string, unknown> | string;
  name: string;
}

/** A scheme with something behind it; `version: v1` has none. */
const SCHEME = /^[a-z][a-z0-9+.-]*:(?=\S)/i;
/** A requirement of the Python world: `name[extra]>=1`, `name @ address`. */
const REQUIREMENT = /^[a-z0-9][a-z0-9._-]*\s*(\[[^\]]*\])?\s*([<>=!~;@(].*)?$/i;

/** The manifest, fetched where an address was given. Raises a `load` error. */
export async function readManifest(source: ManifestSource, given?: string): Promise<Manifest> {
  if (typeof source === "object" && !(source instanceof URL)) return { content: source, name: given ?? "manifest" };
  if (typeof source === "string" && isText(source)) return { content: source, name: given ?? "manifest" };
  const url = absolute(source);
  const fail = (why: string, cause?: unknown): never => {
    throw new RemoteMediaError(`the manifest ${url} ${why}`, { code: "load", cause });
  };
  try {
    const answer = await fetch(url);
    if (!answer.ok) fail(`cannot be had: HTTP ${answer.status} ${answer.statusText}`.trimEnd());
    // Development servers and single-page hosts answer so for whatever they don't have.
    if ((answer.headers.get("content-type") ?? "").startsWith("text/html")) fail("is an HTML page: is its address right?");
    return { content: await answer.text(), name: given ?? nameOf(url) };
  } catch (error) {
    if (error instanceof RemoteMediaError) throw error;
    return fail(`cannot be fetched: ${messageOf(error)}`, error);
  }
}

/** Whether it is a manifest itself, not the address of one. */
export function isText(source: string): boolean {
  const text = source.trim();
  if (text === "" || text.includes("\n")) return true;
  return !SCHEME.test(text) && /^\[|\{|:(\s|$)/.test(text);
}

/** Whether it needs the YAML loader: decided as by read_document() in Python. */
export function isYaml({ content, name }: Manifest): boolean {
  if (typeof content !== "string") return false;
  const suffix = /\.(json|ya?ml)$/i.exec(name)?.[1];
  return suffix === undefined ? !/^\s*(\[|\{\s*["}])/.test(content) : suffix.toLowerCase() !== "json";
}

/** An address in full; relative ones are relative to the page. */
export function absolute(address: string | URL): string {
  return new URL(address, document.baseURI).href;
}

/** A package for micropip: a requirement as it is, the address of a wheel in full. */
export function packageOf(given: string): string {
  return REQUIREMENT.test(given) && !/^[^\s@]+\.whl$/i.test(given) ? given : absolute(given);
}

/** A package index for micropip, which fills in `{package_name}` where it is. */
export function indexOf(given: string): string {
  return absolute(given).replaceAll("%7Bpackage_name%7D", "{package_name}");
}

/** The address of a folder, with the slash at its end that others are resolved by. */
export function folder(url: string | URL): URL {
  const full = new URL(url, document.baseURI);
  if (!full.pathname.endsWith("/")) full.pathname += "/";
  return full;
}

/** The name of the file at an address. */
export function nameOf(url: string): string {
  return url.replace(/[?#].*$/, "").replace(/^.*\//, "");
}
