// Loads what a pipeline needs: a worker with Python in it, packages, the manifest.
import { ASSETS, ONNX_VERSION, PYODIDE_FILES, PYODIDE_VERSION } from "./assets.generated.ts";
import type { BootProgress } from "./boot-progress.ts";
import { RemoteMediaError } from "./errors.ts";
import { folder, indexOf, isYaml, nameOf, packageOf } from "./manifest-source.ts";
import type { Manifest } from "./manifest-source.ts";
import type { OnnxOptions } from "./onnx.ts";
import type { GraphInfo, Needs } from "./protocol.generated.ts";
import type { AssetRequest } from "./protocol.ts";
import { Remote } from "./remote.ts";
import type { RemoteListener } from "./remote.ts";
import type { LoadOptions } from "./types.ts";

const CDN = `https://cdn.jsdelivr.net/pyodide/v${PYODIDE_VERSION}/full/`;
const ONNX_CDN = `https://cdn.jsdelivr.net/npm/onnxruntime-web@${ONNX_VERSION}/dist/`;
const HANG_TIMEOUT_MS = 2_000;
/** Of Pyodide's files those that every boot loads; other packages come later, where something needs them. */
const BOOTED = Object.entries(PYODIDE_FILES).filter(([name]) => /^(pyodide|python_stdlib|numpy-)/.test(name));

type AssetName = keyof typeof ASSETS;

/** A wheel of this package, where `baseUrl` or the bundler has it. */
export function assetOf(name: AssetName, base: string | URL | undefined): AssetRequest {
  const { url, file, sha256, size } = ASSETS[name];
  return { name, url: base === undefined ? url.href : new URL(file, folder(base)).href, sha256, size };
}

export class Loader {
  readonly #loaded = new Set<AssetName>();
  readonly #options: LoadOptions;
  readonly #shared: boolean;

  constructor(options: LoadOptions, shared: boolean) {
    this.#options = options;
    this.#shared = shared;
  }

  /** Start a worker for a manifest. */
  boot(manifest: Manifest, listener: RemoteListener): Promise<Remote> {
    this.#loaded.clear();
    const names: AssetName[] = ["remotemedia", "msgspec"];
    if (isYaml(manifest)) names.push("pyyaml");
    const assets = names.map((name) => this.#asset(name));
    return Remote.boot(
      {
        pyodideUrl: this.#pyodideUrl(),
        assets,
        expected: { ...Object.fromEntries(BOOTED), ...Object.fromEntries(assets.map(({ url, size }) => [nameOf(url), size])) },
        shared: this.#shared,
        onnx: this.#onnx(),
        hangTimeoutMs: this.#options.hangTimeoutMs ?? HANG_TIMEOUT_MS,
      },
      listener,
      this.#options.signal,
    );
  }

  /** Give a new worker packages, source and manifest. */
  async fill(remote: Remote, manifest: Manifest, source: string, progress: BootProgress): Promise<GraphInfo> {
    const { packages = [] } = this.#options;
    if (packages.length > 0) {
      progress.say("pipeline", `installing ${packages.join(", ")}`, 0.95);
      await this.#install(remote, packages.map(packageOf));
    }
    if (source !== "") {
      // No graph says yet that it is needed.
      if (/\bremotemedia\.(nodes\.)?models\b/.test(source)) await this.#ensure(remote, "models");
      await remote.ask({ type: "define", source });
    }
    progress.say("pipeline", "loading the pipeline", 0.95);
    return this.give(remote, manifest, "load");
  }

  /** Load a manifest and what it needs, or apply it to what runs. */
  async give(remote: Remote, manifest: Manifest, type: "load" | "apply"): Promise<GraphInfo> {
    const { content, name } = manifest;
    if (isYaml(manifest)) await this.#ensure(remote, "pyyaml");
    const { packages, parts } = await remote.ask<Needs>({ type: "requirements", manifest: content, name });
    for (const part of parts) await this.#ensure(remote, part as AssetName);
    if (packages.length > 0) {
      const unknown = await remote.loadPackages(packages);
      if (unknown.length > 0) await this.#install(remote, unknown);
    }
    return remote.ask<GraphInfo>({ type, manifest: content, name });
  }

  /** Load a wheel of this package, unless it is there. */
  async #ensure(remote: Remote, name: AssetName): Promise<void> {
    if (!this.#loaded.has(name)) await remote.loadAssets([this.#asset(name)]);
  }

  async #install(remote: Remote, packages: string[]): Promise<void> {
    const unknown = await remote.loadPackages(["micropip"]);
    if (unknown.length > 0) {
      throw new RemoteMediaError(
        `${packages.join(", ")} cannot be installed: the Pyodide at ${this.#pyodideUrl()} lacks micropip`,
        { code: "load" },
      );
    }
    const indexUrls = (this.#options.indexUrls ?? []).map(indexOf);
    await remote.ask({ type: "install", packages, indexUrls });
  }

  #asset(name: AssetName): AssetRequest {
    this.#loaded.add(name);
    return assetOf(name, this.#options.baseUrl);
  }

  #onnx(): OnnxOptions {
    const { onnxUrl = ONNX_CDN, modelsUrl } = this.#options;
    return { onnxUrl: folder(onnxUrl).href, modelsUrl: modelsUrl === undefined ? null : folder(modelsUrl).href, pageUrl: document.baseURI };
  }

  #pyodideUrl(): string {
    return folder(this.#options.pyodideUrl ?? CDN).href;
  }
}
