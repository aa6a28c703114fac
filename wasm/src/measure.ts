// The counters of rings, as the page is given them, and what they warn of.
import type { Attached } from "./connection.ts";
import type { RingCounters } from "./links.ts";
import type { RingMetrics } from "./types.ts";

/** The rings of the connections that there are. */
export function ringMetrics(rings: Record<string, RingCounters>, connections: ReadonlyMap<string, Attached>): RingMetrics[] {
  const measured: RingMetrics[] = [];
  for (const [id, { latencyFrames, ...rest }] of Object.entries(rings)) {
    const connection = connections.get(id);
    if (connection === undefined) continue;
    const { kind, at, sampleRate } = connection;
    measured.push({ id, kind, at, sampleRate, ...rest, latencyMs: (latencyFrames / sampleRate) * 1000 });
  }
  return measured;
}

/** Tells once of what is lost. */
export class Losses {
  readonly #told = new Set<string>();
  readonly #warn: (message: string) => void;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  look(rings: readonly RingMetrics[], unread: number): void {
    if (unread > 0) this.#once("unread", "packets were dropped because nobody reads outputs()");
    for (const { id, kind, overrun } of rings) {
      if (overrun > 0) this.#once(`${id}-overrun`, `the ${kind} lost ${overrun} samples: Python was too slow, or busy for too long`);
    }
  }

  #once(key: string, message: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#warn(message);
  }
}
