import { describe, expect, it } from "vitest";
import { audio, binary, control, type Data, file, image, json, planes, tensor, text, video } from "../src/data.ts";
import { RemoteMediaError } from "../src/errors.ts";

const COMMON = { ptsUs: null, streamId: null, metadata: null };

describe("constructors", () => {
  it("fill in what is not given", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const samples = new Float32Array(4);
    const made: [Data, Data][] = [
      [audio(samples, 16000), { type: "audio", samples, sampleRate: 16000, channels: 1, frames: 4, format: "F32", ...COMMON }],
      [video(bytes, 1, 1), {
        type: "video", pixels: bytes, width: 1, height: 1, pixelFormat: "RGB24", codec: null, frameNumber: 0, isKeyframe: true,
        ...COMMON,
      }],
      [image(bytes, "PNG"), { type: "image", content: bytes, format: "PNG", width: 0, height: 0, pixelFormat: null, ...COMMON }],
      [tensor(samples), { type: "tensor", values: samples, dtype: "float32", shape: [4], ...COMMON }],
      [text("a"), { type: "text", text: "a", channel: "tts", ...COMMON }],
      [json([1]), { type: "json", value: [1], ...COMMON }],
      [binary(bytes, "a/b"), { type: "binary", content: bytes, mimeType: "a/b", ...COMMON }],
      [control("x"), { type: "control", messageType: "x", value: null, segmentId: null, timestampMs: 0, ...COMMON }],
      [file("/a"), {
        type: "file", path: "/a", filename: null, mimeType: null, size: null, offset: null, length: null, ...COMMON,
      }],
    ];
    for (const [data, expected] of made) expect(data).toStrictEqual(expected);
  });

  it("take options, and pass over those that are undefined", () => {
    const options = { ptsUs: 20_000, streamId: "left", metadata: { a: [1] } };
    expect(text("a", { ...options, channel: "log" })).toMatchObject({ ...options, channel: "log" });
    const undefinedChannel = { channel: undefined } as unknown as { channel: string };
    expect(text("a", undefinedChannel).channel).toBe("tts");
    expect(video(Uint8Array.of(1), 640, 480, { codec: "VP8" })).toMatchObject({ codec: "VP8", pixelFormat: null });
    expect(image(Uint8Array.of(1, 2, 3), "RAW", { width: 1, height: 1, pixelFormat: "RGB24" }).width).toBe(1);
    expect(file("/a", { size: 2n ** 60n }).size).toBe(2n ** 60n);
  });

  it("take typed arrays as they are", () => {
    const samples = Int16Array.of(1, 2, 3, 4);
    expect(audio(samples, 8000, { channels: 2 })).toMatchObject({ channels: 2, frames: 2, format: "I16" });
    expect(audio(samples, 8000).samples).toBe(samples);
    expect(tensor(samples, [2, 2]).values).toBe(samples);
    const { buffer } = samples;
    expect(binary(buffer).content.buffer).toBe(buffer);
  });

  it("put one array after the other where channels come apart", () => {
    const left = Float32Array.of(1, 2);
    const data = audio([left, Float32Array.of(3, 4)], 8000);
    expect(data).toMatchObject({ channels: 2, frames: 2, sampleRate: 8000 });
    expect([...data.samples]).toEqual([1, 2, 3, 4]);
    expect(audio([left], 8000).samples).not.toBe(left);
  });

  it("copy shared memory, which another thread can change", () => {
    const shared = new Float32Array(new SharedArrayBuffer(8));
    const { samples } = audio(shared, 8000);
    shared.fill(1);
    expect([...samples]).toEqual([0, 0]);
    expect(binary(new Uint8Array(shared.buffer)).content.buffer).toBeInstanceOf(ArrayBuffer);
  });

  it.each([
    [new BigUint64Array(1), "uint64"],
    [new BigInt64Array(1), "int64"],
    [new Int8Array(1), "int8"],
    [new Float64Array(1), "float64"],
  ] as const)("know the dtype of %o", (values, dtype) => {
    expect(tensor(values).dtype).toBe(dtype);
  });

  it("keep bools and float16 as their bits", () => {
    expect(tensor(Uint8Array.of(0, 1), [2], { dtype: "bool" }).dtype).toBe("bool");
    expect(tensor(Uint16Array.of(0x3c00), [], { dtype: "float16" })).toMatchObject({ dtype: "float16", shape: [] });
  });
});

/** As a user without types would call it. */
const loose = { audio, video, image, tensor, text, json, binary, control, file } as unknown as Record<
  string,
  (...given: unknown[]) => unknown
>;

