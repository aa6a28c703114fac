// Garbage on the audio thread becomes a collection there, and that becomes a click.
import { buildSync } from "esbuild";
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SCRIPT = `
import { Ring } from "./ring.ts";
import { Recorder } from "./worklets/recorder.ts";
import { Player } from "./worklets/player.ts";
const format = { channels: 2, capacity: 4096, sampleRate: 48000, shared: true };
const capture = Ring.create(format), play = Ring.create(format);
const recorder = new Recorder(capture), player = new Player(play, { live: true, lead: 480, block: 960 });
const input = [new Float32Array(128).fill(0.5)], out = [new Float32Array(128), new Float32Array(128)];
// As the worker does, but without the views that it makes.
const block = [new Float32Array(960), new Float32Array(960)];
let frame = 0;
function quanta(n) {
  for (; n > 0; n--) {
    recorder.process(input, 128, frame);
    const ready = Math.min(capture.ready(), 960);
    if (n % 1000 > 50 && (ready === 960 || capture.final)) { // the rest of the time: underrun, overrun, then too much
      capture.read(block, 0, ready);
      play.push(block, ready);
    }
    if (n % 5000 === 2500) play.clear(n % 10000 === 2500 ? 0 : 480);
    player.process(out, 128, frame);
    frame += 128;
  }
}
quanta(30000);
let bytes = Infinity; // of the quietest of five turns: in the others V8 compiles
for (let turn = 0; turn < 5; turn++) {
  gc();
  const before = process.memoryUsage().heapUsed;
  quanta(100000);
  bytes = Math.min(bytes, process.memoryUsage().heapUsed - before);
}
console.log(JSON.stringify({ bytes, ...play.counters(), lost: capture.counters().overrun }));
`;

test("100,000 quanta of recorder and player allocate nothing", () => {
  const outfile = join(mkdtempSync(join(tmpdir(), "allocation-")), "quanta.mjs");
  buildSync({ stdin: { contents: SCRIPT, resolveDir: fileURLToPath(new URL("../src", import.meta.url)) }, bundle: true, format: "esm", target: "es2022", outfile });
  // One thread, so that V8 compiles at the same places in every run.
  const { bytes, underrun, skipped, cleared, lost } = JSON.parse(execFileSync(process.execPath, ["--expose-gc", "--single-threaded", "--max-semi-space-size=256", outfile], { encoding: "utf8" }));
  expect(Math.min(underrun, skipped, cleared, lost)).toBeGreaterThan(0); // all ways were gone
  // Measured with Node 20.20: 0.02 to 0.14, while V8 still compiles; 256 bytes in all from the ninth turn on. One object per quantum is 12 or more.
  expect(bytes / 100_000).toBeLessThan(1);
});
