// The typed values that flow through a pipeline: the twin of remotemedia.data.
import { dataError, shown } from "./wire/error.ts";
import { checkData, SAMPLES } from "./wire/fields.ts";
import { Packer } from "./wire/pack.ts";

/**
 * A whole number of 63 bits and a sign. In what is decoded it is a number where that is exact (below 2**53), and a
 * BigInt only beyond. `Number(x)` does for both: 2**53 µs are 285 years.
 */
export type Integer = number | bigint;

export type SampleFormat = "F32" | "I16" | "I32" | "U8";
export type Samples =
  | Float32Array<ArrayBuffer> | Int16Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
export type PixelFormat = "YUV420P" | "I420" | "NV12" | "RGB24" | "RGBA32" | "BGR24" | "BGRA32" | "GRAY8";
export type VideoCodec = "VP8" | "H264" | "AV1";
export type ImageFormat = "JPEG" | "PNG" | "WEBP" | "RAW";
export type TensorType =
  | "bool" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64"
  | "float16" | "float32" | "float64";
export type TensorValues =
  | Samples | Int8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** JSON-like values under string keys, which nodes pass on. */
export type Metadata = Readonly<Record<string, unknown>>;

/** What all types have. */
export interface Common {
  /** Presentation time stamp of the first sample, µs of media time. */
  readonly ptsUs: Integer | null;
  /** Which stream it belongs to, where a session carries several. */
  readonly streamId: string | null;
  readonly metadata: Metadata | null;
}

/** A block of samples, planar: channel c starts at `samples[c * frames]`. */
export interface Audio extends Common {
  readonly type: "audio";
  readonly samples: Samples;
  /** Frames per second, Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples per channel. */
  readonly frames: number;
  readonly format: SampleFormat;
}

