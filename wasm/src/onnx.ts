// In a worker: runs models for Python, by onnxruntime-web, and gets their files. Arrays travel through
// Python's memory: Python says where they are, and nothing is made for a run but ONNX's own tensors.
import { download } from "./assets.ts";
import { RemoteMediaError, messageOf } from "./errors.ts";
import { Turns } from "./turns.ts";

export interface OnnxOptions {
  /** Folder of onnxruntime-web's files. */
  onnxUrl: string;
  /** Folder of the page's own models; null: they are where their makers have them. */
  modelsUrl: string | null;
  /** What relative paths are relative to. */
  pageUrl: string;
}

type Elements = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: Elements;
}
interface OrtValue {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}
interface OrtSession {
  readonly inputMetadata: readonly OrtValue[];
  readonly outputMetadata: readonly OrtValue[];
  run(feeds: Record<string, OrtTensor>, names: string[]): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}
interface Ort {
  readonly env: { logLevel: string; wasm: { numThreads: number; wasmPaths: string } };
  readonly InferenceSession: { create(file: Uint8Array, options: Record<string, unknown>): Promise<OrtSession> };
  readonly Tensor: new (type: string, data: Elements, dims: readonly number[]) => OrtTensor;
}

const FLOAT16 = (globalThis as { Float16Array?: typeof Uint16Array }).Float16Array ?? Uint16Array;
const ELEMENTS: Record<string, new (length: number) => Elements> = {
  float32: Float32Array, float64: Float64Array, float16: FLOAT16, bool: Uint8Array,
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
};
const CACHE = "remotemedia-models";

/** One array in Python's memory. */
interface Place {
  name: string;
  dtype: string;
  shape: number[];
  address: number;
}

/** What Python finds as `remotemedia_onnx`. */
export class OnnxHost {
  readonly modelsUrl: string | null;
  readonly pageUrl: string;
  readonly #url: string;
  readonly #memory: () => Uint8Array;
  // All sessions share one stack in WebAssembly, on which a run has its arrays while it awaits: with another one
  // beside it they are overwritten, and what comes out is wrong, or worse.
  readonly #turns = new Turns();
  #ort: Promise<Ort> | undefined;
  #gpu = false;

  constructor({ onnxUrl, modelsUrl, pageUrl }: OnnxOptions, memory: () => Uint8Array) {
    this.modelsUrl = modelsUrl;
    this.pageUrl = pageUrl;
    this.#url = onnxUrl;
    this.#memory = memory;
  }

  /** What models can run on here. */
  providers(): string[] {
    return "gpu" in navigator ? ["wasm", "webgpu"] : ["wasm"];
  }

  /** Open a model. It calls `done(layout, failure)` after each run. */
  async open(file: Uint8Array, providers: string[], threads: number, done: Done): Promise<OnnxSession> {
    const ort = await this.#load(providers.includes("webgpu"), threads);
    const session = await this.#turns.run(() => ort.InferenceSession.create(file, { executionProviders: providers, logSeverityLevel: 3 }));
    return new OnnxSession(ort, session, this.#turns, this.#memory, done);
  }

  /** The bytes at an address: from the browser's cache, or else downloaded. */
  async get(url: string, arrived?: (bytes: number) => void): Promise<Uint8Array> {
    const cache = await this.#cache();
    const kept = await cache?.match(url);
    if (kept !== undefined) return new Uint8Array(await kept.arrayBuffer());
    // What is kept here need not be kept by the browser, and a service worker, as well.
    return download(url, "modelsUrl", { init: cache === undefined ? {} : { cache: "no-store" }, arrived });
  }

  /** Keep for later pages what was found to be right. */
  async keep(url: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const cache = await this.#cache();
    if (cache === undefined || (await cache.match(url)) !== undefined) return;
    try {
      await cache.put(url, new Response(content));
    } catch (error) {
      console.warn(`the model ${url} is not kept in the browser's cache: ${messageOf(error)}`);
    }
  }

  /** Drop what was found to be wrong. */
  async drop(url: string): Promise<void> {
    await (await this.#cache())?.delete(url);
  }

  /** None where the page is not secure, or the browser keeps nothing. */
  async #cache(): Promise<Cache | undefined> {
    return (globalThis as { caches?: CacheStorage }).caches?.open(CACHE).catch(() => undefined);
  }

  /** The runtime; what the first model asks for decides which build of it, and how many threads. */
  #load(gpu: boolean, threads: number): Promise<Ort> {
    if (gpu && this.#ort !== undefined && !this.#gpu) {
      throw new RemoteMediaError("a model that is open already made this page load onnxruntime-web without WebGPU: open the one with WebGPU first", { code: "load" });
    }
    this.#gpu ||= gpu;
    this.#ort ??= this.#import(gpu, threads);
    return this.#ort;
  }

