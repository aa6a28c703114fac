// The floor: Silero's model by onnxruntime-web in a worker, and nothing else; its state is fed back as it comes.
const FRAME = 512;
const CONTEXT = 64;
let session, ort;
let state, window_;
const { performance } = globalThis;

async function open({ onnxUrl, modelsUrl }) {
  const folder = new URL(onnxUrl, location.href).href;
  ort = await import(`${folder}ort.wasm.min.mjs`);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = 1;
  const file = await (await fetch(`${modelsUrl}silero-vad/silero_vad_op18_ifless.onnx`)).arrayBuffer();
  session = await ort.InferenceSession.create(new Uint8Array(file), { executionProviders: ["wasm"], logSeverityLevel: 3 });
  state = new ort.Tensor("float32", new Float32Array(256), [2, 1, 128]);
  window_ = new Float32Array(CONTEXT + FRAME);
}

async function run(samples) {
  const ms = [];
  const probabilities = [];
  const sr = new ort.Tensor("int64", BigInt64Array.of(16000n), []);
  for (let start = 0; start + FRAME <= samples.length; start += FRAME) {
    const began = performance.now();
    window_.copyWithin(0, FRAME);
    window_.set(samples.subarray(start, start + FRAME), CONTEXT);
    const input = new ort.Tensor("float32", window_, [1, CONTEXT + FRAME]);
    const { output, stateN } = await session.run({ input, state, sr });
    state = stateN;
    ms.push(performance.now() - began);
    probabilities.push(output.data[0]);
  }
  return { ms, probabilities };
}

onmessage = async ({ data }) => {
  if (data instanceof Float32Array) {
    postMessage(await run(data));
  } else {
    await open(data);
    postMessage(null);
  }
};
