// Owns the pipeline: loads it, runs it, and writes into the store what it does.
//
//   empty ─ load ─▶ loading ─▶ loaded ─ start ─▶ starting ─▶ running ─▶ finished | stopped ─ start ─▶ …
//
// Every operation takes a turn. One that is no longer the newest gives up behind its next await.
import { RemoteMediaError, type LoadOptions, type Packet, type PipelineApi, type PipelineEvent } from "@remotemedia/web";
import { pictureOf } from "../draw/picture.ts";
import { isRunning, START, type State, type Store } from "../store.ts";
import { inputTrace } from "../draw/trace.ts";
import { Journal } from "./journal.ts";
import { PacketLines } from "./packets.ts";
import { nextFrame, Pump } from "./pump.ts";
import { NO_RESULTS, withPackets } from "./results.ts";
import { tapOf, Wiring, type Choices, type Tap } from "./wiring.ts";

const METRICS_MS = 250;

export type Loader = (manifest: string, options: LoadOptions) => Promise<PipelineApi>;

export interface Surroundings {
  load: Loader;
  options: () => Promise<LoadOptions>;
  tap?: Tap;
  schedule?: (flush: () => void) => void;
  picture?: typeof pictureOf;
}

export class Controller {
  readonly #store: Store;
  readonly #around: Required<Surroundings>;
  readonly #journal: Journal;
  #pipeline: PipelineApi | null = null;
  #wiring: Wiring | null = null;
  #abort: AbortController | null = null;
  #packets: Pump<Packet> | null = null;
  #events: Pump<PipelineEvent> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lines = new PacketLines();
  #turn = 0;

  constructor(store: Store, around: Surroundings) {
    this.#store = store;
    this.#around = { tap: tapOf, schedule: nextFrame, picture: pictureOf, ...around };
    this.#journal = new Journal(store);
  }

  /** Loads what is in the editor, so that its graph is seen before anything runs. */
  async load(): Promise<void> {
    await this.#loaded(++this.#turn);
  }

