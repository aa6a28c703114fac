// What the page says to a worklet node's port, and what the worklet says to the page.
import type { Endpoint, RingCounters } from "../links.ts";

export type ToCapture =
  /** Write into this link from now on; a link before it is given up. Gated: only while something plays into the node. */
  | { type: "open"; endpoint: Endpoint; gated?: boolean }
  /** Nothing more will be captured; answered by `ended`. */
  | { type: "end" }
  /** Never process again. */
  | { type: "stop" };

export type ToPlayback =
  | { type: "open"; endpoint: Endpoint; live: boolean; lead: number; block?: number }
  /** Interrupt: fade out and drop what waits here; a writer's clear() does the same. */
  | { type: "clear" }
  /** Send `stats` every 100 ms, or no more. */
  | { type: "stats"; on: boolean }
  | { type: "stop" };

export type FromWorklet =
  /** Capture: all is written. Playback: the writer has ended, and all was played. */
  | { type: "ended" }
  | { type: "stats"; counters: RingCounters };
