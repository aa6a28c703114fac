// What a frame of each type has: the one table that reading, writing and the constructors share.
import type { Data, ImageFormat, PixelFormat, SampleFormat, TensorType, VideoCodec } from "../data.ts";
import { dataError, shown } from "./error.ts";
import { toUtf8 } from "./utf8.ts";

export const MAX_INT = 2n ** 63n - 1n; // of every number in data
export const MAX_RATE = 10_000_000; // Hz: above any converter
export const MAX_CHANNELS = 256; // above any device
export const MAX_DIMENSIONS = 32; // what every numpy supports
const MAX_SPAN = 2 ** 31 - 1; // bytes that an empty array's other sides may span: what wasm32 can count

/** Typed arrays in memory are little-endian wherever there is a browser, as the wire is. */
export const SAMPLES = { F32: Float32Array, I16: Int16Array, I32: Int32Array, U8: Uint8Array } as const;
/** JavaScript has no arrays of bools, nor everywhere of float16: these are kept as their bits. */
export const ELEMENTS = {
  bool: Uint8Array, int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array,
  float16: Uint16Array, float32: Float32Array, float64: Float64Array,
} as const;
/** Pixel formats → bytes per pixel; 0 for those with chroma at half the size. The plain form counts them from 1. */
export const PIXELS: Readonly<Record<PixelFormat, number>> = {
  YUV420P: 0, I420: 0, NV12: 0, RGB24: 3, RGBA32: 4, BGR24: 3, BGRA32: 4, GRAY8: 1,
};
export const CODECS: readonly VideoCodec[] = ["VP8", "H264", "AV1"];
const IMAGES: readonly ImageFormat[] = ["JPEG", "PNG", "WEBP", "RAW"];

export type ArrayKind = (typeof SAMPLES)[SampleFormat] | (typeof ELEMENTS)[TensorType];

/** Text, an integer, a bool or null by `accepts`; shapes are lists of integers; `nested` is any JSON-like value. */
interface Rule {
  accepts(value: unknown): boolean;
  expected: string;
  form?: "shape" | "nested";
}

export interface Field extends Rule {
  /** In the map, and its msgpack form. */
  name: string;
  key: Uint8Array;
  /** In the data or the packet. */
  prop: string;
}

/** The fields that checks across fields need, when each has passed its own. */
export interface Checked {
  channels: number;
  format: SampleFormat | ImageFormat;
  width: number | bigint;
  height: number | bigint;
  pixelFormat: PixelFormat | null;
  codec: VideoCodec | null;
  dtype: TensorType;
  shape: (number | bigint)[];
  path: string;
}

/** The field that contradicts the others ("body" for the bytes themselves), and how. */
export type Fault = readonly [field: string, message: string] | undefined;

export interface Kind {
  code: number;
  type: Data["type"] | null;
  /** In canonical order; the first `PLACE` of them belong to the packet. */
  fields: readonly Field[];
  byName: ReadonlyMap<string, Field>;
  /** Property that holds what the body does. */
  body: string | null;
  array(fields: Checked): ArrayKind;
  fault(fields: Checked, body: Uint8Array): Fault;
}

const text: Rule = { accepts: (v) => typeof v === "string" && v.isWellFormed(), expected: "a string of valid Unicode" };
const named: Rule = { accepts: (v) => text.accepts(v) && v !== "", expected: "a string that is not empty" };
const flag: Rule = { accepts: (v) => typeof v === "boolean", expected: "true or false" };
const nested: Rule = { accepts: () => true, expected: "", form: "nested" };
const metadata: Rule = { ...nested, accepts: (v) => typeof v === "object" && !Array.isArray(v), expected: "an object" };

export function isWhole(value: unknown): value is number | bigint {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}

function whole(least: number | bigint, most: number | bigint = MAX_INT): Rule {
  const top = most === MAX_INT ? "2**63 - 1" : most;
  return {
    accepts: (v) => isWhole(v) && v >= least && v <= most,
    expected: `a whole number from ${least === -MAX_INT ? "1 - 2**63" : least} to ${top} (a BigInt beyond 2**53)`,
  };
}
const count = whole(0);

