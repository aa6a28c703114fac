// Nodes in workers of their own; bench/web.py says what is measured.
import { Pipeline, audio, text } from "../../wasm/src/index.ts";
import type { PipelineEvent } from "../../wasm/src/index.ts";

type Options = { pyodideUrl: string; baseUrl: string };

/** Ends the worker that it runs in. */
const FRAGILE = `
import js
import remotemedia as rm

@rm.node("Fragile", input_caps="text", output_caps="text")
def fragile(text: rm.Text) -> rm.Text:
    if text.text == "end":
        js.self.close()
    return text
`;

function one(node_type: string, executor: string, restart: Record<string, unknown>): Record<string, unknown> {
  return { version: "v1", nodes: [{ id: "n", node_type, executor, ...(executor === "process" && { policy: { restart } }) }] };
}

/** µs there and back without Python, by transferred buffers and through shared memory. */
export function links(rounds: number): Promise<{ transferred: number[]; shared: number[] }> {
  return new Promise((resolve) => {
    const worker = new Worker("/bench/links.js", { type: "module" });
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.postMessage({ type: "run", rounds });
  });
}

/** ms from the page to a node and back, block after block; and what the session measured of its calls, µs. */
export async function roundTrips(executor: string, blocks: number, options: Options): Promise<{ ms: number[]; p50: number; p99: number }> {
  const pipeline = await Pipeline.load(one("PassThrough", executor, { spare: false }), options);
  await pipeline.start();
  const outputs = pipeline.outputs();
  const ms: number[] = [];
  for (let n = 0; n < blocks + 300; n++) {
    const began = performance.now();
    void pipeline.send(audio(new Float32Array(960), 48_000));
    await outputs.next();
    if (n >= 300) ms.push(performance.now() - began);
  }
  const latency = (await pipeline.metrics()).nodes[0]!.latency;
  await pipeline.close();
  return { ms, p50: latency.p50_us ?? 0, p99: latency.p99_us ?? 0 };
}

/** ms until a session with one node in a worker has started; until one without has. */
export async function starts(options: Options): Promise<{ worker: number; inline: number }> {
  const took = { worker: 0, inline: 0 };
  for (const [name, executor] of [["worker", "process"], ["inline", "inline"]] as const) {
    const pipeline = await Pipeline.load(one("PassThrough", executor, { spare: false }), options);
    const began = performance.now();
    await pipeline.start();
    took[name] = performance.now() - began;
    await pipeline.close();
  }
  return took;
}

/** ms from the end of a worker to the death being told, and to the first output of the one that took its place. */
export async function restarts(rounds: number, spare: boolean, options: Options): Promise<{ told: number[]; output: number[] }> {
  const manifest = one("Fragile", "process", { spare, delay_ms: 0, max_restarts: 1000 });
  const pipeline = await Pipeline.load(manifest, { ...options, source: FRAGILE });
  const told: number[] = [];
  const output: number[] = [];
  let began = 0;
  let heard: (event: PipelineEvent) => void = () => undefined;
  void (async () => {
    for await (const event of pipeline.events()) heard(event);
  })();
  await pipeline.start();
  const outputs = pipeline.outputs();
  for (let round = 0; round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, spare ? 6_000 : 500)); // until there is a spare
    const death = new Promise<void>((resolve) => {
      heard = (event) => {
        if (event.kind === "session" && event.what === "restart") resolve();
      };
    });
    began = performance.now();
    await pipeline.send(text("end"));
    await outputs.next(); // it still answers, then closes
    await death;
    told.push(performance.now() - began);
    await pipeline.send(text("more"));
    await outputs.next();
    output.push(performance.now() - began);
  }
  await pipeline.close();
  return { told, output };
}
