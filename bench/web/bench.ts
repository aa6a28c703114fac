// What the benchmarks call in a page; bench/web.py says what each is for. The measurements look inside the
// package (rings, the worker's messages), as its tests do.
import { ASSETS } from "../../wasm/src/assets.generated.ts";
import { Pipeline, audio } from "../../wasm/src/index.ts";
import type { PipelineMetrics } from "../../wasm/src/index.ts";
import { createLink } from "../../wasm/src/links.ts";
import type { Metrics } from "../../wasm/src/protocol.generated.ts";
import { Remote } from "../../wasm/src/remote.ts";
import { DIRECT, PASS, dspGraph } from "./graphs.ts";
import { ours, raw } from "./silero.ts";
import type { Frames } from "./silero.ts";
import { links, restarts, roundTrips, starts } from "./workers.ts";

const PYODIDE = new URL("/pyodide/", location.href).href;
const OPTIONS = { pyodideUrl: PYODIDE, baseUrl: "/bench/assets/" };
const RATE = 48_000;
const BLOCK = 960;
const CAPACITY = 2 ** 20;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function recording(): Promise<Float32Array<ArrayBuffer>> {
  const file = await (await fetch("/recordings/two_cities.wav")).arrayBuffer();
  const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(file);
  return new Float32Array(decoded.getChannelData(0));
}

/** ms of a boot of Pyodide with numpy alone, in a worker, from a folder of this server. */
function bootBare(folder: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const worker = new Worker(`/bench/bare.js?folder=${folder}`, { type: "module" });
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = () => {
      resolve(performance.now() - began);
      worker.terminate();
    };
  });
}

/** ms until the first block came out of a graph, and the longest time without a sign of progress. */
async function bootOurs(): Promise<{ ms: number; silence: number }> {
  const began = performance.now();
  let last = began;
  let silence = 0;
  const onProgress = (): void => {
    const now = performance.now();
    silence = Math.max(silence, now - last);
    last = now;
  };
  const pipeline = await Pipeline.load(dspGraph("medium", true), { ...OPTIONS, onProgress });
  await pipeline.start();
  await pipeline.send(audio(new Float32Array(BLOCK), RATE));
  await pipeline.outputs().next();
  const ms = performance.now() - began;
  await pipeline.close();
  return { ms, silence };
}

async function firstError(pipeline: Pipeline): Promise<never> {
  for await (const event of pipeline.events()) if (event.kind === "error") throw event.error;
  throw new Error("the pipeline was closed");
}

/** What went wrong in a worker without a pipeline. */
let failure = "";

/** A worker without a pipeline around it. */
async function bare(manifest: Record<string, unknown>): Promise<Remote> {
  const assets = (["remotemedia", "msgspec"] as const).map((name) => {
    const { file, sha256, size } = ASSETS[name];
    return { name, url: new URL(`/bench/assets/${file}`, location.href).href, sha256, size };
  });
  const nothing = (): void => undefined;
  const remote = await Remote.boot(
    { pyodideUrl: PYODIDE, assets, expected: {}, shared: true, hangTimeoutMs: Infinity },
    {
      onProgress: nothing, onPacket: nothing, onEnded: nothing, onHung: nothing,
      onHappened: (event) => (failure ||= event.error.message),
      onDeath: (reason) => (failure ||= reason),
    },
  );
  await remote.ask({ type: "load", manifest });
  await remote.ask({ type: "start" });
  return remote;
}

/** Rings in front of and behind the graph; the bench is the audio thread. */
async function attach(remote: Remote, from: string, fill?: Float32Array): Promise<ReturnType<typeof createLink>[]> {
  const input = createLink({ channels: 1, capacity: CAPACITY, sampleRate: RATE, shared: true });
  const output = createLink({ channels: 1, capacity: CAPACITY, sampleRate: 16_000, shared: true });
  if (fill !== undefined) input.ring!.push([fill], fill.length);
  await remote.attach(
    { type: "attachWriter", connection: "out", from, live: true },
    { connection: "out", endpoint: output.worker, maxFrames: 16_000, live: true },
  );
  void remote.attach(
    { type: "attachReader", connection: "in", to: "mix" },
    { connection: "in", endpoint: input.worker, blockFrames: BLOCK },
  );
  return [input, output];
}

/** Seconds per block through ring, session, five nodes, ring, as quickly as it goes; one figure a round. */
async function unpaced(quality: string, rounds: number): Promise<number[]> {
  const remote = await bare(dspGraph(quality));
  const blocks = Math.floor((CAPACITY - 1) / BLOCK);
  const samples = (await recording()).subarray(0, blocks * BLOCK);
  const took: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const [input] = await attach(remote, "chunk", samples);
    while (failure === "" && input!.ring!.counters().filled >= BLOCK) await sleep(1);
    await remote.ask({ type: "finish" }); // answered when all of it is through
    took.push((performance.now() - began) / 1000 / blocks);
    if (failure !== "") throw new Error(failure);
    await remote.ask({ type: "stop" });
    await remote.ask({ type: "start" });
  }
  remote.terminate();
  return took;
}

/** Seconds per block of the same nodes called by hand, in such a worker. */
async function direct(quality: string, rounds: number): Promise<{ seconds_per_block: number[]; blocks: number }> {
  const manifest = { version: "v1", nodes: [{ id: "d", node_type: "Direct", params: { quality, rounds } }] };
  const pipeline = await Pipeline.load(manifest, { ...OPTIONS, source: DIRECT, hangTimeoutMs: Infinity });
  await pipeline.start();
  const blocks = Math.floor((CAPACITY - 1) / BLOCK);
  await pipeline.send(audio((await recording()).slice(0, blocks * BLOCK), RATE));
  const { value } = await Promise.race([pipeline.outputs().next(), firstError(pipeline)]);
  await pipeline.close();
  if (value?.data.type !== "json") throw new Error("no figures came");
  return value.data.value as { seconds_per_block: number[]; blocks: number };
}

