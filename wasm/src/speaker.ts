// A speaker: what comes out of a port, through a ring and a worklet that plays it.
import type { Attached, Owner } from "./connection.ts";
import type { Endpoint } from "./links.ts";
import { createLink, transferOf } from "./links.ts";
import type { PortFormat } from "./protocol.generated.ts";
import type { SpeakerOptions } from "./types.ts";

/** Of audio that may wait to be played, s. */
const RING_S = 1;
/** Longest part of a block that is put at once, s. */
const PART_S = 0.25;
const LATENCY_MS = 10;
const CHANNELS = 2;

export async function connectSpeaker(owner: Owner, options: SpeakerOptions): Promise<Attached> {
  const { id } = owner;
  const from = options.from ?? null;
  const format = await owner.remote().ask<PortFormat>({ type: "formats", from });
  const context = await owner.audio.open();
  const { sampleRate } = context;
  const channels = options.channels ?? Math.min(format.channels ?? CHANNELS, Math.max(CHANNELS, context.destination.maxChannelCount));
  const live = options.live ?? format.live;
  // A block is complete at the end of a quantum, and played from the start of one: that is part of the delay.
  const quantum = (context as AudioContext & { renderQuantumSize?: number }).renderQuantumSize ?? 128;
  const lead = Math.max(quantum, Math.round((sampleRate * (options.latencyMs ?? LATENCY_MS)) / 1000) - quantum);
  const node = new AudioWorkletNode(context, "remotemedia-playback", {
    numberOfInputs: 0,
    numberOfOutputs: 1,
    outputChannelCount: [channels],
  });
  const destination = options.destination === undefined ? context.destination : options.destination;
  if (destination !== null) node.connect(destination);
  let endpoint: Endpoint | undefined;
  const attach = async (): Promise<void> => {
    if (endpoint === undefined || endpoint.kind === "port") {
      const link = createLink({ channels, capacity: Math.ceil(RING_S * sampleRate), sampleRate, shared: owner.shared });
      node.port.postMessage({ type: "open", endpoint: link.worklet, live, lead }, transferOf(link.worklet));
      endpoint = link.worker;
    }
    await owner.remote().attach(
      { type: "attachWriter", connection: id, from, live },
      { connection: id, endpoint, maxFrames: Math.ceil(PART_S * sampleRate), live },
    );
  };
  const close = (): void => {
    node.port.postMessage({ type: "stop" });
    node.disconnect();
  };
  try {
    await attach();
  } catch (error) {
    close();
    throw error;
  }
  return {
    id,
    kind: "speaker",
    at: format.at,
    node,
    sampleRate,
    feeds: false,
    attach,
    disconnect: async () => {
      close();
      owner.forget();
      await owner.remote().ask({ type: "detach", connection: id });
    },
  };
}
