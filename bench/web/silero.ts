// Silero's model in a page; bench/web_models.py says what is measured.
import { Pipeline, audio } from "../../wasm/src/index.ts";

type Options = { pyodideUrl: string; baseUrl: string; onnxUrl: string; modelsUrl: string };
export interface Frames {
  /** Of each frame. */
  ms: number[];
  probabilities: number[];
}

/** `SileroVAD` called by hand, a frame at a time; then the probabilities of the same frames. */
const NODE = `
import time
import remotemedia as rm
from remotemedia.node import Context

FRAME = 512


class BenchSilero(rm.Node):
    class Params(rm.Params, frozen=True):
        backend: str

    input_caps = "audio(sample_rate=16000, format=F32)"
    output_caps = "json"

    async def open(self, ctx):
        # The code of models comes after this source was read.
        from remotemedia.nodes.models.silero_stream import Prober
        from remotemedia.nodes.models.silero_vad import SileroVAD

        self.vad = SileroVAD()
        self.vad.backend = self.params.backend
        await self.vad.open(Context("vad", ctx.clock, {}, {}))
        self.prober = Prober(self.vad.model, 16000)

    async def process(self, audio):
        frames = [
            audio.samples[:, start : start + FRAME]
            for start in range(0, audio.frames - FRAME + 1, FRAME)
        ]
        ms, probabilities = [], []
        for frame in frames:
            block = rm.Audio.unchecked(frame, 16000, None, None, None)
            began = time.perf_counter()
            await self.vad.process(block)
            ms.append(1000 * (time.perf_counter() - began))
        for frame in frames:
            outputs = await self.vad.model.arun(self.prober.put(frame))
            probabilities.append(self.prober.take(outputs))
        return rm.Json({"ms": ms, "probabilities": probabilities})

    def close(self):
        self.vad.close()


rm.node("BenchSilero")(BenchSilero)
`;

function manifest(backend: string): Record<string, unknown> {
  return {
    version: "v1",
    nodes: [
      { id: "bench", node_type: "BenchSilero", params: { backend } },
      { id: "vad", node_type: "SileroVAD" }, // for it the page loads the code of models
    ],
  };
}

/** Runs frames one after the other: the node in a worker of ours, or the model alone in a worker without Python. */
export interface Runner {
  run(samples: Float32Array<ArrayBuffer>): Promise<Frames>;
  close(): Promise<void>;
}

export async function ours(backend: string, options: Options): Promise<Runner> {
  const pipeline = await Pipeline.load(manifest(backend), { ...options, source: NODE, hangTimeoutMs: Infinity });
  await pipeline.start();
  const outputs = pipeline.outputs();
  void (async () => {
    for await (const event of pipeline.events()) if (event.kind === "error") console.error(event.error.message);
  })();
  return {
    run: async (samples) => {
      await pipeline.send(audio(samples, 16_000), { to: "bench" });
      const { value } = await outputs.next();
      if (value?.data.type !== "json") throw new Error("no figures came");
      return value.data.value as unknown as Frames;
    },
    close: () => pipeline.close(),
  };
}

export async function raw(options: Options): Promise<Runner> {
  const worker = new Worker("/bench/silero_raw.js", { type: "module" });
  const ask = (message: unknown): Promise<Frames> =>
    new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message));
      worker.onmessage = ({ data }: MessageEvent<Frames>) => resolve(data);
      worker.postMessage(message);
    });
  await ask(options);
  return { run: (samples) => ask(samples), close: async () => worker.terminate() };
}
