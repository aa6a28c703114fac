// What the end-to-end tests call in a page: the public package, and ways to keep what comes out.
import * as web from "/web/index.js";

window.web = web;
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
});

/** Every worker that was started and not terminated, and the frames that each posted. */
window.workers = new Set();
window.frames = [];
const RealWorker = window.Worker;
window.Worker = class extends RealWorker {
  constructor(...given) {
    super(...given);
    window.workers.add(this);
    this.addEventListener("message", ({ data }) => {
      if (data.type === "packet" && window.keepFrames) window.frames.push(data.frame.slice());
    });
  }
  terminate() {
    window.workers.delete(this);
    super.terminate();
  }
};

const params = new URLSearchParams(location.search);
const DEFAULTS = { pyodideUrl: "/pyodide/", onnxUrl: "/onnx/", modelsUrl: "/models/" };
if (params.get("link") === "transferred") DEFAULTS.sharedMemory = false;

window.load = (manifest, options = {}) => web.Pipeline.load(manifest, { ...DEFAULTS, ...options });

/** What a page tells of an error. */
window.told = (error) => ({
  name: error.name,
  code: error.code,
  message: error.message,
  node: error.node,
  port: error.port,
  traceback: error.traceback,
  problems: error.problems,
});

/** Load, and give back the error instead of raising it. */
window.loadError = async (manifest, options) => {
  try {
    const pipeline = await window.load(manifest, options);
    await pipeline.close();
    return null;
  } catch (error) {
    return window.told(error);
  }
};

/** Run a file through a manifest and post the frames of all packets to the server. */
window.runFile = async (manifest, file, post, options = {}) => {
  const pipeline = await window.load(manifest, options);
  window.frames = [];
  window.keepFrames = true;
  try {
    await pipeline.start();
    const reading = (async () => {
      let count = 0;
      for await (const packet of pipeline.outputs()) count += packet.data ? 1 : 0;
      return count;
    })();
    const connection = await pipeline.connectFile(file, { blockMs: options.blockMs ?? 20 });
    await connection.ended;
    const count = await reading;
    const sent = new Blob(window.frames);
    await fetch(post, { method: "POST", body: sent });
    return { count, frames: window.frames.length, bytes: sent.size, link: pipeline.link };
  } finally {
    window.keepFrames = false;
    await pipeline.close();
  }
};

/** The next packet; reads no longer than that. */
window.nextOf = async (pipeline, wanted = () => true) => {
  for await (const packet of pipeline.outputs()) if (wanted(packet)) return packet;
  return null;
};

window.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Wait until something is so. */
window.until = async (what, ms = 20000) => {
  const end = Date.now() + ms;
  for (;;) {
    const value = await what();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not so within ${ms} ms: ${what}`);
    await window.sleep(20);
  }
};

/** Collect the events of a pipeline. */
window.eventsOf = (pipeline) => {
  const seen = [];
  (async () => {
    for await (const event of pipeline.events()) seen.push(event);
  })();
  return seen;
};

/** A float32 WAV file, written here by hand. */
window.wavOf = (samples, rate) => {
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, value) => [...value].forEach((char, n) => head.setUint8(at + n, char.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 36 + samples.byteLength, true);
  text(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 3, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, rate, true);
  head.setUint32(28, rate * 4, true);
  head.setUint16(32, 4, true);
  head.setUint16(34, 32, true);
  text(36, "data");
  head.setUint32(40, samples.byteLength, true);
  return new Blob([head.buffer, samples]);
};

window.bytesOf = async (blob) => Array.from(new Uint8Array(await blob.arrayBuffer()));
window.ready = true;
