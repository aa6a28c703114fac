// The plain form, that of the reference system. It is read here, and never written: whoever needs it has Python.
import type { EndOfInput, Packet, TensorType } from "../data.ts";
import { Cursor } from "./cursor.ts";
import { shown, WireError } from "./error.ts";
import { arrayBytes, CODECS, ELEMENTS, type Kind, kindOf, MAX_DIMENSIONS, MAX_RATE, PIXELS } from "./fields.ts";
import { elements, type Head, type Source } from "./frame.ts";
import { checkBody, make, type Values } from "./read.ts";
import { fits64, MAX_DEPTH } from "./value.ts";

const ENCODED = 255; // the pixel format of an encoded frame
const C_ORDER = 1;
const F_ORDER = 2;
const RAW_FORMATS = Object.keys(PIXELS).slice(0, 5); // numbered from 1
// `float32` as numpy's `str(dtype)` writes it, `<f4` as `dtype.str` does; big-endian is not taken.
const DTYPES = new Map<string, TensorType>(
  (Object.keys(ELEMENTS) as TensorType[]).flatMap((name) => {
    const { BYTES_PER_ELEMENT: size } = ELEMENTS[name];
    return [[name, name], [`${size > 1 ? "<" : "|"}${name[0]}${size}`, name]] as const;
  }),
);

export function readPlain(source: Source, { code, timestampUs, start }: Head, bareRate?: number): Packet | EndOfInput {
  const place = { node: "", port: "", sequence: 0, subSequence: 0, generation: 0, timestampUs };
  const payload = new Payload(source, start, kindOf(code)!);
  const body = READ[code]?.(payload, bareRate);
  const { cursor } = payload;
  if (cursor.left) throw new WireError(`${cursor.left} bytes too many`, "payload", cursor.pos);
  return payload.kind.type === null ? place : { data: make(payload.kind, payload.values, body), ...place };
}

/** What has been read so far, each value checked as the table of fields says. */
class Payload {
  readonly cursor: Cursor;
  readonly values: Values = { ptsUs: null, streamId: null, metadata: null };

  constructor(source: Source, start: number, readonly kind: Kind) {
    this.cursor = new Cursor(source, start);
  }

  set(name: string, value: unknown, place: number): void {
    const { accepts, expected, prop } = this.kind.byName.get(name)!;
    if (!accepts(value)) throw new WireError(`must be ${expected}, not ${shown(value)}`, name, place);
    this.values[prop] = value;
  }

  /** All that is left, which is what the fields say it is; `shape` is where a fault of that field lies. */
  body(name: string, shape = 0): Uint8Array<ArrayBuffer> {
    const place = this.cursor.pos;
    const body = this.cursor.rest();
    checkBody(this.kind, this.values, body, (field) => (field === "body" ? [name, place] : [field, shape]));
    return body;
  }
}

type Read = (payload: Payload, bareRate?: number) => Uint8Array<ArrayBuffer> | undefined;

const readAudio: Read = (payload, bareRate) => {
  const { cursor } = payload;
  const start = cursor.pos;
  if (bareRate !== undefined && isBare(cursor)) {
    payload.set("sample_rate", bareRate, start);
    payload.set("channels", 1, start);
  } else {
    payload.set("sample_rate", cursor.u32("sample_rate"), start);
    payload.set("channels", cursor.u16("channels"), start + 4);
    const metaLen = cursor.u32("meta_len");
    const { left } = cursor;
    if (metaLen > left) throw new WireError(`${metaLen} bytes are not there, ${left} are`, "meta_len", start + 6);
    if (metaLen) {
      const { value } = cursor.json(metaLen, MAX_DEPTH, "metadata");
      payload.set("metadata", value, start + 10);
      checkIntegers(value, "metadata", start + 10);
    }
  }
  payload.set("format", "F32", start);
  const body = payload.body("samples");
  const channels = payload.values["channels"] as number;
  if (channels === 1) return body;
  const from = elements(Uint32Array, body); // as floats, NaN could change its bits
  const to = new Uint32Array(from.length);
  const frames = from.length / channels;
  for (let frame = 0, at = 0; frame < frames; frame++) {
    for (let channel = 0; channel < channels; channel++) to[channel * frames + frame] = from[at++]!;
  }
  return new Uint8Array(to.buffer);
};

/** True for the older layout, samples alone: the first word is then no rate, but a sample of normal size or 0. */
function isBare(cursor: Cursor): boolean {
  if (cursor.left % 4) return false;
  if (cursor.left === 0) return true;
  const word = cursor.u32("sample_rate");
  cursor.pos -= 4;
  return word === 0 || word > MAX_RATE;
}

const readVideo: Read = (payload) => {
  const { cursor } = payload;
  const start = cursor.pos;
  const width = cursor.u32("width");
  const height = cursor.u32("height");
  const formatNumber = cursor.u8("pixel_format");
  const codecNumber = cursor.u8("codec");
  const frameNumber = cursor.u64("frame_number");
  const keyframe = cursor.u8("is_keyframe");
  payload.set("width", width, start);
  payload.set("height", height, start + 4);
  const codec = CODECS[codecNumber - 1] ?? (codecNumber ? codecNumber : null);
  payload.set("codec", codec, start + 9);
  // An encoded frame may leave its pixel format unspecified (0).
  const isNone = codec !== null && (formatNumber === 0 || formatNumber === ENCODED);
  const pixelFormat = RAW_FORMATS[formatNumber - 1] ?? (isNone ? null : formatNumber);
  payload.set("pixel_format", pixelFormat, start + 8);
  if (pixelFormat !== null && codec !== null) {
    throw new WireError(`${codec} in a frame of raw ${pixelFormat}`, "codec", start + 9);
  }
  payload.set("frame_number", frameNumber, start + 10);
  payload.set("is_keyframe", keyframe < 2 ? keyframe === 1 : keyframe, start + 18);
  return payload.body("pixels");
};

