// What the page has connected to a pipeline.
import type { AudioHost } from "./audio.ts";
import type { Attached, Owner } from "./connection.ts";

/** What a connection needs of its pipeline; the rest of `Owner` is known here. */
export type Surroundings = Omit<Owner, "id" | "audio" | "forget">;

export class Connections {
  #next = 1;
  readonly #all = new Map<string, Attached>();
  readonly #audio: AudioHost;
  readonly #surroundings: Surroundings;

  constructor(audio: AudioHost, surroundings: Surroundings) {
    this.#audio = audio;
    this.#surroundings = surroundings;
  }

  get all(): ReadonlyMap<string, Attached> {
    return this.#all;
  }

  async add<C extends Attached>(make: (owner: Owner) => Promise<C>): Promise<C> {
    const id = `c${this.#next++}`;
    const connection = await make({
      ...this.#surroundings,
      id,
      audio: this.#audio,
      forget: () => {
        this.#all.delete(id);
        this.#surroundings.remote().release(id);
      },
    });
    this.#all.set(id, connection);
    return connection;
  }

  /** Connect all to a worker that took the place of another one. */
  async attach(): Promise<void> {
    for (const connection of this.#all.values()) await connection.attach();
  }

  /** No more is captured. */
  async endInput(): Promise<void> {
    const feeding = [...this.#all.values()].filter(({ feeds }) => feeds);
    await Promise.all(feeding.map((connection) => connection.disconnect()));
  }

  async abandon(): Promise<void> {
    await Promise.allSettled([...this.#all.values()].map((connection) => connection.disconnect(true)));
    this.#all.clear();
  }
}
