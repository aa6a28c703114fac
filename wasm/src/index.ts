// The public door of @remotemedia/web.
export { Pipeline } from "./pipeline.ts";
export { RemoteMediaError } from "./errors.ts";
export type { ErrorOptions } from "./errors.ts";
export { checkIsolation, explainIsolation, registerIsolation } from "./isolation.ts";
export type { ExplainedIsolation, Isolation, Registration } from "./isolation.ts";
export * from "./data.ts";
export { decode, encode, WireError } from "./wire/index.ts";
export type { EdgeMetrics, Latency, NodeMetrics } from "./protocol.generated.ts";
export type {
  Connection, FileConnection, FileOptions, GraphEdge, GraphInfo, GraphNode, LinkKind, LoadOptions, ManifestSource,
  MicrophoneOptions, Phase, PipelineApi, PipelineEvent, PipelineMetrics, PipelineState, Problem, Progress, Recorder,
  RecorderOptions, ReloadOptions, RingMetrics, SpeakerOptions, StreamOptions,
} from "./types.ts";
