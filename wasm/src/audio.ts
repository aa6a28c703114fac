// The AudioContext of a pipeline, with our worklets in it.
import { RemoteMediaError, messageOf } from "./errors.ts";
import type { PipelineEvent } from "./types.ts";

/** Browsers differ in which of them they take for a gesture. */
const GESTURES = ["pointerdown", "pointerup", "click", "keydown", "touchend"] as const;

export const WORKLETS = [new URL("./capture.js", import.meta.url), new URL("./playback.js", import.meta.url)];

/** Makes an AudioContext when it is first needed, at the device's own rate: asking for another one fails in some browsers. */
export class AudioHost {
  context: AudioContext | null;
  #ready: Promise<AudioContext> | undefined;
  #closed = false;
  readonly #isOurs: boolean;
  readonly #tell: (event: PipelineEvent) => void;

  constructor(given: AudioContext | undefined, tell: (event: PipelineEvent) => void) {
    this.context = given ?? null;
    this.#isOurs = given === undefined;
    this.#tell = tell;
  }

  /** The context, with the worklets loaded; it may still wait for the user to do something. */
  open(): Promise<AudioContext> {
    this.#ready ??= this.#load();
    this.#ready.catch(() => (this.#ready = undefined));
    return this.#ready;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const gesture of GESTURES) removeEventListener(gesture, this.#resume);
    const context = this.context;
    if (context === null) return;
    context.removeEventListener("statechange", this.#onState);
    if (this.#isOurs && context.state !== "closed") await context.close();
  }

  async #load(): Promise<AudioContext> {
    if (typeof AudioWorkletNode === "undefined") {
      throw new RemoteMediaError("this page has no AudioWorklet: serve it over https or from localhost", { code: "load" });
    }
    const context = (this.context ??= new AudioContext({ latencyHint: "interactive" }));
    if (context.state === "closed") throw new RemoteMediaError("the AudioContext is closed", { code: "state" });
    try {
      await Promise.all(WORKLETS.map((url) => context.audioWorklet.addModule(url)));
    } catch (error) {
      throw new RemoteMediaError(
        `the worklets ${WORKLETS.join(" and ")} cannot be loaded (${messageOf(error)}): are they beside index.js, ` +
          "served as text/javascript, and allowed by script-src?",
        { code: "load", cause: error },
      );
    }
    context.addEventListener("statechange", this.#onState);
    // Without a gesture of the user this stays pending in some browsers, so it is not waited for.
    context.resume().catch(() => undefined);
    if (context.state !== "running") setTimeout(this.#onState, 100);
    return context;
  }

  readonly #onState = (): void => {
    const context = this.context;
    if (this.#closed || context === null) return;
    if (context.state === "running") {
      for (const gesture of GESTURES) removeEventListener(gesture, this.#resume);
      this.#tell({ kind: "resumed", message: "audio runs" });
    } else if (context.state !== "closed") {
      for (const gesture of GESTURES) addEventListener(gesture, this.#resume);
      this.#tell({
        kind: "suspended",
        message: "the browser holds audio back until the user clicks or presses a key on the page",
      });
    }
  };

  readonly #resume = (): void => {
    this.context?.resume().catch(() => undefined);
  };
}
