// Reads an async iterator in batches, one per animation frame, until it ends or is stopped.

const HIDDEN_MS = 400; // a hidden page has no animation frames

/** Calls back once, at the next frame, or a little later where there are none. */
export function nextFrame(callback: () => void): void {
  let called = false;
  const once = () => {
    if (called) return;
    called = true;
    clearTimeout(timer);
    callback();
  };
  const timer = setTimeout(once, HIDDEN_MS);
  requestAnimationFrame(once);
}

export class Pump<T> {
  readonly #iterator: AsyncIterator<T>;
  readonly #ended: Promise<void>;
  #waiting: T[] = [];
  #stopped = false;
  #running = true;

  constructor(source: AsyncIterable<T>, handle: (batch: T[]) => void, schedule: (flush: () => void) => void = nextFrame) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#ended = this.#read(handle, schedule);
  }

  /** Still reading: the source did not end. */
  get running(): boolean {
    return this.#running;
  }

  /** Resolves when all that was read is handled; rejects if the source failed. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    void this.#iterator.return?.();
  }

  async #read(handle: (batch: T[]) => void, schedule: (flush: () => void) => void): Promise<void> {
    const flush = () => {
      const batch = this.#waiting;
      this.#waiting = [];
      if (batch.length > 0 && !this.#stopped) handle(batch);
    };
    try {
      for (;;) {
        const { done, value } = await this.#iterator.next();
        if (done || this.#stopped) return;
        if (this.#waiting.push(value) === 1) schedule(flush);
      }
    } finally {
      this.#running = false;
      flush();
    }
  }
}
