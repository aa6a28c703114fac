// The public types of the package, beside data.ts.
import type { Data, Packet } from "./data.ts";
import type { EdgeInfo, GraphInfo, Metrics, ModelInfo, NodeInfo, Policy, ProblemInfo, SetNode } from "./protocol.generated.ts";
import type { RemoteMediaError } from "./errors.ts";
import type { RingCounters } from "./links.ts";

/** A manifest: an object, YAML or JSON text (anything with a line break or a brace), or its URL. */
export type ManifestSource = string | URL | Record<string, unknown>;

export interface LoadOptions {
  /** Folder of this package's wheels. Default: `assets/` beside the package's own JavaScript. */
  baseUrl?: string | URL;
  /** Folder of Pyodide. Default: the public CDN, in the tested version. */
  pyodideUrl?: string | URL;
  /** Folder of onnxruntime-web's files, for nodes that compute with models. Default: the public CDN, in the tested version. */
  onnxUrl?: string | URL;
  /** Folder that has models by their names: `silero-vad/` and so on. Default: where their makers have them. */
  modelsUrl?: string | URL;
  /** More Python packages: names for micropip, URLs of wheels, or paths relative to the page. */
  packages?: readonly string[];
  /** Package indexes for micropip, instead of its default. */
  indexUrls?: readonly string[];
  /** Python source that is run before the manifest is loaded: it may define nodes. */
  source?: string;
  /** Called often while it boots, at least four times a second. */
  onProgress?: (progress: Progress) => void;
  /** Your AudioContext; it is not closed with the pipeline. Default: one of its own, made when needed. */
  audioContext?: AudioContext;
  /** A call into Python that lasts longer counts as hung, ms. Default 2,000; Infinity never. */
  hangTimeoutMs?: number;
  /** False: transfer buffers even where shared memory could be used. */
  sharedMemory?: boolean;
  /** Ends the loading. */
  signal?: AbortSignal;
  /** What errors call the manifest. Default: its URL, or "manifest". */
  name?: string;
}

export type Phase = "download" | "python" | "packages" | "pipeline" | "ready";

export interface Progress {
  phase: Phase;
  /** What is being done, for people. */
  message: string;
  loadedBytes: number;
  /** 0 while it is not known. */
  totalBytes: number;
  /** 0 to 1, never falling. */
  fraction: number;
}

/** One node of a graph; its ports with their caps in text form. */
export type GraphNode = NodeInfo;
/** One edge; `from` and `to` are "node:port". */
export type GraphEdge = EdgeInfo;
/** One thing wrong with a manifest, or worth a warning; line and column count from 1. */
export type Problem = ProblemInfo;
/** A model of a node, which may have several. `bytes` of all its files; `backend` and `provider`, which run it, are empty until it is open. */
export type { ModelInfo };
export type { GraphInfo };

/** new → running → finished | stopped → running … → closed; failed when it cannot go on. */
export type PipelineState = "loaded" | "running" | "finished" | "stopped" | "restarting" | "failed" | "closed";

/** How samples travel between the audio thread and the worker. */
export type LinkKind = "shared" | "transferred";

export interface StartOptions {
  /** Audio and video that is older is dropped, so that the session is never behind for longer, ms. Default: nothing is. */
  maxLatencyMs?: number;
  /** Of nodes to which the manifest gives none, in its words: `{ timeout_ms: 500, circuit_breaker: {} }`. */
  policy?: Policy;
  /** Record the session, with all that its sources do from the first moment: `pipeline.recording`. */
  record?: boolean | RecordingOptions;
  /** Watch the audio and video that goes in: `metrics().streams`, and events that call an alert. */
  monitor?: boolean;
}

export interface InterruptOptions {
  /** Only what is in this node and behind it. */
  from?: string;
  /** Fade out over so long what the speaker still has, as far as it has so much, ms. Default 0: at once, without a click. */
  fadeMs?: number;
}

export interface RecordingOptions {
  /** Ports inside of the graph that are recorded as well: "node:port". */
  taps?: readonly string[];
  /** Where it ends by itself; an event tells. Default 64 MiB. */
  maxBytes?: number;
}

/** A session as a file: `remotemedia replay` and `remotemedia.testing.replay` take it. */
export interface SessionRecording {
  /** Bytes that have arrived. */
  readonly size: number;
  /** Complete it, before the pipeline is closed. What a worker that died had sent until then is a recording, too. */
  stop(): Promise<Blob>;
}

/** enabled; bypass: its input goes on in its place; disabled: its input is lost. */
export type NodeState = SetNode["state"];
export type { Policy };

export interface SubscriptionOptions {
  /** Packets that wait for a reader; one who is slower misses the oldest, and an event `lagged` tells. Default 1,024. */
  capacity?: number;
}

/** What passes one port, until it is left (`return`, or the end of a `for await`) or the pipeline stops. */
export interface Subscription extends AsyncIterableIterator<Packet, undefined, undefined> {
  readonly place: string;
  return(): Promise<IteratorResult<Packet, undefined>>;
}

interface SourceOptions {
  /** "node" or "node:port"; default: every source that accepts audio. */
  to?: string;
  /** Samples that go through the graph at once, ms. Default 20. */
  blockMs?: number;
}

export interface MicrophoneOptions extends SourceOptions {
  deviceId?: string;
  /** All three default to false: the samples as they are. */
  echoCancellation?: boolean;
  noiseSuppression?: boolean;
  autoGainControl?: boolean;
  channels?: 1 | 2;
}

export interface StreamOptions extends SourceOptions {
  channels?: number;
}

