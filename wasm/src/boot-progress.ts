// What the page is told while it boots.
import type { Phase, Progress } from "./types.ts";

/** Longest time without a sign of life, ms. */
const SILENCE_MS = 250;
/** While the browser compiles nothing can be measured: the bar creeps up to here, by this part of the way. */
const CEILING = 0.95, PART = 0.05;

/** Passes on what the worker tells, and goes on telling while the worker cannot; `fraction` never falls. */
export class BootProgress {
  #last: Progress = { phase: "download", message: "starting a worker", loadedBytes: 0, totalBytes: 0, fraction: 0 };
  readonly #report: ((progress: Progress) => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(report: ((progress: Progress) => void) | undefined) {
    this.#report = report;
    if (report === undefined) return;
    this.#tell(this.#last);
    this.#rearm();
  }

  /** The worker tells. */
  take(progress: Progress): void {
    this.#tell(progress);
    this.#rearm();
  }

  say(phase: Phase, message: string, fraction: number): void {
    this.take({ ...this.#last, phase, message, fraction });
  }

  /** Nothing more is told. */
  end(): void {
    clearInterval(this.#timer);
  }

  #tell(progress: Progress): void {
    this.#last = { ...progress, fraction: Math.max(progress.fraction, this.#last.fraction) };
    this.#report?.(this.#last);
  }

  #rearm(): void {
    clearInterval(this.#timer);
    if (this.#report === undefined) return;
    this.#timer = setInterval(() => {
      const { fraction } = this.#last;
      this.#tell({ ...this.#last, fraction: fraction + Math.max(0, CEILING - fraction) * PART });
    }, SILENCE_MS);
  }
}
