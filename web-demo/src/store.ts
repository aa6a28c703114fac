// All that the page shows. The controller writes the run, the components write the choices.
import type { GraphInfo, LinkKind, ModelInfo, PipelineMetrics, PipelineState, Problem, Progress } from "@remotemedia/web";
import { create } from "zustand";
import type { Picture } from "./draw/picture.ts";
import { NO_RESULTS, type Results } from "./pipeline/results.ts";

export type Stage = "empty" | "loading" | "starting" | PipelineState;
export type InputKind = "microphone" | "file" | "clip";
export type Pace = "fast" | "realtime";

export interface Example {
  id: string;
  title: string;
  manifest: string;
  /** Python that defines nodes of it. */
  source: string;
  /** It answers by a voice. */
  speaks: boolean;
}

export interface LogEntry {
  key: number;
  /** Since the page was opened, ms. */
  atMs: number;
  kind: "error" | "warning" | "info";
  title: string;
  detail: string;
  traceback: string;
  node: string | null;
  count: number;
}

/** How far a node is with what takes long; `fraction` 0 to 1, where it is known. */
export interface Loading {
  message: string;
  fraction: number | null;
}

export interface Fault {
  message: string;
  traceback: string;
}

/** Where a signal can be looked at; null where there is none. */
export interface Taps {
  in: AnalyserNode | null;
  out: AnalyserNode | null;
}

export interface State {
  // -- choices
  examples: Example[];
  exampleId: string;
  manifest: string;
  source: string;
  input: InputKind;
  file: File | null;
  clip: Blob | null;
  clipThere: boolean;
  devices: MediaDeviceInfo[];
  deviceId: string;
  pace: Pace;
  speaker: boolean;
  /** Of the microphone: take out what comes from the speaker. */
  cancelEcho: boolean;
  record: boolean;
  listenTo: string;
  // -- the pipeline
  stage: Stage;
  progress: Progress | null;
  /** Kept beside `progress`, whose last report has none. */
  loadedBytes: number;
  bootMs: number | null;
  graph: GraphInfo | null;
  models: readonly ModelInfo[];
  /** By node, while models are loaded. */
  modelProgress: Record<string, Loading>;
  /** What was loaded is kept, for use without a network. */
  keptOffline: boolean;
  link: LinkKind | null;
  linkReason: string;
  warnings: readonly Problem[];
  problems: readonly Problem[];
  fault: Fault | null;
  /** The texts that the pipeline was loaded from. */
  loaded: { manifest: string; source: string } | null;
  // -- the run
  startedMs: number | null;
  metrics: PipelineMetrics | null;
  nodeErrors: Record<string, { count: number; last: string }>;
  results: Results;
  log: LogEntry[];
  taps: Taps;
  recording: boolean;
  recorded: Blob | null;
  inputPicture: Picture | null;
  outputPicture: Picture | null;
}

export const START: State = {
  examples: [],
  exampleId: "",
  manifest: "",
  source: "",
  input: "microphone",
  file: null,
  clip: null,
  clipThere: false,
  devices: [],
  deviceId: "",
  pace: "fast",
  speaker: false,
  cancelEcho: false,
  record: true,
  listenTo: "",
  stage: "empty",
  progress: null,
  loadedBytes: 0,
  bootMs: null,
  graph: null,
  models: [],
  modelProgress: {},
  keptOffline: false,
  link: null,
  linkReason: "",
  warnings: [],
  problems: [],
  fault: null,
  loaded: null,
  startedMs: null,
  metrics: null,
  nodeErrors: {},
  results: NO_RESULTS,
  log: [],
  taps: { in: null, out: null },
  recording: false,
  recorded: null,
  inputPicture: null,
  outputPicture: null,
};

export const createStore = () => create<State>()(() => START);
export type Store = ReturnType<typeof createStore>;

export const useStore = createStore();

export const isRunning = (stage: Stage): boolean => stage === "running" || stage === "restarting";
export const isBusy = (stage: Stage): boolean => stage === "loading" || stage === "starting";

/** Whether what is in the editor is not what is loaded. */
export const isChanged = ({ loaded, manifest, source }: State): boolean =>
  loaded !== null && (loaded.manifest !== manifest || loaded.source !== source);

/** `node:port` of all audio that comes out: first what is made of text, which was made to be heard. */
export function audioOutlets(graph: GraphInfo | null): string[] {
  if (!graph) return [];
  const audible = graph.outlets.filter((outlet) => {
    const [id = "", port = "out"] = outlet.split(":", 2);
    return graph.nodes.find((node) => node.id === id)?.outputs[port]?.startsWith("audio") ?? false;
  });
  return [...audible.filter((outlet) => isSpoken(graph, outlet)), ...audible.filter((outlet) => !isSpoken(graph, outlet))];
}

/** Whether a node makes that audio of text. */
export function isSpoken(graph: GraphInfo, outlet: string): boolean {
  const id = outlet.split(":", 1)[0];
  return Object.values(graph.nodes.find((node) => node.id === id)?.inputs ?? {}).some((caps) => caps.startsWith("text"));
}
