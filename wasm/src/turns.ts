// One after the other: for what cannot do two things at once although each of them is asynchronous.

export class Turns {
  #busy = false;
  readonly #waiting: (() => void)[] = [];

  /** Call `begin` when nothing else has its turn: at once, if that is now. It has to call `leave` when it is over. */
  take(begin: () => void): void {
    if (this.#busy) {
      this.#waiting.push(begin);
      return;
    }
    this.#busy = true;
    begin();
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy = false;
    else next();
  }

  /** The same for a promise. */
  run<T>(action: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.take(() => {
        action()
          .then(resolve, reject)
          .finally(() => this.leave());
      });
    });
  }
}
