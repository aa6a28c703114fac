// Pipeline: the public way in.
/// <reference lib="esnext.disposable" preserve="true" />
import { AudioHost } from "./audio.ts";
import { BootProgress } from "./boot-progress.ts";
import type { Attached, Owner } from "./connection.ts";
import { Connections } from "./connections.ts";
import { Control } from "./control.ts";
import type { Data, Packet } from "./data.ts";
import { RemoteMediaError, fromInfo, messageOf } from "./errors.ts";
import { Events } from "./events.ts";
import { playFile } from "./file.ts";
import { checkIsolation } from "./isolation.ts";
import { Loader } from "./loader.ts";
import { readManifest } from "./manifest-source.ts";
import type { Manifest } from "./manifest-source.ts";
import { Losses, ringMetrics } from "./measure.ts";
import { connectElement, connectMicrophone, connectStream } from "./microphone.ts";
import { Outputs } from "./outputs.ts";
import type { GraphInfo, Interrupted, Metrics, ModelInfo, ModelList, RecordOptions } from "./protocol.generated.ts";
import { connectRecorder } from "./recorder.ts";
import { Recordings } from "./recording.ts";
import type { Remote } from "./remote.ts";
import { connectSpeaker } from "./speaker.ts";
import type {
  Connection, FileConnection, FileOptions, InterruptOptions, LinkKind, LoadOptions, ManifestSource, MicrophoneOptions,
  NodeState, PipelineApi, PipelineEvent, PipelineMetrics, PipelineState, Problem, Progress, Recorder, RecorderOptions,
  RecordingOptions, ReloadOptions, SessionRecording, SpeakerOptions, StartOptions, StreamOptions, Subscription,
  SubscriptionOptions,
} from "./types.ts";
import { encodeData } from "./wire/index.ts";

/** Restarts within `RESTART_WINDOW_MS` before the pipeline gives up. */
const MAX_RESTARTS = 3;
const RESTART_WINDOW_MS = 60_000;
/** States in which there is no session. */
const IDLE = ["loaded", "stopped", "restarting", "failed", "closed"] as const;

