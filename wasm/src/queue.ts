// What waits for the page to read it.

/** An asynchronous queue: many readers may iterate, each item is given once. */
export class AsyncQueue<T> {
  #items: T[] = [];
  #readers: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  #ended = false;
  #error: unknown;

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ value: item, done: false });
    else this.#items.push(item);
  }

  /** Drop the oldest item. */
  shift(): T | undefined {
    return this.#items.shift();
  }

  /** Keep only what `wanted` says; how many were dropped. */
  filter(wanted: (item: T) => boolean): number {
    const before = this.#items.length;
    this.#items = this.#items.filter(wanted);
    return before - this.#items.length;
  }

  /** No more will come; readers end once they have read what is there, or get the error. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (const reader of this.#readers.splice(0)) this.#finish(reader);
  }

  /** Start anew after `end`. */
  reopen(): void {
    this.#ended = false;
    this.#error = undefined;
    this.#items = [];
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      if (this.#items.length > 0) resolve({ value: this.#items.shift() as T, done: false });
      else if (this.#ended) this.#finish(reader);
      else this.#readers.push(reader);
    });
  }

  #finish(reader: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }): void {
    if (this.#error === undefined) {
      reader.resolve({ value: undefined, done: true });
    } else {
      reader.reject(this.#error);
      this.#error = undefined; // once; after that it has just ended
    }
  }
}
