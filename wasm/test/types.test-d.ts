// What users of the package may rely on, as types. Compiled by types.test.ts, never run.
import {
  audio, checkIsolation, decode, json, Pipeline, planes, RemoteMediaError, tensor, text, video,
  type Audio, type Connection, type Data, type EndOfInput, type FileConnection, type GraphInfo, type Integer, type Isolation,
  type Json, type LoadOptions, type Metadata, type Packet, type PipelineApi, type PipelineEvent, type PipelineMetrics,
  type PipelineState, type Problem, type Recorder, type Registration, type Samples, type SessionRecording, type Tensor, type Text,
} from "@remotemedia/web";

type IsAny<T> = 0 extends 1 & T ? true : false;
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only where the types are the same. */
declare function same<A, B>(is: Equal<A, B>): void;

// -- no `any` anywhere in what the package gives and takes --------------------------------------------

/** Types of the platform, which are not ours to judge. */
type Foreign = EventTarget | Event | Blob | URL | ArrayBufferLike | ArrayBufferView;
type Deeper = { 6: 5; 5: 4; 4: 3; 3: 2; 2: 1; 1: 0; 0: 0 };
type HoldsAny<T, Left extends keyof Deeper = 6> =
  IsAny<T> extends true ? true
  : Left extends 0 ? false
  : unknown extends T ? false
  : T extends Foreign | string | number | bigint | boolean | symbol | null | undefined ? false
  : T extends (...given: infer Given) => infer Result ? HoldsAny<Given[number] | Result, Deeper[Left]> | AnyOf<Given>
  : T extends Promise<infer Result> ? HoldsAny<Result, Left>
  : T extends AsyncIterator<infer Item, infer End, infer Given> ? HoldsAny<Item, Deeper[Left]> | IsAny<End> | IsAny<Given>
  : T extends Iterable<infer Item> | AsyncIterable<infer Item> ? HoldsAny<Item, Deeper[Left]>
  : { [K in keyof T]-?: HoldsAny<T[K], Deeper[Left]> }[keyof T];
type AnyOf<Given extends unknown[]> = { [K in keyof Given]: IsAny<Given[K]> }[number];
type Clean<T> = true extends HoldsAny<T> ? false : true;

// The judge itself is not blind.
same<Clean<any>, false>(true);
same<Clean<{ a: number; b: () => Promise<{ c: any }> }>, false>(true);
same<Clean<{ a: string; b(given: { c: any[] }): void }>, false>(true);
same<Clean<{ a: string; b(): AsyncIterableIterator<string> }>, false>(true);
same<Clean<{ a: number; b: () => Promise<{ c: unknown }>; d?: string[] }>, true>(true);

same<Clean<PipelineApi>, true>(true);
same<Clean<typeof Pipeline.load>, true>(true);
same<Clean<LoadOptions>, true>(true);
same<Clean<Data | Packet | EndOfInput>, true>(true);
same<Clean<PipelineEvent | PipelineMetrics | GraphInfo | Problem>, true>(true);
same<Clean<RemoteMediaError>, true>(true);
same<Clean<typeof audio | typeof video | typeof text | typeof json | typeof decode>, true>(true);

// -- data: one union, told apart by its type -----------------------------------------------------------

export function describe(data: Data): string {
  switch (data.type) {
    case "audio":
      same<typeof data, Audio>(true);
      return `${data.frames} frames of ${data.format} at ${data.sampleRate} Hz, ${planes(data)[0]?.length}`;
    case "video":
      return `${data.width}×${data.height} ${data.codec ?? data.pixelFormat}`;
    case "image":
      return data.format;
    case "tensor":
      return data.shape.join("×");
    case "text":
      return data.text;
    case "json":
      same<typeof data.value, unknown>(true);
      return JSON.stringify(data.value);
    case "binary":
      return data.mimeType ?? "bytes";
    case "control":
      return data.messageType;
    case "file":
      return data.path;
    default:
      same<typeof data, never>(true); // another type has to be added above
      return data;
  }
}

same<ReturnType<typeof audio>, Audio>(true);
same<ReturnType<typeof text>, Text>(true);
same<ReturnType<typeof json>, Json>(true);
same<ReturnType<typeof tensor>, Tensor>(true);
same<Audio["samples"], Samples>(true);
same<Data["metadata"], Metadata | null>(true);
same<Packet["sequence"], Integer>(true);
same<ReturnType<typeof decode>["item"], Packet | EndOfInput>(true);

const tone: Audio = audio([new Float32Array(4), new Float32Array(4)], 48_000, { ptsUs: 0n });
export const labelled: Data = text("a", { channel: "log", metadata: { from: "page" } });
// @ts-expect-error nobody changes data
tone.sampleRate = 16_000;
// @ts-expect-error no such samples
audio(new Float64Array(4), 48_000);
// @ts-expect-error bytes are no samples per se
audio([1, 2, 3], 48_000);
// @ts-expect-error not an option of text
text("a", { sampleRate: 1 });
// @ts-expect-error no such codec
video(new Uint8Array(4), 1, 1, { codec: "H265" });

