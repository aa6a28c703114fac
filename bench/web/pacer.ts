// The audio thread of a paced run: puts a block into one ring every 20 ms, to the tick, and waits for what
// comes out of the other.
import { WROTE } from "../../wasm/src/ring-layout.ts";
import { Ring } from "../../wasm/src/ring.ts";

interface Task {
  input: SharedArrayBuffer;
  output: SharedArrayBuffer;
  samples: Float32Array;
  blocks: number;
  block: number;
}

const PERIOD_MS = 20;
/** Blocks that warm up, and whose output the resampler still holds back. */
const WARM = 50;
/** A block of which nothing comes is given up. */
const LOST_MS = 1000;

onmessage = ({ data }: MessageEvent<Task>) => {
  const { samples, blocks, block } = data;
  const input = Ring.attach(data.input);
  const output = Ring.attach(data.output);
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const took: number[] = [];
  const began = performance.now();
  for (let n = 0; n < blocks + WARM; n++) {
    const due = began + n * PERIOD_MS;
    for (let left = due - performance.now(); left > 0; left = due - performance.now()) {
      Atomics.wait(clock, 0, 0, left);
    }
    const start = (n * block) % (samples.length - block);
    const before = output.counters().written;
    const put = performance.now();
    input.push([samples.subarray(start, start + block)], block);
    while (output.counters().written === before && performance.now() - put < LOST_MS) {
      const seen = output.wantFrames(1);
      if (output.counters().written === before) Atomics.wait(output.words, WROTE, seen, 5);
    }
    if (n >= WARM) took.push(performance.now() - put);
    output.drop(output.ready());
  }
  postMessage(took);
};
