// What the capture worklet does with each render quantum.
import type { Ring } from "../ring.ts";

/**
 * Writes what is captured into a ring. Called on the audio thread; allocates nothing.
 *
 * The ring runs with the context's clock: no input is silence (nothing, if gated), and quanta that the
 * browser left out are frames lost. One channel goes to all channels of the ring; more than it has are left out.
 */
export class Recorder {
  readonly #ring: Ring;
  readonly #gated: boolean;
  /** Frame of the context's clock that comes next; −1 before the first. */
  #next = -1;

  constructor(ring: Ring, gated = false) {
    this.#ring = ring;
    this.#gated = gated;
  }

  process(planes: readonly Float32Array[], frames: number, contextFrame: number): void {
    if (this.#gated && planes.length === 0) {
      this.#next = -1;
      return;
    }
    if (this.#next >= 0) this.#ring.overrun(contextFrame - this.#next);
    this.#next = contextFrame + frames;
    const written = this.#ring.push(planes, frames);
    if (written > 0) this.#ring.writeAt(contextFrame + written);
  }

  end(): void {
    this.#ring.end();
  }
}