/** A pipeline in a worker of its own. */
export class Pipeline implements PipelineApi {
  #manifest: Manifest;
  #source: string;
  #graph!: GraphInfo;
  #remote!: Remote;
  #started: StartOptions = {};
  #recording: SessionRecording | null = null;
  #restarts: number[] = [];
  #restarted = 0;
  /** The worker is another one than that which was told of changes. */
  #behind = false;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #options: LoadOptions;
  readonly #link: LinkKind;
  readonly #linkReason: string;
  readonly #events = new Events();
  readonly #losses = new Losses((message) => this.#events.tell({ kind: "warning", message }));
  readonly #loader: Loader;
  readonly #connections: Connections;
  readonly #control = new Control(() => this.#remote);
  readonly #recordings = new Recordings(() => this.#remote);
  readonly #audio: AudioHost;
  readonly #outputs = new Outputs((packets) => {
    this.#remote.ask({ type: "read", packets }).catch(() => undefined); // a dead worker gives nothing more
  });

  /**
   * Load a manifest: starts a worker, Python in it, and checks the manifest.
   *
   * Raises a RemoteMediaError: `manifest` with `problems`, each with line and column; `load` if a
   * file of the runtime cannot be had; `aborted`.
   */
  static async load(manifest: ManifestSource, options: LoadOptions = {}): Promise<Pipeline> {
    const pipeline = new Pipeline(await readManifest(manifest, options.name), options);
    try {
      await pipeline.#boot(options.onProgress);
      return pipeline;
    } catch (error) {
      await pipeline.close();
      throw error;
    }
  }

  private constructor(manifest: Manifest, options: LoadOptions) {
    this.#manifest = manifest;
    this.#source = options.source ?? "";
    this.#options = options;
    const { shared, reason, fix } = checkIsolation();
    const wanted = options.sharedMemory ?? true;
    this.#link = shared && wanted ? "shared" : "transferred";
    this.#linkReason = shared ? (wanted ? "" : "the page asked for it (sharedMemory: false)") : [reason, fix].filter(Boolean).join(": ");
    this.#loader = new Loader(options, this.#link === "shared");
    const tell = (event: PipelineEvent): void => this.#events.tell(event);
    this.#audio = new AudioHost(options.audioContext, tell);
    this.#connections = new Connections(this.#audio, {
      shared: this.#link === "shared", remote: () => this.#remote, tell, finish: () => this.finish(),
    });
  }

  /** The loaded graph; where it was changed while it ran, the one that runs. */
  get graph(): GraphInfo {
    return this.#graph;
  }

  /** What the manifest has without effect here. */
  get warnings(): readonly Problem[] {
    return this.#graph.warnings;
  }

  get state(): PipelineState {
    return this.#events.state;
  }

  /** How samples travel between the audio thread and the worker. */
  get link(): LinkKind {
    return this.#link;
  }

  /** Why memory is not shared, and what to do; empty where it is. */
  get linkReason(): string {
    return this.#linkReason;
  }

  /** The AudioContext, once something needed one. */
  get audioContext(): AudioContext | null {
    return this.#audio.context;
  }

  // -- life ------------------------------------------------------------------------------------

  /** Open all nodes. Raises the error of a node that cannot open. */
  start(options: StartOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      this.#events.refuse("start", "running", "restarting", "failed", "closed");
      this.#outputs.open();
      const { record = false } = options;
      const begun = record === false ? null : this.#recordings.prepare(record === true ? {} : record);
      this.#started = options;
      try {
        await this.#startSession(begun?.options);
      } catch (error) {
        begun?.forget();
        throw error;
      }
      this.#recording = begun?.recording ?? null;
      this.#events.become("running");
    });
  }

  /** The recording that `start({ record })` began. */
  get recording(): SessionRecording | null {
    return this.#recording;
  }

  /** Disconnect everything and close all nodes; what is in flight is dropped. It can be started again. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.state !== "running" && this.state !== "finished") return;
      await this.#connections.abandon();
      this.#remote.watch(false);
      await this.#remote.ask({ type: "stop" });
      this.#outputs.end();
      this.#control.end();
      this.#events.become("stopped");
    });
  }

  /** End of input; resolves when all tails are out and read. Raises what broke the session. */
  async finish(): Promise<void> {
    this.#events.refuse("finish", ...IDLE);
    await this.#connections.endInput();
    await this.#remote.ask({ type: "finish" });
    if (this.state === "running") this.#events.become("finished");
  }

  /**
   * Barge-in: what is in flight is dropped, the speaker's buffer included; nothing older appears afterwards. With
   * `from` only what is in that node and behind it, and the speakers that play it; all else goes on.
   */
  async interrupt({ from, fadeMs = 0 }: InterruptOptions = {}): Promise<void> {
    this.#events.refuse("interrupt", ...IDLE);
    await this.#remote.askFirst<Interrupted>({ type: "interrupt", from: from ?? null, fadeMs }, ({ generation, nodes }) => {
      this.#outputs.drop(generation, nodes);
    });
  }

  /** Let go of everything: worker, microphone, AudioContext. */
  async close(): Promise<void> {
    if (this.state === "closed") return;
    this.#events.become("closed");
    await this.#connections.abandon();
    (this.#remote as Remote | undefined)?.terminate();
    this.#outputs.end();
    this.#control.end();
    this.#events.end();
    await this.#audio.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Take another manifest, or other source, without a new boot. The pipeline is stopped; start it
   * again. If the new one is refused, the old one stays.
   */
  async reload(options: ReloadOptions): Promise<void> {
    await this.stop();
    const manifest = options.manifest === undefined ? this.#manifest : await readManifest(options.manifest, this.#options.name);
    await this.#inTurn(async () => {
      this.#events.refuse("reload", "running", "restarting", "failed", "closed");
      const source = options.source ?? this.#source;
      if (options.source !== undefined && source !== "") await this.#remote.ask({ type: "define", source });
      this.#graph = await this.#loader.give(this.#remote, manifest, "load");
      this.#control.changed(this.#graph);
      this.#manifest = manifest;
      this.#source = source;
    });
  }

  // -- connections -------------------------------------------------------------------------------

  /** Feed a microphone. Call it from a click: browsers ask the user, and start audio only then. */
  connectMicrophone(options: MicrophoneOptions = {}): Promise<Connection> {
    return this.#connect((owner) => connectMicrophone(owner, options));
  }

  /** Feed a MediaStream, such as of a WebRTC connection. */
  connectStream(stream: MediaStream, options: StreamOptions = {}): Promise<Connection> {
    return this.#connect((owner) => connectStream(owner, stream, options));
  }

  /** Feed what an `<audio>` or `<video>` plays; it is then no longer heard by itself. */
  connectElement(element: HTMLMediaElement, options: StreamOptions = {}): Promise<Connection> {
    return this.#connect((owner) => connectElement(owner, element, options));
  }

  /** Feed a file: WAV exactly as it is, other formats as the browser decodes them. */
  connectFile(file: Blob | ArrayBuffer | string | URL, options: FileOptions = {}): Promise<FileConnection> {
    return this.#connect((owner) => playFile(owner, file, options));
  }

  /** Play what comes out of a port. */
  connectSpeaker(options: SpeakerOptions = {}): Promise<Connection> {
    return this.#connect((owner) => connectSpeaker(owner, options));
  }

  /** Record what comes out of a port, as a WAV file. */
  connectRecorder(options: RecorderOptions = {}): Promise<Recorder> {
    return this.#connect((owner) => connectRecorder(owner, options));
  }

  // -- data ----------------------------------------------------------------------------------------

  /** Put data in; resolves, to its sequence number, when there was room. */
  async send(data: Data, options: { to?: string } = {}): Promise<number> {
    this.#events.refuse("send", ...IDLE);
    return this.#remote.ask<number>({ type: "send", to: options.to ?? null }, encodeData(data));
  }

  /** Feed a source and read the outputs at the same time, then finish. */
  async *stream(
    source: Iterable<Data> | AsyncIterable<Data>,
    options: { to?: string } = {},
  ): AsyncGenerator<Packet, void, undefined> {
    const outputs = this.outputs();
    let fed = true;
    const feed = (async () => {
      for await (const data of source) {
        if (!fed) return;
        await this.send(data, options);
      }
      await this.finish();
    })();
    feed.catch((error: unknown) => this.#outputs.end(error instanceof Error ? error : new Error(messageOf(error))));
    try {
      yield* outputs;
      await feed;
    } finally {
      fed = false;
      await outputs.return?.();
    }
  }

  /**
   * Packets of every unconnected output port and of `is_output_node` nodes, until the input is
   * finished and all tails are out, or the pipeline stops. Each is given once, whoever asks. While somebody reads, nothing
   * is lost and the graph waits for the reader; while nobody does, the newest 1,024 are kept.
   */
  outputs(): AsyncIterableIterator<Packet, undefined, undefined> {
    return this.#outputs.read();
  }

  /** What happens beside the packets, until the pipeline is closed. */
  events(): AsyncIterableIterator<PipelineEvent, undefined, undefined> {
    return this.#events.iterate();
  }

  /** Counts, latencies and the state of every ring. */
  async metrics(): Promise<PipelineMetrics> {
    this.#events.refuse("metrics", "restarting", "failed", "closed");
    const [session, { rings, memoryBytes }] = await Promise.all([
      this.#remote.ask<Metrics & { unread: number }>({ type: "metrics" }),
      this.#remote.counters(),
    ]);
    const measured = ringMetrics(rings, this.#connections.all);
    this.#losses.look(measured, session.unread);
    return { ...session, rings: measured, memoryBytes, link: this.#link, restarts: this.#restarted };
  }

  /** What models the nodes of the graph compute with; once it has been started, also what runs them. */
  async models(): Promise<ModelInfo[]> {
    this.#events.refuse("models", "restarting", "failed", "closed");
    return (await this.#remote.ask<ModelList>({ type: "models" })).models;
  }

  // -- control of what runs ------------------------------------------------------------------------

  /** Switch a node: `bypass`, its input goes on in place of its output; `disabled`, it is lost. */
  async setNode(node: string, state: NodeState): Promise<void> {
    this.#events.refuse("setNode", ...IDLE);
    await this.#control.setNode(node, state);
  }

  /** Change parameters of a node, between two packets. Raises `params` where the node must be replaced for that: see `apply`. */
  async setParams(node: string, params: Record<string, unknown>): Promise<void> {
    this.#events.refuse("setParams", ...IDLE);
    await this.#setParams(node, params);
  }

  /**
   * Run another manifest from now on. What is the same in both goes on undisturbed; a manifest that is refused
   * changes nothing.
   */
  async apply(manifest: ManifestSource): Promise<void> {
    this.#events.refuse("apply", ...IDLE);
    const next = await readManifest(manifest, this.#options.name);
    await this.#inTurn(async () => {
      this.#events.refuse("apply", ...IDLE);
      this.#graph = await this.#loader.give(this.#remote, next, "apply");
      this.#control.changed(this.#graph);
      this.#manifest = next;
    });
  }

  /** Put data in at "node:port": into an input, or behind an output as if the node had given it. */
  async publish(place: string, data: Data): Promise<void> {
    this.#events.refuse("publish", ...IDLE);
    await this.#control.publish(place, data);
  }

  /** See every packet at "node:port", without slowing it down: who reads too slowly misses the oldest. */
  async subscribe(place: string, options: SubscriptionOptions = {}): Promise<Subscription> {
    this.#events.refuse("subscribe", ...IDLE);
    return this.#control.subscribe(place, options);
  }

  /** Record what goes in and comes out from now on, to be replayed natively. */
  async record(options: RecordingOptions = {}): Promise<SessionRecording> {
    this.#events.refuse("record", ...IDLE);
    return this.#recordings.start(options);
  }

  // -- inside --------------------------------------------------------------------------------------

  /** Start a worker; `report` is told how far it is, the first time. */
  async #boot(report?: (progress: Progress) => void): Promise<void> {
    const progress = new BootProgress(report);
    try {
      await this.#bootWith(progress);
    } finally {
      progress.end();
    }
  }

  async #bootWith(progress: BootProgress): Promise<void> {
    this.#remote = await this.#loader.boot(this.#manifest, {
      onProgress: (told) => progress.take(told),
      onPacket: (frame, subscription) => {
        if (subscription === undefined) this.#outputs.push(frame);
        else this.#control.push(subscription, frame);
      },
      onRecorded: (recording, content) => this.#recordings.push(recording, content),
      onHappened: (event) => this.#events.happened(event),
      onEnded: ({ error }) => {
        this.#outputs.end(error === null ? undefined : fromInfo(error));
        if (error !== null) this.#fail(fromInfo(error));
      },
      onHung: (message) => this.#events.tell({ kind: "hung", message, node: null }),
      onDeath: (reason) => void this.#restart(reason),
    });
    this.#graph = await this.#loader.fill(this.#remote, this.#manifest, this.#source, progress);
    progress.say("ready", "ready", 1);
  }

  async #startSession(record?: RecordOptions): Promise<void> {
    const { maxLatencyMs, policy, monitor = false } = this.#started;
    await this.#remote.ask({
      type: "start", maxLatencyMs: maxLatencyMs ?? null, policy: policy ?? null, record: record ?? null, monitor,
    });
    this.#outputs.begin();
    if (this.#behind) {
      for (const [node, params] of this.#control.params) await this.#setParams(node, params);
      await this.#control.resume();
    }
    this.#behind = false;
    this.#remote.watch(true);
  }

  async #setParams(node: string, params: Record<string, unknown>): Promise<void> {
    const all = await this.#control.setParams(node, params);
    const nodes = this.#graph.nodes.map((one) => (one.id === node ? { ...one, params: all } : one));
    this.#graph = { ...this.#graph, nodes };
  }

  async #connect<C extends Attached>(make: (owner: Owner) => Promise<C>): Promise<C> {
    this.#events.refuse("connect", "loaded", "stopped", "finished", "restarting", "failed", "closed");
    const connection = await this.#connections.add(make);
    if (this.state === "closed") {
      await connection.disconnect(true);
      throw new RemoteMediaError("the pipeline was closed meanwhile", { code: "state" });
    }
    return connection;
  }

  /** The worker is gone: another one goes on with the same manifest and the same rings. */
  async #restart(reason: string): Promise<void> {
    if (this.state === "closed" || this.state === "failed") return;
    const wasRunning = this.state === "running";
    const now = Date.now();
    this.#restarts = [...this.#restarts.filter((time) => now - time < RESTART_WINDOW_MS), now];
    if (this.#restarts.length > MAX_RESTARTS) {
      this.#fail(new RemoteMediaError(`the worker died ${MAX_RESTARTS + 1} times within a minute: ${reason}`, { code: "worker" }));
      return;
    }
    this.#restarted += 1;
    this.#events.become("restarting", reason);
    this.#events.tell({ kind: "restart", message: `the worker is started again: ${reason}` });
    try {
      await this.#boot();
      this.#behind = true;
      if (this.state !== "restarting") {
        this.#remote.terminate();
        return;
      }
      if (wasRunning) {
        await this.#startSession();
        await this.#connections.attach();
      }
      this.#events.become(wasRunning ? "running" : "stopped");
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  #fail(error: Error): void {
    if (this.state === "closed") return;
    this.#outputs.end(error);
    this.#control.end();
    this.#events.become("failed", error.message);
    void this.#connections.abandon();
    this.#remote.terminate(error.message);
  }

  /** One after the other: a stop that comes during a start waits for it. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action, action);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
