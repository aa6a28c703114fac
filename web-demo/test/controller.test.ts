import { RemoteMediaError, type Connection, type GraphInfo, type LoadOptions, type ModelInfo, type Packet, type PipelineApi, type PipelineEvent, type PipelineState, type Recorder } from "@remotemedia/web";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Controller } from "../src/pipeline/controller.ts";
import { audioOutlets, createStore, type Store } from "../src/store.ts";

const GRAPH: GraphInfo = {
  name: "test",
  description: "",
  nodes: [{ id: "gain", nodeType: "Gain", summary: "", params: {}, inputs: { in: "audio" }, outputs: { out: "audio" }, isOutput: false }],
  edges: [],
  entries: ["gain:in"],
  outlets: ["gain:out"],
  mermaid: "",
  warnings: [],
};

/** An iterator that is fed by hand. */
class Fed<T> implements AsyncIterableIterator<T> {
  readonly #waiting: ((result: IteratorResult<T>) => void)[] = [];
  readonly #items: IteratorResult<T>[] = [];
  put(value: T): void {
    this.#give({ value, done: false });
  }
  end(): void {
    this.#give({ value: undefined, done: true });
  }
  #give(result: IteratorResult<T>): void {
    const taker = this.#waiting.shift();
    if (taker) taker(result);
    else this.#items.push(result);
  }
  next(): Promise<IteratorResult<T>> {
    const item = this.#items.shift();
    return item ? Promise.resolve(item) : new Promise((resolve) => this.#waiting.push(resolve));
  }
  return(): Promise<IteratorResult<T>> {
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }
  [Symbol.asyncIterator](): this {
    return this;
  }
}

