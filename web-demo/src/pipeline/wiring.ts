// What is connected to a running pipeline: its input, speaker, recorder, and where signals are looked at.
import type { Connection, PipelineApi, Recorder } from "@remotemedia/web";
import { audioOutlets, isSpoken, type InputKind, type Pace } from "../store.ts";

export interface Choices {
  input: InputKind;
  /** What to run, for a file or clip. */
  media: Blob | null;
  deviceId: string;
  cancelEcho: boolean;
  pace: Pace;
  speaker: boolean;
  record: boolean;
  /** Outlet to hear and record; "": the first that gives audio. */
  listenTo: string;
}

/** Makes an AnalyserNode; passed in, because there is none outside a browser. */
export type Tap = (node: AudioNode) => AnalyserNode | null;

export const tapOf: Tap = (node) => {
  const tap = new AnalyserNode(node.context, { fftSize: 2048, smoothingTimeConstant: 0.3 });
  node.connect(tap);
  return tap;
};

export class Wiring {
  readonly #pipeline: PipelineApi;
  readonly #tap: Tap;
  #source: Connection | null = null;
  #speaker: Connection | null = null;
  #recorder: Recorder | null = null;
  #recorded: Promise<Blob> | null = null;
  readonly taps: { in: AnalyserNode | null; out: AnalyserNode | null } = { in: null, out: null };

  constructor(pipeline: PipelineApi, tap: Tap = tapOf) {
    this.#pipeline = pipeline;
    this.#tap = tap;
  }

  get recording(): boolean {
    return this.#recorder !== null && this.#recorded === null;
  }

  /** First what takes, then what gives: so nothing is lost. */
  async connectOutputs(choices: Choices): Promise<void> {
    const outlets = audioOutlets(this.#pipeline.graph);
    const from = outlets.includes(choices.listenTo) ? choices.listenTo : outlets[0];
    if (from === undefined) return;
    if (choices.record) this.#recorder = await this.#pipeline.connectRecorder({ from });
    const microphone = choices.input === "microphone";
    // What is late is skipped of a microphone, but not of a voice that answers it.
    const live = microphone && !isSpoken(this.#pipeline.graph, from);
    // In real time the signal is drawn even when it is not heard; a fast run must not wait for a speaker.
    if (!choices.speaker && !microphone && choices.pace === "fast") return;
    this.#speaker = await this.#pipeline.connectSpeaker({ from, live, ...(choices.speaker ? {} : { destination: null }) });
    if (this.#speaker.node) this.taps.out = this.#tap(this.#speaker.node);
  }

  async connectInput(choices: Choices): Promise<Connection> {
    if (choices.input === "microphone") {
      this.#source = await this.#pipeline.connectMicrophone({
        echoCancellation: choices.cancelEcho,
        ...(choices.deviceId ? { deviceId: choices.deviceId } : {}),
      });
    } else {
      if (!choices.media) throw new Error("Choose a file first.");
      this.#source = await this.#pipeline.connectFile(choices.media, { pace: choices.pace, finish: true });
    }
    if (this.#source.node) this.taps.in = this.#tap(this.#source.node);
    return this.#source;
  }

  /** True where it takes effect at once; else with the next start. */
  setSpeaker(on: boolean): boolean {
    const node = this.#speaker?.node;
    if (!node) return false;
    if (on) node.connect(node.context.destination);
    else node.disconnect(node.context.destination);
    return true;
  }

  /** Ends the recording and gives it; again and again the same. */
  recorded(): Promise<Blob> | null {
    if (this.#recorder) this.#recorded ??= this.#recorder.stop();
    return this.#recorded;
  }

  /** The microphone is let go of; what waits to be played goes on. */
  async disconnectInput(): Promise<void> {
    const source = this.#source;
    this.#source = null;
    this.taps.in?.disconnect();
    this.taps.in = null;
    await source?.disconnect();
  }

  async disconnect(): Promise<void> {
    const [speaker, recorder] = [this.#speaker, this.recording ? this.#recorder : null];
    this.#speaker = null;
    this.taps.out?.disconnect();
    this.taps.out = null;
    await Promise.allSettled([this.disconnectInput(), speaker?.disconnect(), recorder?.disconnect()]);
  }
}