describe("what is wrong is told", () => {
  it.each([
    ["audio", [[0.5, 1], 16000], "audio: samples must be a Float32Array, Int16Array, Int32Array, Uint8Array, or a list of one of these per channel, not 0.5"],
    ["audio", [new Float64Array(1), 16000], "not a value of type Float64Array"],
    ["audio", [[], 16000], "not an empty list"],
    ["audio", [undefined, 16000], "not undefined"],
    ["audio", [[new Float32Array(2), new Float32Array(3)], 16000], "audio: channels must be alike; the first has 2 samples of F32"],
    ["audio", [[new Float32Array(2), new Int16Array(2)], 16000], "audio: channels must be alike"],
    ["audio", [new Float32Array(1)], "audio: sampleRate must be a whole number from 1 to 10000000 (a BigInt beyond 2**53), not undefined"],
    ["audio", [new Float32Array(1), 44100.5], "not 44100.5"],
    ["audio", [new Float32Array(3), 8000, { channels: 2 }], "audio: samples: 12 bytes are no whole number of 2-channel F32 frames"],
    ["audio", [new Float32Array(3), 8000, { channels: 0 }], "audio: channels must be a whole number from 1 to 256"],
    ["audio", [new Float32Array(1), 8000, { ptsUs: 1.5 }], "audio: ptsUs must be a whole number from 1 - 2**63 to 2**63 - 1 (a BigInt beyond 2**53), or null, not 1.5"],
    ["audio", [new Float32Array(1), 8000, { metadata: [1] }], "audio: metadata must be an object, or null, not a value of type Array"],
    ["audio", [new Float32Array(1), 8000, { metadata: { a: { b: NaN } } }], "audio: metadata.a.b: NaN is not JSON"],
    ["audio", [new Float32Array(1), 8000, { streamId: 1 }], "audio: streamId must be a string of valid Unicode, or null, not 1"],
    ["video", [new Uint8Array(11), 2, 2], "video: pixels: 11 bytes, and 2x2 RGB24 has 12"],
    ["video", [new Uint8Array(1), 2, 2, { codec: "VP9" }], 'video: codec must be one of VP8, H264, AV1, or null, not "VP9"'],
    ["video", [new Uint8Array(1), 2, 2, { codec: "VP8", pixelFormat: "RGB24" }], "video: codec: a frame has either a pixel format or a codec"],
    ["video", [new Uint8Array(0), 0, 2], "video: width must be a whole number from 1"],
    ["video", [new Uint8Array(0), 2n ** 60n, 2, { codec: "VP8" }], "video: width: 1152921504606846976 is beyond 2**53"],
    ["video", [new Float32Array(12), 2, 2], "video: pixels must be a Uint8Array, not a value of type Float32Array"],
    ["image", [new Uint8Array(3), "GIF"], 'image: format must be one of JPEG, PNG, WEBP, RAW, not "GIF"'],
    ["image", [new Uint8Array(3), "RAW"], "image: pixelFormat: belongs to format RAW, and only there"],
    ["tensor", [new Float32Array(3), [2, 2]], "tensor: values: 12 bytes, and the shape [2,2] needs 16"],
    ["tensor", [new Float32Array(3), [3], { dtype: "float16" }], "tensor: values must be a Uint16Array, not a value of type Float32Array"],
    ["tensor", [[1, 2]], "tensor: dtype must be one of bool, int8"],
    ["tensor", [Uint8Array.of(2), [1], { dtype: "bool" }], "tensor: values: a bool that is neither 0 nor 1"],
    ["tensor", [new Float32Array(0), [0, 2 ** 31]], "tensor: shape: too long for an empty array"],
    ["tensor", [new Float32Array(1), new Array(33).fill(1)], "tensor: shape must be a list of at most 32 sizes"],
    ["text", [1], "text: text must be a string of valid Unicode, not 1"],
    ["text", ["\ud800"], 'text: text must be a string of valid Unicode, not "\\ud800"'],
    ["json", [{ a: [undefined] }], "json: value.a[0]: undefined is not JSON"],
    ["binary", ["text"], 'binary: content must be a Uint8Array, not "text"'],
    ["binary", [new Uint8Array(1), 1], "binary: mimeType must be a string of valid Unicode, or null, not 1"],
    ["control", [""], 'control: messageType must be a string that is not empty, not ""'],
    ["control", ["x", null, { timestampMs: -1 }], "control: timestampMs must be a whole number from 0"],
    ["file", ["a\0b"], "file: path: a path has no NUL"],
    ["file", ["a", { size: 0.5 }], "file: size must be a whole number"],
  ])("%s(%o)", (name, given, message) => {
    const make = () => loose[name]!(...(given as unknown[]));
    expect(make).toThrow(message);
    expect(make).toThrow(RemoteMediaError);
    expect(make).toThrow(expect.objectContaining({ code: "data" }));
  });
});

describe("planes", () => {
  it("are views of float32 samples", () => {
    const data = audio(Float32Array.of(1, 2, 3, 4, 5, 6), 8000, { channels: 2 });
    const [left, right, ...more] = planes(data);
    expect([[...left!], [...right!], more]).toEqual([[1, 2, 3], [4, 5, 6], []]);
    expect(left!.buffer).toBe(data.samples.buffer);
    expect(right!.byteOffset).toBe(12);
  });

  it.each([
    [Int16Array.of(-32768, 16384), [-1, 0.5]],
    [Int32Array.of(-(2 ** 31), 2 ** 30), [-1, 0.5]],
    [Uint8Array.of(0, 192), [-1, 0.5]],
  ])("of %o are converted", (samples, expected) => {
    expect([...planes(audio(samples, 8000))[0]!]).toEqual(expected);
  });

  it("of an empty block are empty, one per channel", () => {
    expect(planes(audio(new Float32Array(0), 8000, { channels: 3 })).map((plane) => plane.length)).toEqual([0, 0, 0]);
  });
});
