// Pyodide in the worker: loaded, filled with our wheels, and the bridge made.
import { download, fetchAsset } from "./assets.ts";
import { RemoteMediaError, messageOf } from "./errors.ts";
import type { NodeEnd, OnEnded, OnSaid } from "./node-launcher.ts";
import { OnnxHost } from "./onnx.ts";
import { ProgressMeter, watchFetch } from "./progress.ts";
import type { AssetRequest, BootOptions } from "./protocol.ts";
import type { Progress } from "./types.ts";

/** The part of Pyodide that is used. */
interface Pyodide {
  loadPackage(names: string[], options?: { messageCallback?: (message: string) => void }): Promise<{ name: string }[]>;
  lockfile: { packages: Record<string, { name: string }> };
  pyimport(name: string): { boot(...given: unknown[]): unknown };
  registerJsModule(name: string, module: object): void;
  setInterruptBuffer(buffer: Uint8Array): void;
  runPython(code: string): unknown;
  _module: { HEAPU8: Uint8Array };
  _api: { on_fatal?: (error: unknown) => void };
}

/** What Python calls; `Host` of ends.py. */
export interface Host {
  answer(text: string, beside?: Uint8Array): void;
  packet(frame: Uint8Array, subscription?: string): void;
  recorded(recording: string, content: Uint8Array<ArrayBuffer>): void;
}

/** Hands a message of the page to Python. */
export type Receive = (text: string, attachment?: unknown) => void;

/** What Python finds as `remotemedia_host`: starts workers of nodes. */
export interface NodeHost {
  launch(packages: string[], onSaid: OnSaid, onEnded: OnEnded): NodeEnd;
}

export type RuntimeOptions = Pick<BootOptions, "pyodideUrl" | "assets" | "expected" | "interrupt" | "onnx"> & {
  /** Told of what Python writes. */
  print(text: string, isError: boolean): void;
};

export interface Runtime {
  /** What the `boot` of a Python module makes of this. */
  run<T>(module: string, ...given: unknown[]): T;
  /** Let Python import an object. */
  offer(name: string, module: object): void;
  /** Load packages of Pyodide's own distribution; gives back the names that it does not have. */
  loadPackages(names: string[]): Promise<string[]>;
  /** Unpack more wheels of our own. */
  loadAssets(assets: AssetRequest[]): Promise<void>;
  memoryBytes(): number;
}

/** Start Python. Raises a `load` error that says which file, why, and what to do. */
export async function boot(
  options: RuntimeOptions,
  report: (progress: Progress) => void,
  onFatal: (error: unknown) => void,
): Promise<Runtime> {
  const meter = new ProgressMeter(options.expected, report);
  const restore = watchFetch(meter);
  const violations = watchPolicy();
  try {
    meter.enter("download", "downloading Python");
    // Our own files come while Pyodide boots.
    const wheels = Promise.all(options.assets.map(fetchAsset));
    wheels.catch(() => undefined); // looked at below
    const python = await loadPython(options, meter, violations);
    meter.enter("packages", "unpacking RemoteMedia");
    unpack(python, await wheels);
    if (options.interrupt !== null) python.setInterruptBuffer(new Uint8Array(options.interrupt));
    python._api.on_fatal = onFatal;
    python.registerJsModule("remotemedia_onnx", new OnnxHost(options.onnx, () => python._module.HEAPU8));
    meter.enter("pipeline", "starting RemoteMedia");
    return {
      run: <T>(module: string, ...given: unknown[]) => python.pyimport(module).boot(...given) as T,
      offer: (name, module) => python.registerJsModule(name, module),
      loadPackages: (names) => loadPackages(python, names),
      loadAssets: async (assets) => unpack(python, await Promise.all(assets.map(fetchAsset))),
      memoryBytes: () => python._module.HEAPU8.byteLength,
    };
  } finally {
    restore();
  }
}

