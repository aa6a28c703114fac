// The public door of @remotemedia/web.
export { Pipeline } from "./pipeline.ts";
export { RemoteMediaError } from "./errors.ts";
export type { ErrorOptions } from "./errors.ts";
export { checkIsolation, explainIsolation, registerIsolation } from "./isolation.ts";
export type { ExplainedIsolation, Isolation, Registration } from "./isolation.ts";
export { keepOffline } from "./offline.ts";
export type { Keeping } from "./offline.ts";
export * from "./data.ts";
export { decode, encode, WireError } from "./wire/index.ts";
export type { EdgeMetrics, Latency, NodeMetrics, SessionMetrics, StreamMetrics, Timing } from "./protocol.generated.ts";
export type {
  Connection, FileConnection, FileOptions, GraphEdge, GraphInfo, GraphNode, InterruptOptions, LinkKind, LoadOptions,
  ManifestSource, MicrophoneOptions, ModelInfo, NodeState, Phase, PipelineApi, PipelineEvent, PipelineMetrics, PipelineState, Policy,
  Problem, Progress, Recorder, RecorderOptions, RecordingOptions, ReloadOptions, RingMetrics, SessionRecording,
  SpeakerOptions, StartOptions, StreamOptions, Subscription, SubscriptionOptions,
} from "./types.ts";
