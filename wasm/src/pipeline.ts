// Pipeline: the public way in.
/// <reference lib="esnext.disposable" preserve="true" />
import { AudioHost } from "./audio.ts";
import { ASSETS, PYODIDE_FILES, PYODIDE_VERSION } from "./assets.generated.ts";
import { BootProgress } from "./boot-progress.ts";
import type { Attached, Owner } from "./connection.ts";
import type { Data, Packet } from "./data.ts";
import { RemoteMediaError, fromInfo, messageOf } from "./errors.ts";
import { playFile } from "./file.ts";
import { checkIsolation } from "./isolation.ts";
import { folder, indexOf, isYaml, nameOf, packageOf, readManifest } from "./manifest-source.ts";
import type { Manifest } from "./manifest-source.ts";
import { connectElement, connectMicrophone, connectStream } from "./microphone.ts";
import { Outputs } from "./outputs.ts";
import type { GraphInfo, Happened, Metrics } from "./protocol.generated.ts";
import type { AssetRequest } from "./protocol.ts";
import { AsyncQueue } from "./queue.ts";
import { connectRecorder } from "./recorder.ts";
import { Remote } from "./remote.ts";
import type { RemoteListener } from "./remote.ts";
import { connectSpeaker } from "./speaker.ts";
import type {
  Connection, FileConnection, FileOptions, LinkKind, LoadOptions, ManifestSource, MicrophoneOptions,
  PipelineApi, PipelineEvent, PipelineMetrics, PipelineState, Problem, Progress, Recorder,
  RecorderOptions, ReloadOptions, RingMetrics, SpeakerOptions, StreamOptions,
} from "./types.ts";
import { encode } from "./wire/index.ts";

const CDN = `https://cdn.jsdelivr.net/pyodide/v${PYODIDE_VERSION}/full/`;
const HANG_TIMEOUT_MS = 2_000;
const MAX_EVENTS = 1_024;
/** Restarts within `RESTART_WINDOW_MS` before the pipeline gives up. */
const MAX_RESTARTS = 3;
const RESTART_WINDOW_MS = 60_000;
/** Of Pyodide's files those that every boot loads; other packages come later, where something needs them. */
const BOOTED = Object.entries(PYODIDE_FILES).filter(([name]) => /^(pyodide|python_stdlib|numpy-)/.test(name));

