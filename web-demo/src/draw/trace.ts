// Peaks of a live input against media time, for the time line. Bounded: the oldest are overwritten.

const ENTRIES = 36_000; // ten minutes at 60 a second

export class Trace {
  readonly #times = new Float64Array(ENTRIES);
  readonly #peaks = new Float32Array(2 * ENTRIES);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  get lastUs(): number {
    return this.#count ? (this.#times[(this.#count - 1) % ENTRIES] as number) : 0;
  }

  add(us: number, low: number, high: number): void {
    const index = this.#count % ENTRIES;
    this.#times[index] = us;
    this.#peaks[2 * index] = low;
    this.#peaks[2 * index + 1] = high;
    this.#count += 1;
  }

  /** Peaks per column of pixels between two times; empty where nothing was seen. */
  columns(startUs: number, endUs: number, width: number): Float32Array {
    const columns = new Float32Array(2 * width);
    for (let at = Math.max(0, this.#count - ENTRIES); at < this.#count; at += 1) {
      const index = at % ENTRIES;
      const x = Math.floor((((this.#times[index] as number) - startUs) / (endUs - startUs)) * width);
      if (x < 0 || x >= width) continue;
      columns[2 * x] = Math.min(columns[2 * x] as number, this.#peaks[2 * index] as number);
      columns[2 * x + 1] = Math.max(columns[2 * x + 1] as number, this.#peaks[2 * index + 1] as number);
    }
    return columns;
  }
}

/** Of the input of this page. */
export const inputTrace = new Trace();