class FakePipeline {
  state: PipelineState = "loaded";
  graph: GraphInfo = GRAPH;
  readonly warnings = [];
  readonly link = "shared";
  readonly linkReason = "";
  readonly calls: string[] = [];
  readonly packets = new Fed<Packet>();
  readonly happened = new Fed<PipelineEvent>();
  refused: RemoteMediaError | null = null;
  modelList: ModelInfo[] = [];
  microphone: Promise<void> = Promise.resolve();
  #say(call: string, state?: PipelineState): Promise<void> {
    this.calls.push(call);
    if (state) this.state = state;
    return Promise.resolve();
  }
  start = () => this.#say("start", "running");
  stop = () => this.#say("stop", "stopped");
  finish = () => this.#say("finish", "finished").then(() => this.packets.end());
  interrupt = () => this.#say("interrupt");
  close = () => this.#say("close", "closed");
  reload = async () => {
    await this.#say("reload");
    if (this.refused) throw this.refused;
  };
  connectMicrophone = async (): Promise<Connection> => {
    await this.microphone;
    return this.#connection("microphone");
  };
  connectSpeakerAsBefore = (): Connection => this.#connection("speaker");
  connectSpeaker: (options: object) => Promise<Connection> = async () => this.connectSpeakerAsBefore();
  connectRecorder = async (): Promise<Recorder> => ({ ...this.#connection("recorder"), stop: () => Promise.resolve(new Blob(["RIFF"])) });
  outputs = () => this.packets;
  events = () => this.happened;
  models = () => Promise.resolve(this.modelList);
  metrics = () => Promise.resolve({ nodes: [], edges: [], rings: [], unread: 0, memoryBytes: 0, link: "shared", restarts: 0 });
  #connection(kind: Connection["kind"]): Connection {
    this.calls.push(kind);
    return { id: kind, kind, at: "", node: null, disconnect: () => this.#say(`${kind} off`) };
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("the controller", () => {
  let store: Store;
  let fake: FakePipeline;
  let load: ReturnType<typeof vi.fn<(manifest: string, options: LoadOptions) => Promise<PipelineApi>>>;
  let controller: Controller;

  beforeEach(() => {
    store = createStore();
    store.setState({ manifest: "nodes: []", input: "microphone" });
    fake = new FakePipeline();
    load = vi.fn(() => Promise.resolve(fake as unknown as PipelineApi));
    controller = new Controller(store, { load, options: () => Promise.resolve({}), schedule: (flush) => queueMicrotask(flush), picture: () => Promise.resolve(null) });
  });

  it("loads once, and then starts; takes connect before gives", async () => {
    await controller.load();
    expect(store.getState()).toMatchObject({ stage: "loaded", graph: GRAPH, link: "shared" });
    await controller.start();
    expect(load).toHaveBeenCalledTimes(1);
    expect(store.getState().stage).toBe("running");
    expect(fake.calls).toEqual(["start", "recorder", "speaker", "microphone"]);
    await controller.stop();
    expect(store.getState()).toMatchObject({ stage: "stopped", taps: { in: null, out: null } });
    expect(fake.calls).toContain("microphone off");
    expect(await store.getState().recorded?.text()).toBe("RIFF");
  });

  it("reloads what was edited, and stays with the old where the new is refused", async () => {
    await controller.load();
    fake.refused = new RemoteMediaError("bad", { code: "manifest", problems: [{ message: "no such node", line: 3, column: 7, path: "" }] });
    store.setState({ manifest: "nodes: [bad]" });
    await controller.start();
    expect(fake.calls).toEqual(["reload"]);
    expect(store.getState()).toMatchObject({ stage: "loaded", problems: [{ line: 3 }], loaded: { manifest: "nodes: []" }, fault: null });
  });

  it("lets go of a microphone that comes after Stop", async () => {
    let allow = () => {};
    fake.microphone = new Promise((resolve) => (allow = resolve));
    const started = controller.start();
    await settled();
    expect(store.getState().stage).toBe("starting");
    await controller.stop();
    allow();
    await started;
    expect(fake.calls.filter((call) => call.startsWith("microphone"))).toEqual(["microphone", "microphone off"]);
    expect(store.getState().stage).toBe("stopped");
  });

  it("closes a pipeline that was loaded for nobody", async () => {
    let give = (_: PipelineApi) => {};
    load.mockReturnValue(new Promise((resolve) => (give = resolve)));
    const loading = controller.load();
    await settled();
    await controller.close();
    expect(load.mock.calls[0]?.[1].signal?.aborted).toBe(true);
    give(fake as unknown as PipelineApi);
    await loading;
    expect(fake.calls).toEqual(["close"]);
    expect(store.getState().stage).toBe("empty");
  });

  it("tells of errors, and counts them at their node", async () => {
    await controller.start();
    const error = new RemoteMediaError("division by zero", { node: "gain", traceback: "Traceback" });
    for (let i = 0; i < 2; i += 1) fake.happened.put({ kind: "error", error, node: "gain", port: "in", sequence: 4 });
    await settled();
    expect(store.getState().nodeErrors).toEqual({ gain: { count: 2, last: "division by zero" } });
    expect(store.getState().log.at(-1)).toMatchObject({ kind: "error", count: 2, traceback: "Traceback", detail: "gain:in · item 4" });
    await controller.close();
  });

  it("shows the models, how far they are while it starts, and what runs them then", async () => {
    const model = { node: "vad", model: "silero-vad", bytes: 2_845_718, licence: "MIT", description: "", backend: "", provider: "" };
    const far = (fraction: number | null) => ({ kind: "session" as const, what: "progress", message: "loading", node: "vad", port: null, fraction });
    fake.modelList = [model];
    await controller.load();
    expect(store.getState().models).toEqual([model]);
    let opened = () => {};
    fake.start = async () => {
      await new Promise<void>((resolve) => (opened = resolve));
      fake.state = "running";
    };
    const started = controller.start();
    await settled();
    fake.happened.put(far(0.25));
    fake.happened.put(far(0.5));
    await settled();
    expect(store.getState().modelProgress).toEqual({ vad: { message: "loading", fraction: 0.5 } });
    expect(store.getState().log).toEqual([]);
    fake.modelList = [{ ...model, backend: "onnxruntime-web", provider: "wasm" }];
    opened();
    await started;
    expect(store.getState()).toMatchObject({ modelProgress: {}, models: [{ backend: "onnxruntime-web" }], stage: "running" });
    await controller.close();
    expect(store.getState().models).toEqual([]);
  });

  it("hears what was made of text first, and skips nothing of it", async () => {
    const voice = { id: "voice", nodeType: "TextToSpeech", summary: "", params: {}, inputs: { in: "text" }, outputs: { out: "audio" }, isOutput: false };
    const connected = vi.fn((_: object) => Promise.resolve(fake.connectSpeakerAsBefore()));
    fake.graph = { ...GRAPH, nodes: [...GRAPH.nodes, voice], outlets: ["gain:out", "voice:out"] };
    expect(audioOutlets(fake.graph)).toEqual(["voice:out", "gain:out"]);
    fake.connectSpeaker = connected;
    await controller.start();
    await controller.stop();
    store.setState({ listenTo: "gain:out" });
    await controller.start();
    expect(connected.mock.calls.map(([options]) => options)).toMatchObject([
      { from: "voice:out", live: false },
      { from: "gain:out", live: true },
    ]);
    await controller.close();
  });

  it("settles when the packets have ended", async () => {
    await controller.start();
    await controller.finish();
    await settled();
    expect(store.getState().stage).toBe("finished");
    expect(fake.calls).toContain("microphone off");
    expect(fake.calls).not.toContain("speaker off"); // it plays the rest
    await controller.start();
    expect(fake.calls).toContain("speaker off");
    await controller.close();
  });
});