function oneOf(names: readonly string[]): Rule {
  return { accepts: (v) => typeof v === "string" && names.includes(v), expected: `one of ${names.join(", ")}` };
}

function orNull(rule: Rule): Rule {
  return { ...rule, accepts: (v) => v === null || rule.accepts(v), expected: `${rule.expected}, or null` };
}

const PLACE_RULES = { node: text, port: text, sequence: count, sub_sequence: count, generation: count };
const COMMON_RULES = { pts_us: orNull(whole(-MAX_INT)), stream_id: orNull(text), metadata: orNull(metadata) };
export const PLACE = Object.keys(PLACE_RULES).length;

const noFault = (): Fault => undefined;
const asBytes = (): ArrayKind => Uint8Array;

function kind(
  code: number, type: Data["type"] | null, body: string | null, rules: Record<string, Rule>,
  fault: Kind["fault"] = noFault, array: Kind["array"] = asBytes,
): Kind {
  const all = Object.entries<Rule>({ ...PLACE_RULES, ...(type && COMMON_RULES), ...rules });
  const fields = all.map(([name, rule]): Field => ({
    ...rule,
    name,
    key: Uint8Array.of(0xa0 | name.length, ...toUtf8(name)),
    prop: name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
  }));
  return { code, type, body, fields, byName: new Map(fields.map((field) => [field.name, field])), fault, array };
}

const size = whole(1);
const pixelFormat = orNull(oneOf(Object.keys(PIXELS)));

const KINDS: readonly Kind[] = [
  kind(1, "audio", "samples",
    { sample_rate: whole(1, MAX_RATE), channels: whole(1, MAX_CHANNELS), format: oneOf(Object.keys(SAMPLES)) },
    ({ channels, format }, body) => {
      const frame = channels * SAMPLES[format as SampleFormat].BYTES_PER_ELEMENT;
      if (!(body.length % frame)) return undefined;
      return ["body", `${body.length} bytes are no whole number of ${channels}-channel ${format} frames`];
    },
    ({ format }) => SAMPLES[format as SampleFormat]),
  kind(2, "video", "pixels",
    {
      width: size, height: size, pixel_format: pixelFormat, codec: orNull(oneOf(CODECS)),
      frame_number: count, is_keyframe: flag,
    },
    (fields, body) => {
      const raw = fields.pixelFormat !== null;
      if (raw === (fields.codec !== null)) return ["codec", "a frame has either a pixel format or a codec"];
      return pixelFault(fields, body);
    }),
  kind(3, "text", null, { text, channel: text }),
  kind(5, "control", null, { message_type: named, value: nested, segment_id: orNull(text), timestamp_ms: count }),
  kind(6, "tensor", "values",
    {
      dtype: oneOf(Object.keys(ELEMENTS)),
      shape: {
        accepts: (v) => Array.isArray(v) && v.length <= MAX_DIMENSIONS && v.every(count.accepts),
        expected: `a list of at most ${MAX_DIMENSIONS} sizes`,
        form: "shape",
      },
    },
    tensorFault, ({ dtype }) => ELEMENTS[dtype]),
  kind(7, "file", null,
    {
      path: named, filename: orNull(text), mime_type: orNull(text),
      size: orNull(count), offset: orNull(count), length: orNull(count),
    },
    ({ path }) => (path.includes("\0") ? ["path", "a path has no NUL"] : undefined)),
  kind(8, null, null, {}),
  kind(9, "json", null, { value: nested }),
  kind(10, "image", "content", { format: oneOf(IMAGES), width: count, height: count, pixel_format: pixelFormat },
    (fields, body) => {
      const raw = fields.format === "RAW";
      if (raw !== (fields.pixelFormat !== null)) return ["pixel_format", "belongs to format RAW, and only there"];
      if (raw && !fields.width) return ["width", "a raw picture has pixels"];
      if (raw && !fields.height) return ["height", "a raw picture has pixels"];
      return pixelFault(fields, body);
    }),
  kind(11, "binary", "content", { mime_type: orNull(text) }),
];

