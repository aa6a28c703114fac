// The golden frames of tests/golden/wire, which an encoder of its own wrote, and what vectors.json says of them.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Data, EndOfInput, Integer, Packet } from "../src/data.ts";
import { ELEMENTS, SAMPLES } from "../src/wire/fields.ts";
import { WireError } from "../src/wire/index.ts";

const FOLDER = new URL("../../tests/golden/wire/", import.meta.url);

type Fields = Record<string, unknown>;

export interface Valid {
  name: string;
  file: string;
  plain: boolean;
  canonical: boolean;
  options: { bare_audio_rate?: number };
  session: string;
  timestamp_us: Integer | string;
  place: Fields;
  type: Data["type"] | "end_of_input";
  data: Fields;
}

export interface Broken {
  name: string;
  file: string;
  field: string;
  offset: number;
  why: string;
}

const text = readFileSync(new URL("vectors.json", FOLDER), "utf-8");
export const { valid, broken } = JSON.parse(text) as { valid: Valid[]; broken: Broken[] };

export function frameOf(vector: { file: string }): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(vector.file, FOLDER))); // a copy, out of node's pool
}

const NUMBERS = new Set([
  "sequence", "sub_sequence", "generation", "pts_us", "size", "offset", "length", "frame_number",
]);

export function number(value: unknown): Integer {
  return typeof value === "string" ? BigInt(value) : (value as number); // as text beyond 2**53
}

function camel(fields: Fields): Fields {
  const entries = Object.entries(fields).map(([name, value]) => {
    const prop = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    return [prop, NUMBERS.has(name) && value !== null ? number(value) : value];
  });
  return Object.fromEntries(entries) as Fields;
}

function array(kind: new (buffer: ArrayBuffer) => unknown, hex: unknown): unknown {
  return new kind(new Uint8Array(Buffer.from(hex as string, "hex")).buffer);
}

export function expected(vector: Valid): Packet | EndOfInput {
  const place = { ...camel(vector.place), timestampUs: number(vector.timestamp_us) };
  if (vector.type === "end_of_input") return place as unknown as EndOfInput;
  const { type } = vector;
  const data: Fields = { type, ...camel(vector.data) };
  if (type === "audio") {
    data["samples"] = array(SAMPLES[data["format"] as keyof typeof SAMPLES], data["samples"]);
    data["frames"] = (data["shape"] as number[])[1];
    delete data["shape"];
  } else if (type === "tensor") {
    data["values"] = array(ELEMENTS[data["dtype"] as keyof typeof ELEMENTS], data["values"]);
  } else if (type === "video") {
    data["pixels"] = array(Uint8Array, data["pixels"]);
  } else if (type === "image" || type === "binary") {
    data["content"] = array(Uint8Array, data["content"]);
  }
  return { data, ...place } as unknown as Packet;
}

/** All of a value, own properties alone and arrays as their bytes: so that NaN, -0 and `__proto__` are compared. */
export function bits(value: unknown): string {
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
    return `${(value as Uint8Array)[Symbol.toStringTag]} ${bytes}`;
  }
  if (Array.isArray(value)) return `[${value.map(bits).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.keys(value).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}: ${bits((value as Fields)[key])}`).join(", ")}}`;
  }
  if (typeof value === "bigint") return `${value}n`;
  return Object.is(value, -0) ? "-0" : (JSON.stringify(value) ?? String(value));
}

export function thrown(run: () => unknown): WireError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
    return error as WireError;
  }
  throw new Error("nothing was thrown");
}

/** A frame of the plain form. */
export function plain(code: number, payload: string | Uint8Array): Uint8Array {
  const body = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const frame = new Uint8Array(15 + body.length);
  frame[0] = code;
  new DataView(frame.buffer).setUint32(11, body.length, true);
  frame.set(body, 15);
  return frame;
}

/** One of mono audio without samples, with this text as metadata. */
export function plainAudio(metadata: string): Uint8Array {
  const meta = new TextEncoder().encode(metadata);
  const payload = new Uint8Array(10 + meta.length);
  const view = new DataView(payload.buffer);
  view.setUint32(0, 8000, true);
  view.setUint16(4, 1, true);
  view.setUint32(6, meta.length, true);
  payload.set(meta, 10);
  return plain(1, payload);
}