/** One video frame: raw with a `pixelFormat`, or encoded with a `codec`. */
export interface Video extends Common {
  readonly type: "video";
  /** All bytes of a raw frame, or the bit stream of one access unit. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly pixelFormat: PixelFormat | null;
  readonly codec: VideoCodec | null;
  readonly frameNumber: Integer;
  readonly isKeyframe: boolean;
}

/** One still picture, as a file's bytes or as raw pixels. */
export interface Image extends Common {
  readonly type: "image";
  readonly content: Uint8Array<ArrayBuffer>;
  readonly format: ImageFormat;
  /** In pixels; 0 where an encoded picture has not been looked into. */
  readonly width: number;
  readonly height: number;
  /** For RAW only. */
  readonly pixelFormat: PixelFormat | null;
}

/** An n-dimensional array in C order. Bools are kept as bytes 0 and 1, float16 as their bits in a Uint16Array. */
export interface Tensor extends Common {
  readonly type: "tensor";
  readonly values: TensorValues;
  readonly dtype: TensorType;
  readonly shape: readonly number[];
}

/** A piece of text: a token, a sentence, a transcript. */
export interface Text extends Common {
  readonly type: "text";
  readonly text: string;
  /** `tts` is spoken, others are for the screen. */
  readonly channel: string;
}

/** A structured value: what JSON can say, integers up to 64 bits, at most 64 deep. */
export interface Json extends Common {
  readonly type: "json";
  readonly value: unknown;
}

/** Bytes that the pipeline does not look into. */
export interface Binary extends Common {
  readonly type: "binary";
  readonly content: Uint8Array<ArrayBuffer>;
  readonly mimeType: string | null;
}

/** A message to nodes, beside the media. */
export interface Control extends Common {
  readonly type: "control";
  readonly messageType: string;
  /** Its JSON-like arguments. */
  readonly value: unknown;
  /** The segment of speech that it is about. */
  readonly segmentId: string | null;
  /** When it was said, ms of UTC; 0 where unknown. */
  readonly timestampMs: Integer;
}

/** A reference to a file, or to a part of one; the content does not travel. */
export interface File extends Common {
  readonly type: "file";
  readonly path: string;
  readonly filename: string | null;
  readonly mimeType: string | null;
  readonly size: Integer | null;
  readonly offset: Integer | null;
  readonly length: Integer | null;
}

/** One typed value. Nobody changes it, nor the arrays in it, once it is made. */
export type Data = Audio | Video | Image | Tensor | Text | Json | Binary | Control | File;

interface Place {
  /** The output port that emitted it, or the input port that it was sent to. */
  readonly node: string;
  readonly port: string;
  /** Number of the client's send that it stems from, from 0. */
  readonly sequence: Integer;
  /** Number among the outputs of that port which stem from the same send, from 0. */
  readonly subSequence: Integer;
  /** Counts the interrupts of the session; a packet of an older generation is stale. */
  readonly generation: Integer;
  /** When that send entered the session, µs of UTC. */
  readonly timestampUs: Integer;
}

/** Data with its place in the stream. */
export interface Packet extends Place {
  readonly data: Data;
}

/** A mark on the wire: no more packets come on this port. `item.data` tells it from a packet. */
export interface EndOfInput extends Place {
  readonly data?: undefined;
}

type Own<D extends Data> = Omit<D, keyof Common | "type">;
type More<D extends Data, Given extends keyof Own<D>> = Partial<Common & Omit<Own<D>, Given>>;
type Of<T extends Data["type"]> = Extract<Data, { type: T }>;
// In memory of any sort; what is shared is copied, for another thread could change it.
type Bytes = Uint8Array | ArrayBuffer;
type AnySamples = Float32Array | Int16Array | Int32Array | Uint8Array;

/**
 * A block of audio.
 *
 * @param samples One array of all channels one after the other (`channels` says how many, default 1), which is taken as
 * it is; or a list of one array per channel, which are copied into one.
 * @param sampleRate Frames per second, Hz.
 * @throws RemoteMediaError with code "data", here and below, for what the type does not accept.
 */
export function audio(
  samples: AnySamples | readonly AnySamples[], sampleRate: number,
  options: Partial<Common> & { channels?: number } = {},
): Audio {
  const isList = Array.isArray(samples);
  const planes = (isList ? samples : [samples]) as readonly AnySamples[];
  const format = FORMATS.find((each) => planes[0]?.[Symbol.toStringTag] === SAMPLES[each].name);
  if (format === undefined) {
    const known = FORMATS.map((each) => SAMPLES[each].name).join(", ");
    const given = planes.length > 0 ? shown(planes[0]) : "an empty list";
    throw dataError(`audio: samples must be a ${known}, or a list of one of these per channel, not ${given}`);
  }
  const { length } = planes[0]!;
  const odd = planes.find((plane) => plane.length !== length || plane[Symbol.toStringTag] !== SAMPLES[format].name);
  if (odd !== undefined) {
    const difference = `the first has ${length} samples of ${format}, another is ${shown(odd)} of ${odd.length}`;
    throw dataError(`audio: channels must be alike; ${difference}`);
  }
  const joined = isList ? join(planes, format) : unshared(planes[0] as Samples);
  const { channels = planes.length, ...common } = options;
  const frames = joined.length / channels;
  return make({ type: "audio", samples: joined, sampleRate, channels, frames, format }, common);
}

/** One video frame. */
export function video(
  pixels: Bytes, width: number, height: number, options: More<Video, "pixels" | "width" | "height"> = {},
): Video {
  const { codec = null, pixelFormat = codec === null ? "RGB24" : null, ...more } = options;
  const fields = { frameNumber: 0, isKeyframe: true, codec, pixelFormat };
  return make({ type: "video", pixels: asBytes(pixels), width, height, ...fields }, more);
}

/** One still picture. */
export function image(content: Bytes, format: ImageFormat, options: More<Image, "content" | "format"> = {}): Image {
  return make({ type: "image", content: asBytes(content), format, width: 0, height: 0, pixelFormat: null }, options);
}

/** An n-dimensional array; its dtype is that of the typed array, if not given. */
export function tensor(
  values: TensorValues, shape: readonly number[] = [values.length],
  options: Partial<Common> & { dtype?: TensorType } = {},
): Tensor {
  const { dtype = dtypeOf(values), ...common } = options;
  return make({ type: "tensor", values: unshared(values), dtype, shape }, common);
}

/** A piece of text. */
export function text(text: string, options: More<Text, "text"> = {}): Text {
  return make({ type: "text", text, channel: "tts" }, options);
}

/** A structured value. It is not copied. */
export function json(value: unknown, options: Partial<Common> = {}): Json {
  return make({ type: "json", value }, options);
}

/** Bytes that the pipeline does not look into. */
export function binary(content: Bytes, mimeType: string | null = null, options: Partial<Common> = {}): Binary {
  return make({ type: "binary", content: asBytes(content), mimeType }, options);
}

/** A message to nodes. */
export function control(
  messageType: string, value: unknown = null, options: More<Control, "messageType" | "value"> = {},
): Control {
  return make({ type: "control", messageType, value, segmentId: null, timestampMs: 0 }, options);
}

/** A reference to a file. */
export function file(path: string, options: More<File, "path"> = {}): File {
  return make({ type: "file", path, filename: null, mimeType: null, size: null, offset: null, length: null }, options);
}

/** The channels as float32: views of the samples where they are F32, else converted copies, full scale being 1. */
export function planes({ samples, channels, frames, format }: Audio): Float32Array<ArrayBuffer>[] {
  const scale = format === "I16" ? 2 ** 15 : format === "I32" ? 2 ** 31 : 2 ** 7;
  const zero = format === "U8" ? 128 : 0;
  const all = samples instanceof Float32Array ? samples : Float32Array.from(samples, (x) => (x - zero) / scale);
  return Array.from({ length: channels }, (_, channel) => all.subarray(channel * frames, (channel + 1) * frames));
}

const FORMATS = Object.keys(SAMPLES) as SampleFormat[];

/** All fields, those that are undefined as if they were not given, and checked. */
function make<T extends Data["type"]>(own: Own<Of<T>> & { type: T }, more: Partial<Of<T>>): Of<T> {
  const given = Object.entries(more).filter(([, value]) => value !== undefined);
  const all = { ptsUs: null, streamId: null, metadata: null, ...own, ...Object.fromEntries(given) };
  const data = all as unknown as Of<T>;
  checkData(data);
  const packer = new Packer(); // whose check of nested values is the one that counts
  if ("value" in data) packer.value(data.value, `${data.type}: value`);
  if (data.metadata !== null) packer.value(data.metadata, `${data.type}: metadata`);
  return data;
}

function unshared<A extends TensorValues>(array: A): A {
  const isShared = ArrayBuffer.isView(array) && !((array.buffer as ArrayBufferLike) instanceof ArrayBuffer);
  return isShared ? (array.slice() as A) : array;
}

function asBytes(given: Bytes): Uint8Array<ArrayBuffer> {
  return given instanceof ArrayBuffer ? new Uint8Array(given) : unshared(given as Uint8Array<ArrayBuffer>);
}

function join(planes: readonly AnySamples[], format: SampleFormat): Samples {
  const frames = planes[0]!.length;
  const joined = new SAMPLES[format](planes.length * frames);
  planes.forEach((plane, channel) => joined.set(plane, channel * frames));
  return joined;
}

function dtypeOf(values: TensorValues): TensorType {
  const name = ArrayBuffer.isView(values) ? values[Symbol.toStringTag] : "";
  return name.replace(/^Big|Array$/g, "").toLowerCase() as TensorType;
}
