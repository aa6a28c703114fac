// The playback worklet.
import { MirrorConsumer, POST_FRAMES } from "../mirror.ts";
import { Ring } from "../ring.ts";
import type { FromWorklet, ToPlayback } from "./messages.ts";
import { Player } from "./player.ts";

/** Of reports that are not due to samples played, s. */
const REPORT_S = 0.1;

class Playback extends AudioWorkletProcessor {
  #player: Player | null = null;
  #ring: Ring | null = null;
  #mirror: MirrorConsumer | null = null;
  #told = false;
  #stats = false;
  #stopped = false;
  #nextReport = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToPlayback>) => this.#on(data);
  }

  override process(_inputs: readonly (readonly Float32Array[])[], outputs: readonly (readonly Float32Array[])[]): boolean {
    const out = outputs[0];
    const frames = out?.[0]?.length;
    const player = this.#player;
    if (out !== undefined && frames !== undefined && player !== null) {
      player.process(out, frames, currentFrame);
      const due = currentFrame >= this.#nextReport;
      this.#mirror?.report(due ? 0 : POST_FRAMES);
      if (due) this.#report();
      if (player.ended && !this.#told) {
        this.#told = true;
        this.#mirror?.report(0);
        this.#post({ type: "ended" });
      }
    }
    return !this.#stopped;
  }

  #report(): void {
    this.#nextReport = currentFrame + sampleRate * REPORT_S;
    if (this.#stats && this.#ring !== null) this.#post({ type: "stats", counters: this.#ring.counters() });
  }

  #post(message: FromWorklet): void {
    this.port.postMessage(message);
  }

  #on(message: ToPlayback): void {
    switch (message.type) {
      case "open": {
        const { endpoint } = message;
        this.#mirror?.close();
        this.#mirror = endpoint.kind === "port" ? new MirrorConsumer(endpoint) : null;
        this.#ring = endpoint.kind === "port" ? this.#mirror!.ring : Ring.attach(endpoint.buffer);
        this.#player = new Player(this.#ring, message);
        this.#told = false;
        break;
      }
      case "clear":
        this.#player?.clear();
        break;
      case "stats":
        this.#stats = message.on;
        break;
      case "stop":
        this.#stopped = true;
        this.#mirror?.close();
        break;
    }
  }
}

registerProcessor("remotemedia-playback", Playback);