// -- events: one union, told apart by its kind ----------------------------------------------------------

export function react(event: PipelineEvent): string {
  switch (event.kind) {
    case "error":
      same<typeof event.error, RemoteMediaError>(true);
      return `${event.node}: ${event.error.message} (${event.error.code})`;
    case "state":
      same<typeof event.state, PipelineState>(true);
      return event.state;
    case "device":
      return event.connection;
    case "session":
      return `${event.what} at ${event.node ?? "the session"}: ${event.message}`;
    case "hung":
      return event.node ?? event.message;
    case "suspended":
    case "resumed":
    case "restart":
    case "warning":
      return event.message;
    default:
      same<typeof event, never>(true);
      return event;
  }
}

// -- the pipeline ---------------------------------------------------------------------------------------

export async function use(): Promise<void> {
  const controller = new AbortController();
  const pipeline = await Pipeline.load(new URL("https://example.test/p.yaml"), {
    baseUrl: "/assets/",
    pyodideUrl: new URL("https://example.test/pyodide/"),
    packages: ["scipy"],
    signal: controller.signal,
    onProgress: ({ phase, fraction }) => console.log(phase, fraction.toFixed(2)),
  });
  same<typeof pipeline, Pipeline>(true);
  const api: PipelineApi = pipeline;
  await api.start({ maxLatencyMs: 500, policy: { timeout_ms: 50, retry: { attempts: 2 } }, record: { taps: ["mic:out"] }, monitor: true });
  // @ts-expect-error no such policy
  await api.start({ policy: { timeout: 50 } });
  const microphone = await pipeline.connectMicrophone({ to: "mic:in", channels: 1, blockMs: 10 });
  same<typeof microphone, Connection>(true);
  same<typeof microphone.node, AudioNode | null>(true);
  const file = await pipeline.connectFile(new Blob(), { pace: "realtime" });
  same<typeof file, FileConnection>(true);
  await file.ended;
  const recorder = await pipeline.connectRecorder({ encoding: "pcm16" });
  same<typeof recorder, Recorder>(true);
  same<Awaited<ReturnType<typeof recorder.stop>>, Blob>(true);
  same<Awaited<ReturnType<typeof pipeline.send>>, number>(true);
  // A result is narrowed by `done`, also where no loop is used.
  const result = await pipeline.outputs().next();
  if (result.done !== true) same<typeof result.value, Packet>(true);
  else same<typeof result.value, undefined>(true);
  for await (const packet of pipeline.outputs()) same<typeof packet, Packet>(true);
  for await (const event of pipeline.events()) same<typeof event, PipelineEvent>(true);
  for await (const packet of pipeline.stream([tone])) same<typeof packet.data, Data>(true);
  async function* source(): AsyncGenerator<Data> {
    yield tone;
  }
  for await (const { data } of pipeline.stream(source(), { to: "mic" })) if (data.type === "text") break;
  const { nodes, rings, link, session, streams } = await pipeline.metrics();
  same<typeof link, "shared" | "transferred">(true);
  console.log(session?.end_to_end.p99_us, session?.first_output.windows["60"]?.p50_us, streams[0]?.health);
  console.log(nodes[0]?.latency.p99_us, rings[0]?.latencyMs);

  await api.interrupt({ from: "reply", fadeMs: 30 });
  await api.setNode("gain", "bypass");
  // @ts-expect-error no such state
  await api.setNode("gain", "off");
  await api.setParams("gain", { gain_db: 3 });
  await api.apply("pipeline.yaml");
  await api.publish("gain:in", tone);
  for await (const packet of await api.subscribe("gain:out", { capacity: 8 })) same<typeof packet, Packet>(true);
  const recording = await api.record({ maxBytes: 1_000_000 });
  same<typeof recording, SessionRecording>(true);
  same<Awaited<ReturnType<typeof recording.stop>>, Blob>(true);
  same<typeof api.recording, SessionRecording | null>(true);

  // @ts-expect-error a state is only looked at
  pipeline.state = "closed";
  // @ts-expect-error made by load only
  new Pipeline();
  // @ts-expect-error a misspelt option
  await pipeline.connectSpeaker({ form: "out" });
  // @ts-expect-error no data
  await pipeline.send("text");
  // @ts-expect-error a number is no manifest
  await Pipeline.load(7);

  await using again = await Pipeline.load({ version: "v1", nodes: [] });
  same<typeof again.graph, GraphInfo>(true);
}

export function caught(error: unknown): readonly Problem[] {
  if (!(error instanceof RemoteMediaError)) return [];
  same<typeof error.code, string>(true);
  same<typeof error.cause, unknown>(true);
  return error.problems;
}

same<ReturnType<typeof checkIsolation>, Isolation>(true);
same<Registration, "isolated" | "reloading" | "unsupported" | "failed">(true);