/** A pipeline in a worker of its own. */
export class Pipeline implements PipelineApi {
  #manifest: Manifest;
  #source: string;
  #graph!: GraphInfo;
  #state: PipelineState = "loaded";
  #remote!: Remote;
  #hasYaml = false;
  #restarts: number[] = [];
  #restarted = 0;
  #nextConnection = 1;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #options: LoadOptions;
  readonly #link: LinkKind;
  readonly #linkReason: string;
  readonly #connections = new Map<string, Attached>();
  readonly #events = new AsyncQueue<PipelineEvent>();
  readonly #told = new Set<string>();
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
    this.#audio = new AudioHost(options.audioContext, (event) => this.#tell(event));
  }

  /** The loaded graph. */
  get graph(): GraphInfo {
    return this.#graph;
  }

  /** What the manifest has without effect here. */
  get warnings(): readonly Problem[] {
    return this.#graph.warnings;
  }

  get state(): PipelineState {
    return this.#state;
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
  start(): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuse("start", "running", "restarting", "failed", "closed");
      this.#outputs.open();
      await this.#remote.ask({ type: "start" });
      this.#remote.watch(true);
      this.#become("running");
    });
  }

  /** Disconnect everything and close all nodes; what is in flight is dropped. It can be started again. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state !== "running" && this.#state !== "finished") return;
      await this.#disconnectAll();
      this.#remote.watch(false);
      await this.#remote.ask({ type: "stop" });
      this.#outputs.end();
      this.#become("stopped");
    });
  }

  /** End of input; resolves when all tails are out and read. Raises what broke the session. */
  async finish(): Promise<void> {
    this.#refuse("finish", "loaded", "stopped", "restarting", "failed", "closed");
    const feeding = [...this.#connections.values()].filter(({ feeds }) => feeds);
    await Promise.all(feeding.map((connection) => connection.disconnect()));
    await this.#remote.ask({ type: "finish" });
    if (this.#state === "running") this.#become("finished");
  }

  /** Barge-in: everything in flight is dropped, the speaker's buffer included; nothing older appears afterwards. */
  async interrupt(): Promise<void> {
    this.#refuse("interrupt", "loaded", "stopped", "restarting", "failed", "closed");
    this.#outputs.drop(await this.#remote.ask<number>({ type: "interrupt" }));
  }

  /** Let go of everything: worker, microphone, AudioContext. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#become("closed");
    await this.#disconnectAll();
    (this.#remote as Remote | undefined)?.terminate();
    this.#outputs.end();
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
      this.#refuse("reload", "running", "restarting", "failed", "closed");
      const source = options.source ?? this.#source;
      if (options.source !== undefined && source !== "") await this.#remote.ask({ type: "define", source });
      this.#graph = await this.#loadManifest(manifest);
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
    this.#refuse("send", "loaded", "stopped", "restarting", "failed", "closed");
    const frame = encode({
      data, node: "", port: "", sequence: 0, subSequence: 0, generation: 0, timestampUs: Date.now() * 1000,
    });
    return this.#remote.ask<number>({ type: "send", to: options.to ?? null }, frame);
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
    this.#refuse("metrics", "restarting", "failed", "closed");
    const [session, { rings, memoryBytes }] = await Promise.all([
      this.#remote.ask<Metrics & { unread: number }>({ type: "metrics" }),
      this.#remote.counters(),
    ]);
    const measured: RingMetrics[] = [];
    for (const [id, counters] of Object.entries(rings)) {
      const connection = this.#connections.get(id);
      if (connection === undefined) continue;
      const { latencyFrames, ...rest } = counters;
      const sampleRate = connection.sampleRate;
      measured.push({
        id, kind: connection.kind, at: connection.at, sampleRate, ...rest, latencyMs: (latencyFrames / sampleRate) * 1000,
      });
    }
    this.#warnOf(measured, session.unread);
    return {
      nodes: session.nodes, edges: session.edges, rings: measured, unread: session.unread,
      memoryBytes, link: this.#link, restarts: this.#restarted,
    };
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
    const options = this.#options;
    const listener: RemoteListener = {
      onProgress: (told) => progress.take(told),
      onPacket: (frame) => this.#outputs.push(frame),
      onHappened: (event) => this.#tell(eventOf(event)),
      onEnded: ({ error }) => {
        this.#outputs.end(error === null ? undefined : fromInfo(error));
        if (error !== null) this.#fail(fromInfo(error));
      },
      onHung: (message) => this.#tell({ kind: "hung", message, node: null }),
      onDeath: (reason) => void this.#restart(reason),
    };
    const assets = [this.#asset("remotemedia"), this.#asset("msgspec")];
    this.#hasYaml = isYaml(this.#manifest);
    if (this.#hasYaml) assets.push(this.#asset("pyyaml"));
    this.#remote = await Remote.boot(
      {
        pyodideUrl: this.#pyodideUrl(),
        assets,
        expected: { ...Object.fromEntries(BOOTED), ...Object.fromEntries(assets.map(({ url, size }) => [nameOf(url), size])) },
        shared: this.#link === "shared",
        hangTimeoutMs: options.hangTimeoutMs ?? HANG_TIMEOUT_MS,
      },
      listener,
      options.signal,
    );
    this.#outputs.begin();
    if (options.packages !== undefined && options.packages.length > 0) {
      progress.say("pipeline", `installing ${options.packages.join(", ")}`, 0.95);
      await this.#install(options.packages.map(packageOf));
    }
    if (this.#source !== "") await this.#remote.ask({ type: "define", source: this.#source });
    progress.say("pipeline", "loading the pipeline", 0.95);
    this.#graph = await this.#loadManifest(this.#manifest);
    progress.say("ready", "ready", 1);
  }

  async #loadManifest(manifest: Manifest): Promise<GraphInfo> {
    const { content, name } = manifest;
    if (isYaml(manifest) && !this.#hasYaml) {
      await this.#remote.loadAssets([this.#asset("pyyaml")]); // the first by `reload`
      this.#hasYaml = true;
    }
    const needed = await this.#remote.ask<string[]>({ type: "requirements", manifest: content, name });
    if (needed.length > 0) {
      const unknown = await this.#remote.loadPackages(needed);
      if (unknown.length > 0) await this.#install(unknown);
    }
    return this.#remote.ask<GraphInfo>({ type: "load", manifest: content, name });
  }

  async #install(packages: string[]): Promise<void> {
    const unknown = await this.#remote.loadPackages(["micropip"]);
    if (unknown.length > 0) {
      throw new RemoteMediaError(
        `${packages.join(", ")} cannot be installed: the Pyodide at ${this.#pyodideUrl()} lacks micropip`,
        { code: "load" },
      );
    }
    const indexUrls = (this.#options.indexUrls ?? []).map(indexOf);
    await this.#remote.ask({ type: "install", packages, indexUrls });
  }

  #asset(name: keyof typeof ASSETS): AssetRequest {
    const { url, file, sha256, size } = ASSETS[name];
    const base = this.#options.baseUrl;
    return { name, url: base === undefined ? url.href : new URL(file, folder(base)).href, sha256, size };
  }

  #pyodideUrl(): string {
    return folder(this.#options.pyodideUrl ?? CDN).href;
  }

  async #connect<C extends Attached>(make: (owner: Owner) => Promise<C>): Promise<C> {
    this.#refuse("connect", "loaded", "stopped", "finished", "restarting", "failed", "closed");
    const id = `c${this.#nextConnection++}`;
    const owner: Owner = {
      id,
      audio: this.#audio,
      shared: this.#link === "shared",
      remote: () => this.#remote,
      tell: (event) => this.#tell(event),
      finish: () => this.finish(),
      forget: () => {
        this.#connections.delete(id);
        this.#remote.release(id);
      },
    };
    const connection = await make(owner);
    this.#connections.set(id, connection);
    if ((this.#state as PipelineState) === "closed") {
      await connection.disconnect(true);
      throw new RemoteMediaError("the pipeline was closed meanwhile", { code: "state" });
    }
    return connection;
  }

  async #disconnectAll(): Promise<void> {
    await Promise.allSettled([...this.#connections.values()].map((connection) => connection.disconnect(true)));
    this.#connections.clear();
  }

  /** The worker is gone: another one goes on with the same manifest and the same rings. */
  async #restart(reason: string): Promise<void> {
    if (this.#state === "closed" || this.#state === "failed") return;
    const wasRunning = this.#state === "running";
    const now = Date.now();
    this.#restarts = [...this.#restarts.filter((time) => now - time < RESTART_WINDOW_MS), now];
    if (this.#restarts.length > MAX_RESTARTS) {
      this.#fail(new RemoteMediaError(`the worker died ${MAX_RESTARTS + 1} times within a minute: ${reason}`, { code: "worker" }));
      return;
    }
    this.#restarted += 1;
    this.#become("restarting", reason);
    this.#tell({ kind: "restart", message: `the worker is started again: ${reason}` });
    try {
      await this.#boot();
      if ((this.#state as PipelineState) !== "restarting") {
        this.#remote.terminate();
        return;
      }
      if (wasRunning) {
        await this.#remote.ask({ type: "start" });
        for (const connection of this.#connections.values()) await connection.attach();
        this.#remote.watch(true);
      }
      this.#become(wasRunning ? "running" : "stopped");
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#state === "closed") return;
    this.#outputs.end(error);
    this.#become("failed", error.message);
    void this.#disconnectAll();
    this.#remote.terminate(error.message);
  }

  #become(state: PipelineState, message = ""): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#tell({ kind: "state", state, message });
  }

  #tell(event: PipelineEvent): void {
    this.#events.push(event);
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
  }

  /** Tell once of what is lost. */
  #warnOf(rings: RingMetrics[], unread: number): void {
    const once = (key: string, message: string): void => {
      if (this.#told.has(key)) return;
      this.#told.add(key);
      this.#tell({ kind: "warning", message });
    };
    if (unread > 0) once("unread", "packets were dropped because nobody reads outputs()");
    for (const { id, kind, overrun } of rings) {
      if (overrun > 0) once(`${id}-overrun`, `the ${kind} lost ${overrun} samples: Python was too slow, or busy for too long`);
    }
  }

  #refuse(what: string, ...states: PipelineState[]): void {
    if (!states.includes(this.#state)) return;
    const why: Record<PipelineState, string> = {
      loaded: "the pipeline is not running: call start() first",
      stopped: "the pipeline is stopped: call start() first",
      running: "the pipeline is running: call stop() first",
      finished: "the input is finished: stop() and start() it again",
      restarting: "the worker is being started again: wait for the state event",
      failed: "the pipeline failed: load it again",
      closed: "the pipeline is closed: load it again",
    };
    throw new RemoteMediaError(`${what}: ${why[this.#state]}`, { code: "state" });
  }

  /** One after the other: a stop that comes during a start waits for it. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action, action);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function eventOf(event: Happened): PipelineEvent {
  const { kind, node, port, sequence, error, message } = event;
  if (error !== null) return { kind: "error", error: fromInfo(error), node, port, sequence };
  return { kind: "session", what: kind, message, node, port };
}