  async #import(gpu: boolean, threads: number): Promise<Ort> {
    const url = `${this.#url}${gpu ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs"}`;
    try {
      const ort = (await import(/* @vite-ignore */ url)) as Ort;
      ort.env.logLevel = "error";
      ort.env.wasm.wasmPaths = this.#url;
      ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? threads : 1;
      return ort;
    } catch (error) {
      this.#ort = undefined;
      throw new RemoteMediaError(`onnxruntime-web cannot be loaded from ${url}: ${messageOf(error)}: is onnxUrl the folder of its files?`, {
        code: "load",
        cause: error,
      });
    }
  }
}

/** After a run: where its outputs are to be, if that is not known yet, or what went wrong. */
type Done = (layout?: string, failure?: string) => void;

/** A model that is open. One run at a time. */
export class OnnxSession {
  readonly #ort: Ort;
  readonly #session: OrtSession;
  readonly #turns: Turns;
  readonly #memory: () => Uint8Array;
  readonly #done: Done;
  #feeds: Record<string, OrtTensor> = {};
  #inputs: [number, Uint8Array][] = [];
  #names: string[] = [];
  readonly #outputs: Uint8Array[] = [];
  readonly #shapes: [string, readonly number[]][] = [];
  #addresses: number[] = [];

  constructor(ort: Ort, session: OrtSession, turns: Turns, memory: () => Uint8Array, done: Done) {
    this.#ort = ort;
    this.#session = session;
    this.#turns = turns;
    this.#memory = memory;
    this.#done = done;
  }

  /** What it takes and gives, as JSON. */
  describe(): string {
    const values = (found: readonly OrtValue[]): unknown[] =>
      found.map(({ name, isTensor, type, shape }) => ({ name, dtype: isTensor ? type : "", shape: shape ?? [] }));
    return JSON.stringify({ inputs: values(this.#session.inputMetadata), outputs: values(this.#session.outputMetadata) });
  }

  /** Where the inputs are from now on, and which outputs are wanted; as JSON. */
  place(text: string): void {
    const { inputs, outputs } = JSON.parse(text) as { inputs: Place[]; outputs: string[] };
    this.#feeds = {};
    this.#inputs = inputs.map(({ name, dtype, shape, address }) => {
      const Kind = ELEMENTS[dtype];
      if (Kind === undefined) throw new TypeError(`input ${name} is ${dtype}, which onnxruntime-web has not`);
      const elements = new Kind(shape.reduce((product, size) => product * size, 1));
      this.#feeds[name] = new this.#ort.Tensor(dtype, elements, shape);
      return [address, bytesOf(elements)];
    });
    this.#names = outputs;
  }

  /** Run it on what is there, when no other model runs. */
  run(): void {
    this.#turns.take(() => this.#begin());
  }

  async close(): Promise<void> {
    await this.#turns.run(() => this.#session.release());
  }

  #begin(): void {
    const heap = this.#memory();
    for (const [address, bytes] of this.#inputs) bytes.set(heap.subarray(address, address + bytes.length));
    const began = performance.now();
    this.#session.run(this.#feeds, this.#names).then(
      (found) => this.#end(began, () => this.#give(found)),
      (error: unknown) => this.#end(began, () => this.#done("", messageOf(error) || "no reason is given")),
    );
  }

  #end(began: number, then: () => void): void {
    try {
      inTurn(began, then);
    } finally {
      this.#turns.leave();
    }
  }

  /** Write the outputs of the last run to these addresses, and those of later ones of the same shapes. */
  take(addresses: Iterable<number>): void {
    this.#addresses = [...addresses];
    this.#write();
  }

  #give(found: Record<string, OrtTensor>): void {
    let isNew = this.#shapes.length !== this.#names.length;
    this.#names.forEach((name, index) => {
      const { data, type, dims } = found[name] as OrtTensor;
      this.#outputs[index] = bytesOf(data);
      const last = this.#shapes[index];
      if (last?.[0] !== type || last[1].length !== dims.length || dims.some((size, axis) => size !== last[1][axis])) {
        this.#shapes[index] = [type, dims];
        isNew = true;
      }
    });
    if (isNew) {
      this.#done(JSON.stringify(this.#shapes));
    } else {
      this.#write();
      this.#done();
    }
  }

  #write(): void {
    const heap = this.#memory();
    this.#outputs.forEach((bytes, index) => heap.set(bytes, this.#addresses[index]));
  }
}

// A run ends in a microtask: a worker that makes one after the other would hear nothing meanwhile, not
// even that it is to stop. So now and then the end waits until messages and timers had their turn.
const TURN_MS = 16;
let turns: MessageChannel | undefined;
const waiting: (() => void)[] = [];
let spent = 0;

function inTurn(began: number, then: () => void): void {
  spent += performance.now() - began;
  if (spent < TURN_MS) {
    then();
    return;
  }
  spent = 0;
  if (turns === undefined) {
    turns = new MessageChannel();
    turns.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(then);
  turns.port2.postMessage(null);
}

function bytesOf(elements: Elements): Uint8Array {
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}