async function loadPython({ pyodideUrl: url, print }: RuntimeOptions, meter: ProgressMeter, violations: string[]): Promise<Pyodide> {
  const entry = `${url}pyodide.mjs`;
  let module: { loadPyodide(options: Record<string, unknown>): Promise<Pyodide> };
  try {
    module = await import(/* @vite-ignore */ entry);
  } catch (error) {
    throw await explainImport(entry, error, violations);
  }
  let failure = "";
  try {
    const python = await module.loadPyodide({
      indexURL: url,
      packages: ["numpy"],
      checkIntegrity: true,
      stdout: (text: string) => print(text, false),
      stderr: (text: string) => {
        failure = text;
        print(text, true);
      },
    });
    meter.enter("python", "starting Python");
    return python;
  } catch (error) {
    const blocked = violations.length > 0 ? `; the page's Content-Security-Policy blocked ${violations.join(", ")}` : "";
    throw new RemoteMediaError(
      `Pyodide at ${url} cannot start: ${messageOf(error)}${failure && ` (${failure})`}${blocked}`,
      { code: "load", cause: error },
    );
  }
}

/** Why `import()` of a module failed; the browser itself says only that it did. */
async function explainImport(url: string, error: unknown, violations: string[]): Promise<RemoteMediaError> {
  if (violations.length > 0) {
    return new RemoteMediaError(
      `${url} is blocked by the page's Content-Security-Policy (${violations.join(", ")}): allow that origin in ` +
        "script-src, or host Pyodide yourself and name its folder with pyodideUrl",
      { code: "load", cause: error },
    );
  }
  try {
    await download(url);
  } catch (reason) {
    if (reason instanceof RemoteMediaError) return reason;
  }
  const type = await fetch(url, { method: "HEAD" }).then(
    (answer) => answer.headers.get("content-type") ?? "none",
    () => "unknown",
  );
  if (!/javascript/.test(type)) {
    return new RemoteMediaError(
      `${url} is served as ${type}, but a module must be text/javascript: set the MIME type of .mjs files on the server`,
      { code: "load", cause: error },
    );
  }
  return new RemoteMediaError(`${url} cannot be imported: ${messageOf(error)}`, { code: "load", cause: error });
}

/** Collects what the Content-Security-Policy blocks. */
function watchPolicy(): string[] {
  const found: string[] = [];
  addEventListener("securitypolicyviolation", (event) => {
    found.push(`${event.blockedURI} by ${event.effectiveDirective}`);
  });
  return found;
}

// Browsers know no xz, but Python does.
const UNPACK = `
import importlib, io, lzma, sysconfig, zipfile

def unpack(wheels):
    for wheel in wheels:
        raw = io.BytesIO(lzma.decompress(wheel.to_bytes()))
        zipfile.ZipFile(raw).extractall(sysconfig.get_path("purelib"))
    importlib.invalidate_caches()

unpack
`;

function unpack(python: Pyodide, wheels: Uint8Array[]): void {
  const run = python.runPython(UNPACK) as { (wheels: Uint8Array[]): void; destroy(): void };
  run(wheels);
  run.destroy();
}

async function loadPackages(python: Pyodide, names: string[]): Promise<string[]> {
  const known = names.filter((name) => canonical(name) in python.lockfile.packages);
  if (known.length > 0) {
    const problems: string[] = [];
    const loaded = await python.loadPackage(known.map(canonical), {
      messageCallback: (message) => {
        if (/fail|error/i.test(message)) problems.push(message);
      },
    });
    if (loaded.length === 0 && problems.length > 0) {
      throw new RemoteMediaError(`packages ${known.join(", ")} cannot be loaded: ${problems.join("; ")}`, {
        code: "load",
      });
    }
  }
  return names.filter((name) => !known.includes(name));
}

/** The name of a requirement, as lock files have it: `scipy` of "SciPy>=1.11". */
export function canonical(requirement: string): string {
  const name = /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(requirement)?.[1] ?? requirement;
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}