const readText: Read = (payload) => {
  const { cursor } = payload;
  let channel = "tts";
  if (cursor.peek() === 0) {
    cursor.skip(1, "channel");
    channel = cursor.text(cursor.u8("channel_len"), "channel");
  }
  Object.assign(payload.values, { text: cursor.text(cursor.left, "text"), channel });
  return undefined;
};

const readControl: Read = (payload) => {
  const { cursor } = payload;
  const start = cursor.pos;
  const { value: message, floats } = cursor.json(cursor.left, MAX_DEPTH + 1, "message");
  if (!isObject(message)) throw new WireError("not an object", "message", start);
  let messageType = message["message_type"];
  let value: Values | null = null;
  if (isObject(messageType)) {
    const { type, ...rest } = messageType; // a tagged union, its arguments beside the tag
    messageType = type;
    if (Object.keys(rest).length) value = rest;
  }
  payload.set("message_type", messageType, start);
  const { segment_id: segmentId = null, timestamp_ms: timestampMs = 0, metadata = null } = message;
  payload.set("segment_id", segmentId, start);
  payload.set("timestamp_ms", floats.has("timestamp_ms") ? "a float" : timestampMs, start);
  payload.set("metadata", metadata, start);
  payload.set("value", value, start);
  checkIntegers(value, "message_type", start);
  checkIntegers(metadata, "metadata", start);
  return undefined;
};

const readTensor: Read = (payload) => {
  const { cursor } = payload;
  const start = cursor.pos;
  const ndim = cursor.u16("ndim");
  if (ndim > MAX_DIMENSIONS) {
    throw new WireError(`${ndim} dimensions, at most ${MAX_DIMENSIONS} are taken`, "ndim", start);
  }
  const shape = cursor.sizes(ndim, "shape", false);
  const stridesPlace = cursor.pos;
  const count = cursor.u16("strides");
  if (count && count !== ndim) throw new WireError(`${count} strides for ${ndim} dimensions`, "strides", stridesPlace);
  const strides = cursor.sizes(count, "strides", true);
  const dtypePlace = cursor.pos;
  const name = cursor.text(cursor.u16("dtype"), "dtype");
  const dtype = DTYPES.get(name);
  payload.set("dtype", dtype ?? name, dtypePlace);
  const flags = cursor.u8("flags");
  if (!(flags & (C_ORDER | F_ORDER))) throw new WireError("neither C nor Fortran order", "flags", cursor.pos - 1);
  const item = ELEMENTS[dtype!].BYTES_PER_ELEMENT;
  payload.values["shape"] = shape;
  const isFortran = !(flags & C_ORDER);
  const expected = orderStrides(shape, item, isFortran);
  if (cursor.left && cursor.left === arrayBytes(shape, item)) {
    // A side of 1 is never stepped over.
    const wrong = strides.findIndex((given, side) => given !== expected[side] && shape[side] !== 1);
    if (wrong >= 0) {
      throw new WireError(`${strides[wrong]} is not the ${expected[wrong]} of its order`, "strides", stridesPlace);
    }
  }
  const body = payload.body("elements", start + 2);
  return isFortran ? fromFortran(body, shape, expected, item) : body;
};

function orderStrides(shape: readonly number[], item: number, isFortran: boolean): number[] {
  const strides: number[] = [];
  let stride = item;
  for (const side of isFortran ? shape : [...shape].reverse()) {
    strides.push(stride);
    stride *= side;
  }
  return isFortran ? strides : strides.reverse();
}

/** The elements in C order. */
function fromFortran(
  from: Uint8Array, shape: readonly number[], strides: readonly number[], item: number,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(from.length);
  const index = shape.map(() => 0);
  let at = 0;
  for (let to = 0; to < result.length; to += item) {
    for (let byte = 0; byte < item; byte++) result[to + byte] = from[at + byte]!;
    for (let side = shape.length - 1; side >= 0; side--) {
      at += strides[side]!;
      if (++index[side]! < shape[side]!) break;
      at -= strides[side]! * shape[side]!;
      index[side] = 0;
    }
  }
  return result;
}

const readFile: Read = (payload) => {
  const { cursor } = payload;
  const start = cursor.pos;
  const text = (field: string) => cursor.text(cursor.u16(field), field) || null;
  const path = text("path");
  payload.set("path", path?.includes("\0") ? null : path, start);
  Object.assign(payload.values, {
    filename: text("filename"),
    mimeType: text("mime_type"),
    size: cursor.u64("size") || null, // 0 is none
    offset: cursor.u64("offset") || null,
    length: cursor.u64("length") || null,
    streamId: text("stream_id"),
  });
  return undefined;
};

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkIntegers(value: unknown, field: string, place: number): void {
  const fits = (each: unknown): boolean => {
    if (typeof each === "bigint") return fits64(each);
    return typeof each !== "object" || each === null || Object.values(each).every(fits);
  };
  if (!fits(value)) throw new WireError("an integer that does not fit 64 bits", field, place);
}

const READ: Readonly<Record<number, Read>> = {
  1: readAudio, 2: readVideo, 3: readText, 5: readControl, 6: readTensor, 7: readFile,
};
