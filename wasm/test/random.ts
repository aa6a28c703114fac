// A small seeded generator (mulberry32), so that a failure can be repeated.
import type { Data, EndOfInput, Packet, Samples } from "../src/data.ts";
import * as d from "../src/data.ts";
import { pixelBytes } from "../src/wire/fields.ts";

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 to 1, without 1. */
  float(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** `least` to `most`, both possible. */
  int(least: number, most: number): number {
    return least + Math.floor(this.float() * (most - least + 1));
  }

  bool(): boolean {
    return this.float() < 0.5;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!;
  }

  bytes(size: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: size }, () => this.int(0, 255));
  }
}

const TEXTS = ["", "a", "out", "Zoë", "世界", "🎧", "\0", "\ufeffx", "__proto__", "constructor", "a".repeat(31), "a".repeat(32),
  "ä".repeat(128), "x".repeat(70_000)];
const NUMBERS = [0, 1, 31, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
const FLOATS = [0.5, -0, 1e-300, 1e300, -1.7976931348623157e308, 5e-324, Math.PI, 2 ** 53, -(2 ** 70)];

/** A JSON-like value, nested at most `depth` deep. */
export function randomValue(random: Random, depth = 4): unknown {
  const kind = random.int(0, depth > 0 ? 8 : 6);
  if (kind === 0) return null;
  if (kind === 1) return random.bool();
  if (kind === 2) return random.pick(NUMBERS) * random.pick([1, -1]) || 0;
  if (kind === 3) return random.pick(FLOATS);
  if (kind === 4) return random.pick([2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n, -(2n ** 53n), -(2n ** 63n)]);
  if (kind <= 6) return random.pick(TEXTS);
  const size = random.pick([0, 1, 2, 3, 15, 16, 17]);
  if (kind === 7) return Array.from({ length: size }, () => randomValue(random, depth - 1));
  return randomObject(random, size, depth - 1);
}

function randomObject(random: Random, size: number, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let each = 0; each < size; each++) {
    const key = random.pick([...TEXTS.slice(0, -1), `k${each}`]);
    const value = randomValue(random, depth);
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return object;
}

function count(random: Random): number | bigint {
  return random.pick([...NUMBERS, 2n ** 53n, 2n ** 63n - 1n]);
}

function samples(random: Random, channels: number): Samples {
  const size = channels * random.pick([0, 1, 5, 64]);
  const kind = random.pick([Float32Array, Int16Array, Int32Array, Uint8Array]);
  return new kind(random.bytes(size * kind.BYTES_PER_ELEMENT).buffer);
}

export function randomData(random: Random): Data {
  const maybe = <T>(value: T): T | null => (random.bool() ? value : null);
  const common = {
    ptsUs: maybe(random.bool() ? count(random) : -Number(random.pick(NUMBERS)) || 0),
    streamId: maybe(random.pick(TEXTS)),
    metadata: maybe(randomObject(random, random.int(0, 3), 2)),
  };
  const text = () => random.pick(TEXTS);
  switch (random.int(0, 8)) {
    case 0: {
      const channels = random.pick([1, 2, 7, 256]);
      return d.audio(samples(random, channels), random.pick([1, 48000, 10_000_000]), { ...common, channels });
    }
    case 1: {
      if (random.bool()) {
        const more = { codec: random.pick(["VP8", "H264", "AV1"] as const), frameNumber: count(random), isKeyframe: random.bool() };
        return d.video(random.bytes(random.int(0, 100)), random.pick([1, 640, 2 ** 53 - 1]), 1, { ...common, ...more });
      }
      const [width, height] = [random.int(1, 5), random.int(1, 5)];
      const pixelFormat = random.pick(["YUV420P", "I420", "NV12", "RGB24", "RGBA32", "BGR24", "BGRA32", "GRAY8"] as const);
      const size = pixelBytes(pixelFormat, width, height);
      return d.video(random.bytes(size), width, height, { ...common, pixelFormat });
    }
    case 2:
      return d.text(text(), { ...common, channel: text() });
    case 3: {
      const more = { segmentId: maybe(text()), timestampMs: count(random) };
      return d.control(text() || "x", randomValue(random), { ...common, ...more });
    }
    case 4: {
      const kind = random.pick([Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array,
        Float64Array, BigInt64Array, BigUint64Array]);
      const shape = Array.from({ length: random.int(0, 4) }, () => random.int(random.bool() ? 0 : 1, 3));
      const size = shape.reduce((all, side) => all * side, kind.BYTES_PER_ELEMENT);
      return d.tensor(new kind(random.bytes(size).buffer), shape, common);
    }
    case 5: {
      const path = text().replace("\0", "") || "/x";
      const more = { filename: maybe(text()), mimeType: maybe(text()), size: maybe(count(random)) };
      return d.file(path, { ...common, ...more, offset: maybe(count(random)), length: maybe(count(random)) });
    }
    case 6:
      return d.json(randomValue(random), common);
    case 7: {
      const format = random.pick(["PNG", "JPEG", "WEBP"] as const);
      return d.image(random.bytes(random.int(0, 70)), format, { ...common, width: random.pick(NUMBERS), height: 0 });
    }
    default:
      return d.binary(random.bytes(random.int(0, 200)), maybe(text()), common);
  }
}

export function randomItem(random: Random): Packet | EndOfInput {
  const place = {
    node: random.pick(TEXTS), port: random.pick(TEXTS), sequence: count(random), subSequence: count(random),
    generation: count(random), timestampUs: random.pick([...NUMBERS, 2n ** 64n - 1n]),
  };
  return random.int(0, 20) === 0 ? place : { data: randomData(random), ...place };
}

const OPCODES = [0, 1, 0x7f, 0x80, 0x81, 0x91, 0xc0, 0xc4, 0xcb, 0xd9, 0xdb, 0xdd, 0xdf, 0xff];

/** Some bytes changed, cut out, put in or put twice. */
export function mutated(random: Random, frame: Uint8Array): Uint8Array<ArrayBuffer> {
  let bytes = [...frame];
  for (let each = random.pick([1, 1, 1, 2, 4]); each > 0; each--) {
    const at = random.int(0, Math.min(bytes.length, random.bool() ? 200 : Infinity) - 1);
    const how = random.int(0, 8);
    if (how <= 2) bytes[at] = random.bool() ? random.int(0, 255) : random.pick(OPCODES);
    else if (how <= 6) bytes[at]! ^= 1 << random.int(0, 7);
    else if (how === 7) bytes.splice(at, random.int(1, 4));
    else bytes.splice(at, 0, ...random.bytes(random.int(1, 4)));
    if (bytes.length === 0) bytes = [0];
  }
  const changed = Uint8Array.from(bytes);
  // Most with a length that is right: else nothing behind the head is reached.
  const start = 15 + (changed[1] ?? 0) + 256 * (changed[2] ?? 0);
  if (changed.length >= start && random.int(0, 9) > 0) {
    new DataView(changed.buffer).setUint32(start - 4, changed.length - start, true);
  }
  return changed;
}
