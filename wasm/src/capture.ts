// The page's side of a captured stream: a worklet that writes into a ring, and the ring's way to Python.
import type { Attached, Owner } from "./connection.ts";
import type { Endpoint } from "./links.ts";
import { createLink, transferOf } from "./links.ts";
import type { Connection } from "./types.ts";

/** Of audio that a ring holds while the worker is busy, s. */
const RING_S = 2;
const BLOCK_MS = 20;
/** A worklet answers within this time, ms, if its AudioContext runs. */
const ANSWER_MS = 250;

export interface Capture {
  /** What is captured: connect sources to it. */
  readonly node: AudioNode;
  readonly connection: Attached;
  /** The stream has ended; resolves when the worklet has written all of it. */
  end(): Promise<void>;
}

/** Make a capture worklet and connect it to the graph. Gated: it takes nothing while nothing plays into it. */
export async function openCapture(
  owner: Owner,
  kind: Connection["kind"],
  channels: number,
  options: { to?: string; blockMs?: number },
  gated = false,
): Promise<Capture> {
  const context = await owner.audio.open();
  const { sampleRate } = context;
  const blockFrames = Math.max(1, Math.round((sampleRate * (options.blockMs ?? BLOCK_MS)) / 1000));
  const capacity = Math.max(Math.ceil(RING_S * sampleRate), 2 * blockFrames);
  const node = new AudioWorkletNode(context, "remotemedia-capture", {
    numberOfInputs: 1,
    numberOfOutputs: 1, // silent: some browsers run only nodes that lead to the destination
    outputChannelCount: [1],
    channelCount: channels,
    channelCountMode: "explicit",
    channelInterpretation: "speakers",
  });
  node.connect(context.destination);
  // Sources are connected here, where others can look at the signal too: the worklet's own output is silent.
  const input = new GainNode(context);
  input.connect(node);
  const { id } = owner;
  let endpoint: Endpoint | undefined;
  const attach = async (): Promise<void> => {
    // Shared memory outlives a worker; a port does not.
    if (endpoint === undefined || endpoint.kind === "port") {
      const link = createLink({ channels, capacity, sampleRate, shared: owner.shared });
      node.port.postMessage({ type: "open", endpoint: link.worklet, gated }, transferOf(link.worklet));
      endpoint = link.worker;
    }
    const question = { type: "attachReader", connection: id, to: options.to ?? null } as const;
    await owner.remote().attach(question, { connection: id, endpoint, blockFrames });
  };
  const close = (): void => {
    node.port.postMessage({ type: "stop" });
    input.disconnect();
    node.disconnect();
  };
  try {
    await attach();
  } catch (error) {
    close();
    throw error;
  }
  const end = (): Promise<void> =>
    new Promise((resolve) => {
      node.port.onmessage = ({ data }: MessageEvent<{ type: string }>) => {
        if (data.type === "ended") resolve();
      };
      node.port.postMessage({ type: "end" });
    });
  const connection: Attached = {
    id,
    kind,
    at: options.to ?? "",
    node: input,
    sampleRate,
    feeds: true,
    attach,
    disconnect: async (abandon = false) => {
      if (!abandon) await Promise.race([end(), new Promise((resolve) => setTimeout(resolve, ANSWER_MS))]);
      close();
      owner.forget();
      await owner.remote().ask({ type: "detach", connection: id, drain: !abandon });
    },
  };
  return { node: gated ? node : input, connection, end };
}