  async start(): Promise<void> {
    const turn = ++this.#turn;
    const pipeline = await this.#loaded(turn);
    if (!pipeline || turn !== this.#turn) return;
    this.#set({ stage: "starting", fault: null });
    try {
      await this.#wiring?.disconnect();
      this.#wiring = null;
      this.#clear();
      await pipeline.start();
      if (turn !== this.#turn) return;
      await this.#askModels(pipeline);
      this.#read(pipeline);
      await this.#connect(pipeline, this.#choices(), turn);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#set({ modelProgress: {} });
      this.#fail(error, "loaded");
      await this.#end(pipeline);
    }
  }

  async stop(): Promise<void> {
    const turn = ++this.#turn;
    const pipeline = this.#pipeline;
    if (!pipeline) {
      this.#abort?.abort();
      this.#set({ stage: "empty" });
      return;
    }
    await this.#harvest();
    await this.#try(() => this.#end(pipeline));
    await this.#wiring?.disconnect();
    if (turn === this.#turn) this.#set({ stage: pipeline.state, taps: { in: null, out: null } });
  }

  /** End of input: tails come out. */
  async finish(): Promise<void> {
    const pipeline = this.#pipeline;
    if (pipeline) await this.#try(() => pipeline.finish());
    await this.#settle();
  }

  /** Everything in flight is dropped. */
  async interrupt(): Promise<void> {
    const pipeline = this.#pipeline;
    if (!pipeline) return;
    await this.#try(async () => {
      await pipeline.interrupt();
      this.#journal.add("info", "Interrupted: everything in flight was dropped");
    });
  }

  setSpeaker(speaker: boolean): void {
    this.#set({ speaker });
    this.#wiring?.setSpeaker(speaker);
  }

  /** What was recorded; ends the recording. Null where there is none. */
  async recording(): Promise<Blob | null> {
    await this.#harvest();
    return this.#get().recorded;
  }

  packetLines(): Blob {
    return this.#lines.blob();
  }

  async close(): Promise<void> {
    this.#turn += 1;
    this.#abort?.abort();
    clearTimeout(this.#timer);
    this.#packets?.stop();
    this.#events?.stop();
    const [pipeline, wiring] = [this.#pipeline, this.#wiring];
    this.#pipeline = this.#wiring = this.#packets = this.#events = null;
    const { stage, progress, loadedBytes, bootMs, graph, models, modelProgress, link, linkReason, loaded, metrics, taps } = START;
    this.#set({ stage, progress, loadedBytes, bootMs, graph, models, modelProgress, link, linkReason, loaded, metrics, taps });
    await wiring?.disconnect();
    await pipeline?.close();
  }

  // -- loading -------------------------------------------------------------------------------------

  async #loaded(turn: number): Promise<PipelineApi | null> {
    const { manifest, source, loaded } = this.#get();
    const usable = this.#pipeline && this.#pipeline.state !== "failed" && this.#pipeline.state !== "closed";
    if (usable && loaded?.manifest === manifest && loaded.source === source) {
      this.#set({ problems: [] });
      return this.#pipeline;
    }
    this.#set({ stage: "loading", problems: [], fault: null });
    try {
      if (usable) await this.#reload(this.#pipeline as PipelineApi, manifest, source);
      else await this.#boot(manifest, source, turn);
    } catch (error) {
      if (turn === this.#turn) this.#fail(error, this.#pipeline?.state ?? "empty");
      return null;
    }
    if (turn !== this.#turn || !this.#pipeline) return null;
    const { graph, link, linkReason, warnings, state } = this.#pipeline;
    this.#set({ stage: state, graph, link, linkReason, warnings, loaded: { manifest, source }, nodeErrors: {}, metrics: null });
    await this.#askModels(this.#pipeline);
    return turn === this.#turn ? this.#pipeline : null;
  }

  async #askModels(pipeline: PipelineApi): Promise<void> {
    const models = await pipeline.models();
    if (pipeline === this.#pipeline) this.#set({ models, modelProgress: {} });
  }

  async #boot(manifest: string, source: string, turn: number): Promise<void> {
    await this.#dispose();
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const began = performance.now();
    const options: LoadOptions = {
      ...(await this.#around.options()),
      ...(source.trim() ? { source } : {}),
      signal: abort.signal,
      onProgress: (progress) => {
        if (this.#abort === abort) this.#set({ progress, ...(progress.loadedBytes > 0 ? { loadedBytes: progress.loadedBytes } : {}) });
      },
    };
    if (abort.signal.aborted) return;
    const pipeline = await this.#around.load(manifest, options);
    if (turn !== this.#turn) {
      await pipeline.close();
      return;
    }
    this.#pipeline = pipeline;
    this.#set({ bootMs: performance.now() - began });
    this.#events = new Pump<PipelineEvent>(pipeline.events(), (batch) => batch.forEach((event) => this.#journal.event(event)), this.#around.schedule);
    this.#events.ended.catch((error: unknown) => this.#fail(error));
  }

  async #reload(pipeline: PipelineApi, manifest: string, source: string): Promise<void> {
    await this.#wiring?.disconnect();
    this.#wiring = null;
    if (isRunning(pipeline.state)) await pipeline.stop();
    const changed = source !== this.#get().loaded?.source;
    await pipeline.reload({ manifest, ...(changed ? { source } : {}) });
    this.#clear();
  }

  async #dispose(): Promise<void> {
    this.#events?.stop();
    this.#packets?.stop();
    const pipeline = this.#pipeline;
    this.#pipeline = this.#events = this.#packets = null;
    await pipeline?.close();
  }

  // -- running -------------------------------------------------------------------------------------

  #choices(): Choices {
    const { input, file, clip, deviceId, cancelEcho, pace, speaker, record, listenTo } = this.#get();
    return { input, media: input === "clip" ? clip : file, deviceId, cancelEcho, pace, speaker, record, listenTo };
  }

  #read(pipeline: PipelineApi): void {
    if (this.#packets?.running) return;
    const packets = new Pump<Packet>(
      pipeline.outputs(),
      (batch) => {
        batch.forEach((packet) => this.#lines.add(packet));
        this.#store.setState(({ results }) => ({ results: withPackets(results, batch) }));
      },
      this.#around.schedule,
    );
    this.#packets = packets;
    packets.ended.then(
      () => {
        if (this.#packets === packets) void this.#settle();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  async #connect(pipeline: PipelineApi, choices: Choices, turn: number): Promise<void> {
    const wiring = new Wiring(pipeline, this.#around.tap);
    this.#wiring = wiring;
    await wiring.connectOutputs(choices);
    if (turn === this.#turn) await wiring.connectInput(choices);
    if (turn !== this.#turn) {
      // It was stopped while somebody was asked for a permission.
      await wiring.disconnect();
      return;
    }
    this.#set({ stage: pipeline.state, startedMs: performance.now(), recording: wiring.recording, taps: { ...wiring.taps } });
    void this.#poll(pipeline);
  }

  /** Asks for the metrics while it runs, and once after. */
  async #poll(pipeline: PipelineApi): Promise<void> {
    clearTimeout(this.#timer);
    if (pipeline !== this.#pipeline) return;
    const { state } = pipeline;
    const metrics = await pipeline.metrics().catch(() => null);
    if (pipeline !== this.#pipeline) return;
    if (metrics) this.#set({ metrics });
    if (isRunning(state)) {
      this.#set({ stage: this.#get().stage === "starting" ? "starting" : state });
      this.#timer = setTimeout(() => void this.#poll(pipeline), METRICS_MS);
    } else if (isRunning(this.#get().stage)) {
      await this.#settle();
    }
  }

  /** The input has ended: the recording is taken, the microphone let go of; the speaker plays on. */
  async #settle(): Promise<void> {
    const pipeline = this.#pipeline;
    if (!pipeline || isRunning(pipeline.state)) return;
    await this.#harvest();
    await this.#wiring?.disconnectInput();
    if (pipeline !== this.#pipeline || isRunning(pipeline.state)) return;
    this.#set({ stage: pipeline.state, taps: { in: null, out: this.#wiring?.taps.out ?? null } });
    void this.#poll(pipeline);
  }

  async #harvest(): Promise<void> {
    const wiring = this.#wiring;
    const recorded = wiring?.recorded();
    if (!recorded) return;
    await this.#try(async () => {
      const blob = await recorded;
      if (this.#get().recorded === blob) return;
      this.#set({ recorded: blob, recording: false });
      const outputPicture = await this.#around.picture(blob);
      if (wiring === this.#wiring) this.#set({ outputPicture });
    });
  }

  async #end(pipeline: PipelineApi): Promise<void> {
    clearTimeout(this.#timer);
    await this.#wiring?.disconnectInput();
    if (isRunning(pipeline.state)) await pipeline.stop();
    await this.#poll(pipeline);
  }

  // -- the store -----------------------------------------------------------------------------------

  #clear(): void {
    this.#lines = new PacketLines();
    inputTrace.clear();
    const { metrics, nodeErrors, recorded, recording, outputPicture, taps } = START;
    this.#set({ results: NO_RESULTS, metrics, nodeErrors, recorded, recording, outputPicture, taps });
  }

  async #try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Tells of an error; what is wrong with the manifest is shown at its lines. */
  #fail(error: unknown, stage?: State["stage"]): void {
    const known = error instanceof RemoteMediaError ? error : null;
    const said = error instanceof Error ? error.message : String(error);
    // Not every message names the node: that a file is missing may be said of any.
    const message = known?.node && !said.includes(known.node) ? `${known.node}: ${said}` : said;
    const traceback = known?.traceback ?? "";
    const problems = known?.problems ?? [];
    this.#set({ ...(problems.length ? { problems } : { fault: { message, traceback } }), ...(stage ? { stage } : {}) });
    if (!problems.length) this.#journal.add("error", message, { traceback, node: known?.node ?? null });
  }

  #get(): State {
    return this.#store.getState();
  }

  #set(change: Partial<State>): void {
    this.#store.setState(change);
  }
}