export const KIND_OF: ReadonlyMap<unknown, Kind> = new Map(KINDS.map((each) => [each.type, each]));

export function kindOf(code: number): Kind | undefined {
  return KINDS.find((kind) => kind.code === code);
}

/** Size of one raw frame, in bytes. Not exact where it is beyond any size there is. */
export function pixelBytes(format: PixelFormat, width: number, height: number): number {
  const chroma = 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
  return PIXELS[format] ? PIXELS[format] * width * height : width * height + chroma;
}

function pixelFault({ pixelFormat, width, height }: Checked, body: Uint8Array): Fault {
  const needed = pixelFormat && pixelBytes(pixelFormat, Number(width), Number(height));
  if (needed !== null && needed !== body.length) {
    return ["body", `${body.length} bytes, and ${width}x${height} ${pixelFormat} has ${needed}`];
  }
  // A size that is a BigInt would be one in every program, for the sake of no picture that exists.
  if (typeof width === "bigint") return ["width", `${width} is beyond 2**53`];
  if (typeof height === "bigint") return ["height", `${height} is beyond 2**53`];
}

function tensorFault({ dtype, shape }: Checked, body: Uint8Array): Fault {
  const item = ELEMENTS[dtype].BYTES_PER_ELEMENT;
  const needed = arrayBytes(shape, item);
  if (needed !== body.length) return ["body", `${body.length} bytes, and the shape [${shape}] needs ${needed}`];
  if (!needed && !spans(shape, item)) return ["shape", "too long for an empty array"];
  if (dtype === "bool" && !areBools(body)) return ["body", "a bool that is neither 0 nor 1"];
}

/** Bytes of all elements. Not exact where it is beyond any size there is. */
export function arrayBytes(shape: readonly (number | bigint)[], item: number): number {
  return shape.some((side) => Number(side) === 0) ? 0 : shape.reduce<number>((all, side) => all * Number(side), item);
}

/** False for an empty array whose other sides are too long for some platform to count. */
function spans(shape: readonly (number | bigint)[], item: number): boolean {
  return shape.reduce<number>((all, side) => all * (Number(side) || 1), item) <= MAX_SPAN;
}

function areBools(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 2);
}

/** The bytes of the body, after a check of all that is not nested; throws code "data". */
export function checkData(data: Data): Uint8Array | null {
  const kind = KIND_OF.get((data as Data | null)?.type);
  if (!kind?.type) throw dataError(`a packet holds data, made by audio(…), text(…) and so on, not ${shown(data)}`);
  const values = data as unknown as Record<string, unknown>; // as it claims; that is what is checked here
  for (const field of kind.fields.slice(PLACE)) checkField(field, values, `${kind.type}: `);
  const checked = values as unknown as Checked;
  let body: Uint8Array | null = null;
  if (kind.body !== null) {
    const array = values[kind.body];
    const wanted = kind.array(checked).name;
    if (!ArrayBuffer.isView(array) || (array as Uint8Array)[Symbol.toStringTag] !== wanted) {
      throw dataError(`${kind.type}: ${kind.body} must be a ${wanted}, not ${shown(array)}`);
    }
    body = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  }
  const fault = framesFault(data) ?? kind.fault(checked, body ?? new Uint8Array());
  if (fault) throw dataError(`${kind.type}: ${kind.byName.get(fault[0])?.prop ?? kind.body}: ${fault[1]}`);
  return body;
}

/** Not on the wire, where the body says it: so nobody else would find that it is wrong. */
function framesFault(data: Data): Fault {
  if (data.type !== "audio" || data.frames * data.channels === data.samples.length) return undefined;
  return ["body", `${data.samples.length}, and ${data.channels} channels of ${data.frames} frames`];
}

export function checkField(field: Field, values: Record<string, unknown>, where: string): void {
  const value = values[field.prop] ?? null;
  if (field.accepts(value)) return;
  throw dataError(`${where}${field.prop} must be ${field.expected}, not ${shown(values[field.prop])}`);
}

