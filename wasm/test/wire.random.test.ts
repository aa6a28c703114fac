import { describe, expect, it } from "vitest";
import { decode, encode, WireError } from "../src/wire/index.ts";
import { mutated, Random, randomItem } from "./random.ts";
import { bits, broken, frameOf, valid } from "./wire.golden.ts";

describe("random packets", () => {
  it.each([1, 2, 3, 4])("come back as they were (seed %i)", (seed) => {
    const random = new Random(seed);
    for (let each = 0; each < 250; each++) {
      const item = randomItem(random);
      const session = random.pick(["", "s", "Zoë", "x".repeat(random.int(0, 130))]);
      const frame = encode(item, session);
      const decoded = decode(frame);
      expect(decoded.session).toBe(session);
      expect(decoded.timestampUs).toBe(item.timestampUs);
      expect(bits(decoded.item)).toBe(bits(item));
      expect(Buffer.compare(encode(decoded.item, session), frame)).toBe(0);
    }
  });
});

describe("frames with random changes", () => {
  it.each([5, 6, 7, 8])("are read, or refused by a WireError that names a place in them (seed %i)", (seed) => {
    const random = new Random(seed);
    const frames = [...valid, ...broken].map(frameOf);
    let refused = 0;
    for (let each = 0; each < 5000; each++) {
      const frame = mutated(random, random.pick(frames));
      const before = Buffer.from(frame);
      try {
        decode(frame, random.bool() ? { bareAudioRate: 24000 } : {});
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        refused++;
        const isPlace = error.offset >= 0 && error.offset <= frame.length;
        if (!isPlace || error.message.length - error.field.length > 250) expect.fail(error.message);
      }
      if (Buffer.compare(before, frame) !== 0) expect.fail("reading has changed the frame");
    }
    expect(refused).toBeGreaterThan(2000);
    expect(refused).toBeLessThan(5000);
  });
});

describe("hostile frames", () => {
  const COUNT = 2_000_000;
  const value = (...parts: (number[] | Uint8Array)[]) => {
    const bytes = Uint8Array.from(Buffer.concat([encode(NOTHING).subarray(0, -1), ...parts.map((part) => Uint8Array.from(part))]));
    const view = new DataView(bytes.buffer);
    view.setUint32(11, bytes.length - 15, true);
    view.setUint32(15, bytes.length - 19, true);
    return bytes;
  };
  const long = (opcode: number, count: number) => [opcode, count >>> 24, (count >> 16) & 255, (count >> 8) & 255, count & 255];
  const many = (byte: number) => new Uint8Array(COUNT).fill(byte);
  const NOTHING = {
    data: { type: "json", value: null, ptsUs: null, streamId: null, metadata: null },
    node: "", port: "", sequence: 0, subSequence: 0, generation: 0, timestampUs: 0,
  } as const;

  it.each([
    ["a list of 4 G items", () => value(long(0xdd, 0xffff_ffff))],
    ["a map of 4 G pairs", () => value(long(0xdf, 0xffff_ffff))],
    ["a text of 4 GiB", () => value(long(0xdb, 0xffff_ffff))],
    ["a list of lists, one too few", () => value(long(0xdd, COUNT + 1), many(0x90))],
    ["a list of maps, the last cut", () => value(long(0xdd, COUNT), many(0x80).fill(0x81, -1))],
    ["a list of numbers, the last not msgpack", () => value(long(0xdd, COUNT), many(1).fill(0xc1, -1))],
    ["2,000,000 lists in each other", () => value(many(0x91))],
    ["a long text with a wrong end", () => value(long(0xdb, COUNT), many(0x61).fill(0xff, -1))],
  ])("of %s cost no memory", (_, make) => {
    const frame = make();
    const size = frame.length + 2 ** 20;
    const heap = process.memoryUsage();
    expect(() => decode(frame)).toThrow(WireError);
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - heap.heapUsed - heap.external).toBeLessThan(size);
  });
});
