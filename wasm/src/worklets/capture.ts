// The capture worklet. Its node needs an output, which stays silent: without one nothing tells how long a
// quantum is while no input is connected.
import { MirrorProducer, POST_FRAMES } from "../mirror.ts";
import { Ring } from "../ring.ts";
import type { FromWorklet, ToCapture } from "./messages.ts";
import { Recorder } from "./recorder.ts";

const NONE: readonly Float32Array[] = [];

class Capture extends AudioWorkletProcessor {
  #recorder: Recorder | null = null;
  #mirror: MirrorProducer | null = null;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToCapture>) => this.#on(data);
  }

  override process(inputs: readonly (readonly Float32Array[])[], outputs: readonly (readonly Float32Array[])[]): boolean {
    const planes = inputs[0] ?? NONE;
    const frames = (planes[0] ?? outputs[0]?.[0])?.length ?? 0;
    this.#recorder?.process(planes, frames, currentFrame);
    this.#mirror?.pump(POST_FRAMES);
    return !this.#stopped;
  }

  #on(message: ToCapture): void {
    if (message.type === "open") {
      const { endpoint } = message;
      this.#mirror?.close();
      this.#mirror = endpoint.kind === "port" ? new MirrorProducer(endpoint) : null;
      this.#recorder = new Recorder(endpoint.kind === "port" ? this.#mirror!.ring : Ring.attach(endpoint.buffer), message.gated);
      return;
    }
    if (message.type === "end") {
      this.#recorder?.end();
      this.#mirror?.pump(1);
      this.port.postMessage({ type: "ended" } satisfies FromWorklet);
    } else {
      this.#stopped = true;
      this.#mirror?.close();
    }
    this.#recorder = null;
  }
}

registerProcessor("remotemedia-capture", Capture);
