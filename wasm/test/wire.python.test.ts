// The same frames through the codec in Python: what one side writes the other reads, and both refuse the same.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { decode, encode, WireError } from "../src/wire/index.ts";
import { mutated, Random, randomItem } from "./random.ts";
import { broken, frameOf, valid } from "./wire.golden.ts";

const PYTHON = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

// Reads u32 size | frame, again and again; writes a line for each: what encode makes of what decode makes of it in hex,
// or the field and offset of the error.
const PROGRAM = `
import struct, sys
from remotemedia import wire
from remotemedia.errors import WireError
frames = sys.stdin.buffer.read()
pos = 0
while pos < len(frames):
    (size,) = struct.unpack_from("<I", frames, pos)
    frame = frames[pos + 4 : pos + 4 + size]
    pos += 4 + size
    try:
        session, _, item = wire.decode(frame)
        print(wire.encode(item, session).hex())
    except WireError as error:
        print(f"! {error.offset} {error.field.encode().hex()}")
`;

function throughPython(frames: readonly Uint8Array[]): string[] {
  if (!existsSync(PYTHON)) throw new Error(`${PYTHON} is missing: this test needs the codec in Python, so run \`make install\``);
  const sizes = (frame: Uint8Array) => Uint8Array.from(new Uint8Array(Uint32Array.of(frame.length).buffer));
  const input = Buffer.concat(frames.flatMap((frame) => [sizes(frame), frame]));
  const run = spawnSync(PYTHON, ["-c", PROGRAM], { input, cwd: ROOT, encoding: "utf-8", maxBuffer: 2 ** 30 });
  if (run.status !== 0) throw new Error(`Python failed: ${run.stderr || String(run.error)}`);
  return run.stdout.split("\n").slice(0, -1);
}

it("reads every random packet, and writes the same bytes", () => {
  const random = new Random(9);
  const frames = Array.from({ length: 500 }, () => encode(randomItem(random), random.pick(["", "s", "Zoë"])));
  const lines = throughPython(frames);
  expect(lines.length).toBe(frames.length);
  lines.forEach((line, index) => expect(line).toBe(Buffer.from(frames[index]!).toString("hex")));
});

it("makes the same of every golden frame of the plain form", () => {
  const vectors = valid.filter((vector) => vector.options.bare_audio_rate === undefined);
  const lines = throughPython(vectors.map(frameOf));
  vectors.forEach((vector, index) => {
    const { item, session } = decode(frameOf(vector));
    expect(lines[index], vector.name).toBe(Buffer.from(encode(item, session)).toString("hex"));
  });
});

it("says the same of frames with random changes: what is in them, or which field is wrong where", () => {
  const random = new Random(10);
  const sound = Array.from({ length: 300 }, () => encode(randomItem(random)));
  const originals = [...[...valid, ...broken].map(frameOf), ...sound.filter((frame) => frame.length < 5000)];
  const frames = Array.from({ length: 10_000 }, () => mutated(random, random.pick(originals)));
  const lines = throughPython(frames);
  let accepted = 0;
  frames.forEach((frame, index) => {
    const ours = verdict(frame);
    let theirs = lines[index]!;
    if (!theirs.startsWith("!")) {
      accepted++;
      theirs = verdict(Buffer.from(theirs, "hex")); // which makes integers of whole floats there too
    }
    // Of two faults Python may name the one behind the map, when it has not looked into metadata and value yet.
    const [first, second] = [ours, theirs].map((line) => Buffer.from(line.split(" ")[2] ?? "", "hex").toString());
    if (/^(metadata|value)$/.test(first!) && /^(padding|body)$/.test(second!)) return;
    expect(ours, Buffer.from(frame).toString("hex")).toBe(theirs);
  });
  expect(accepted).toBeGreaterThan(1000);
});

function verdict(frame: Uint8Array): string {
  try {
    const { item, session } = decode(frame);
    return Buffer.from(encode(item, session)).toString("hex");
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return `! ${error.offset} ${Buffer.from(error.field).toString("hex")}`;
  }
}