/** ms from a block in the ring to what comes of it in the other ring; a block every 20 ms. */
async function paced(quality: string, blocks: number): Promise<{ ms: number[]; nodes: Metrics["nodes"] }> {
  const remote = await bare(dspGraph(quality, true));
  const [input, output] = await attach(remote, "to16k");
  const samples = await recording();
  const pacer = new Worker("/bench/pacer.js", { type: "module" });
  const ms = await new Promise<number[]>((resolve, reject) => {
    pacer.onerror = (event) => reject(new Error(event.message));
    pacer.onmessage = ({ data }: MessageEvent<number[]>) => resolve(data);
    pacer.postMessage({ input: input!.ring!.buffer, output: output!.ring!.buffer, samples, blocks, block: BLOCK });
  });
  const { nodes } = await remote.ask<Metrics>({ type: "metrics" });
  pacer.terminate();
  remote.terminate();
  return { ms, nodes };
}

interface Loop {
  latencyMs: number | null;
  underrun: number;
  prefill: number;
  skipped: number;
  overrun: number;
  played: number;
  captured: number;
  seconds: number;
  memory: number[];
  heap: number[];
}

/** Microphone → Python → speaker, with a main thread that is blocked for 200 ms every 2 s. */
async function loop(seconds: number, manifest: Record<string, unknown> | null, block: boolean): Promise<Loop> {
  const pipeline = await Pipeline.load(manifest ?? PASS, OPTIONS);
  await pipeline.start();
  await pipeline.connectMicrophone();
  await pipeline.connectSpeaker();
  const rings = async () => {
    const { rings, memoryBytes } = (await pipeline.metrics()) as PipelineMetrics;
    const of = (kind: string) => rings.find((ring) => ring.kind === kind)!;
    return { microphone: of("microphone"), speaker: of("speaker"), memoryBytes };
  };
  while ((await rings()).speaker.read < RATE / 2) await sleep(20);
  const begin = await rings();
  const busy = setInterval(() => {
    const end = performance.now() + 200;
    while (block && performance.now() < end);
  }, 2000);
  const memory: number[] = [];
  const heap: number[] = [];
  const started = performance.now();
  for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - started) {
    await sleep(Math.min(10_000, seconds * 1000 - elapsed));
    memory.push((await rings()).memoryBytes);
    heap.push((performance as Performance & { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
  }
  clearInterval(busy);
  const end = await rings();
  await pipeline.close();
  const { writeClock } = end.microphone;
  const { readClock } = end.speaker;
  return {
    latencyMs: writeClock === null || readClock === null ? null : ((readClock - writeClock) / RATE) * 1000,
    prefill: begin.speaker.underrun,
    underrun: end.speaker.underrun - begin.speaker.underrun,
    skipped: end.speaker.skipped - begin.speaker.skipped,
    overrun: end.microphone.overrun - begin.microphone.overrun,
    played: end.speaker.read - begin.speaker.read,
    captured: end.microphone.written - begin.microphone.written,
    seconds: (performance.now() - started) / 1000,
    memory,
    heap,
  };
}

/** A pipeline that is started and stopped again and again, with a stream and a speaker connected. */
async function cycles(): Promise<{ run(count: number): Promise<void>; memory(): Promise<number>; close(): Promise<void> }> {
  const context = new AudioContext();
  const target = new MediaStreamAudioDestinationNode(context);
  const tone = new OscillatorNode(context);
  tone.connect(target);
  tone.start();
  const pipeline = await Pipeline.load(PASS, OPTIONS);
  const once = async (): Promise<void> => {
    await pipeline.start();
    await pipeline.connectStream(target.stream);
    await pipeline.connectSpeaker();
    for await (const packet of pipeline.outputs()) if (packet.data.type === "audio") break;
    await pipeline.stop();
  };
  return {
    run: async (count) => {
      for (let n = 0; n < count; n++) await once();
    },
    memory: async () => (await pipeline.metrics()).memoryBytes,
    close: () => pipeline.close(),
  };
}

const workers = {
  links,
  roundTrips: (executor: string, blocks: number) => roundTrips(executor, blocks, OPTIONS),
  starts: () => starts(OPTIONS),
  restarts: (rounds: number, spare: boolean) => restarts(rounds, spare, OPTIONS),
};

const MODELS = { ...OPTIONS, onnxUrl: "/onnx/", modelsUrl: "/models/" };

/** Silero's model on a file of 16 kHz float32 samples, in turns of some frames each; each row goes through all of it. */
async function silero(file: string, frames: number): Promise<Record<string, Frames>> {
  const samples = new Float32Array(await (await fetch(file)).arrayBuffer());
  const runners = { raw: await raw(MODELS), ours: await ours("onnxruntime-web", MODELS), numpy: await ours("numpy", MODELS) };
  const found: Record<string, Frames> = {};
  for (let start = 0; start < samples.length; start += 512 * frames) {
    for (const [name, runner] of Object.entries(runners)) {
      const { ms, probabilities } = await runner.run(samples.slice(start, start + 512 * frames));
      const all = (found[name] ??= { ms: [], probabilities: [] });
      all.ms.push(...ms);
      all.probabilities.push(...probabilities);
    }
  }
  for (const runner of Object.values(runners)) await runner.close();
  return found;
}

Object.assign(window, { silero, cycles, bootBare, bootOurs, unpaced, direct, paced, loop, workers, ready: true });
