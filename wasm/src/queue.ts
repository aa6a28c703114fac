// What waits for the page to read it.

interface Reader<T> {
  /** The iterator that asks. */
  readonly of: object;
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/** An iterator that can always be left. */
export interface QueueIterator<T> extends AsyncIterableIterator<T, undefined, undefined> {
  return(): Promise<IteratorResult<T, undefined>>;
}

/** An asynchronous queue: many readers may iterate, each item is given once. */
export class AsyncQueue<T> {
  #items: T[] = [];
  #readers: Reader<T>[] = [];
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

  /** A reader that waits when it returns is ended, so that it takes nothing from the others. */
  iterate(): QueueIterator<T> {
    let left = false;
    const iterator: QueueIterator<T> = {
      next: () => (left ? Promise.resolve({ value: undefined, done: true }) : this.#next(iterator)),
      return: () => {
        left = true;
        const mine = this.#readers.filter((reader) => reader.of === iterator);
        this.#readers = this.#readers.filter((reader) => reader.of !== iterator);
        for (const reader of mine) reader.resolve({ value: undefined, done: true });
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #next(of: object): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      const reader = { of, resolve, reject };
      if (this.#items.length > 0) resolve({ value: this.#items.shift() as T, done: false });
      else if (this.#ended) this.#finish(reader);
      else this.#readers.push(reader);
    });
  }

  #finish(reader: Reader<T>): void {
    if (this.#error === undefined) {
      reader.resolve({ value: undefined, done: true });
    } else {
      reader.reject(this.#error);
      this.#error = undefined; // once; after that it has just ended
    }
  }
}