export interface FileOptions extends SourceOptions {
  /** "fast": as quickly as the graph takes it. "realtime": played through the audio clock. Default "fast". */
  pace?: "fast" | "realtime";
  /** Rate that a compressed file is decoded at, Hz; WAV keeps its own. Default 48,000. */
  decodeRate?: number;
  /** Finish the pipeline's input when the file has ended. Default true. */
  finish?: boolean;
}

export interface SpeakerOptions {
  /** "node" or "node:port". Default: the only audio that comes out. */
  from?: string;
  /** Delay between Python and the speaker, beyond one block, in live mode. Default 10. */
  latencyMs?: number;
  /**
   * Skip what is late, so that the delay never grows. Default: whether audio that is connected in real time
   * reaches the speaker as audio; what is made of text (a voice that answers) is never skipped.
   */
  live?: boolean;
  channels?: number;
  /** Where to play; default the context's destination. Null: only into `handle.node`. */
  destination?: AudioNode | null;
}

export interface RecorderOptions {
  from?: string;
  /** Default: float32 as it comes. */
  encoding?: "pcm16" | "pcm24" | "float32";
}

/** Something that is connected to the graph. */
export interface Connection {
  readonly id: string;
  readonly kind: "microphone" | "stream" | "element" | "file" | "speaker" | "recorder";
  /** "node:port" or "" for the default. */
  readonly at: string;
  /** A Web Audio node that carries the signal, to look at with an AnalyserNode; null where there is none. */
  readonly node: AudioNode | null;
  disconnect(): Promise<void>;
}

export interface FileConnection extends Connection {
  /** Resolves when all of the file went into the graph. */
  readonly ended: Promise<void>;
}

export interface Recorder extends Connection {
  /** What was recorded so far, as a WAV file; ends the recording. */
  stop(): Promise<Blob>;
}

/** Counters of one ring, in frames; see docs/design/web.md. */
export interface RingMetrics extends Omit<RingCounters, "latencyFrames"> {
  id: string;
  kind: Connection["kind"];
  at: string;
  sampleRate: number;
  /** How much waited in it when it was last read, ms. */
  latencyMs: number;
}

/** Of nodes and edges; `session`: latencies from sending to coming out, while there is one; `streams`: with `start({ monitor: true })`. */
export interface PipelineMetrics extends Metrics {
  rings: RingMetrics[];
  /** Packets that waited for `outputs()` for so long that they were dropped. */
  unread: number;
  /** Bytes of the WebAssembly memory. */
  memoryBytes: number;
  link: LinkKind;
  restarts: number;
}

export type PipelineEvent =
  | { kind: "error"; error: RemoteMediaError; node: string | null; port: string | null; sequence: number }
  /**
   * What else happened in the session: a breaker opened, a queue is full, the graph was changed. `progress`: how far
   * a node is with what takes long, such as the download of a model; `fraction` 0 to 1, where that is known.
   */
  | { kind: "session"; what: string; message: string; node: string | null; port: string | null; fraction: number | null }
  /** The page may not play or capture before the user did something; goes on by itself after that. */
  | { kind: "suspended"; message: string }
  | { kind: "resumed"; message: string }
  /** A microphone went away, came back, or another one is used now. */
  | { kind: "device"; message: string; connection: string }
  | { kind: "hung"; message: string; node: string | null }
  | { kind: "restart"; message: string }
  /** Packets nobody reads are dropped, samples were lost; told once each. */
  | { kind: "warning"; message: string }
  | { kind: "state"; state: PipelineState; message: string };

export interface ReloadOptions {
  manifest?: ManifestSource;
  source?: string;
}

/** What `Pipeline` is; see pipeline.ts. Written down here for whoever builds against it. */
export interface PipelineApi {
  readonly graph: GraphInfo;
  readonly warnings: readonly Problem[];
  readonly state: PipelineState;
  readonly link: LinkKind;
  /** Why memory is not shared, and what to do; empty where it is. */
  readonly linkReason: string;
  readonly audioContext: AudioContext | null;
  start(options?: StartOptions): Promise<void>;
  stop(): Promise<void>;
  /** End of input; resolves when all tails are out. */
  finish(): Promise<void>;
  interrupt(options?: InterruptOptions): Promise<void>;
  close(): Promise<void>;
  reload(options: ReloadOptions): Promise<void>;
  connectMicrophone(options?: MicrophoneOptions): Promise<Connection>;
  connectStream(stream: MediaStream, options?: StreamOptions): Promise<Connection>;
  connectElement(element: HTMLMediaElement, options?: StreamOptions): Promise<Connection>;
  connectFile(file: Blob | ArrayBuffer | string | URL, options?: FileOptions): Promise<FileConnection>;
  connectSpeaker(options?: SpeakerOptions): Promise<Connection>;
  connectRecorder(options?: RecorderOptions): Promise<Recorder>;
  send(data: Data, options?: { to?: string }): Promise<number>;
  stream(source: Iterable<Data> | AsyncIterable<Data>, options?: { to?: string }): AsyncGenerator<Packet, void, undefined>;
  outputs(): AsyncIterableIterator<Packet, undefined, undefined>;
  events(): AsyncIterableIterator<PipelineEvent, undefined, undefined>;
  metrics(): Promise<PipelineMetrics>;
  /** What models the nodes of the graph compute with; once it has been started, also what runs them. */
  models(): Promise<ModelInfo[]>;
  setNode(node: string, state: NodeState): Promise<void>;
  setParams(node: string, params: Record<string, unknown>): Promise<void>;
  apply(manifest: ManifestSource): Promise<void>;
  publish(place: string, data: Data): Promise<void>;
  subscribe(place: string, options?: SubscriptionOptions): Promise<Subscription>;
  record(options?: RecordingOptions): Promise<SessionRecording>;
  readonly recording: SessionRecording | null;
}
