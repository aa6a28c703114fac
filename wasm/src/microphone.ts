// What feeds the graph in real time: microphones, streams, media elements.
import { openCapture } from "./capture.ts";
import type { Attached, Owner } from "./connection.ts";
import { RemoteMediaError, messageOf } from "./errors.ts";
import type { MicrophoneOptions, StreamOptions } from "./types.ts";

/** An element can have only one source node, for ever. */
const elementNodes = new WeakMap<HTMLMediaElement, MediaElementAudioSourceNode>();

export async function connectMicrophone(owner: Owner, options: MicrophoneOptions): Promise<Attached> {
  const channels = options.channels ?? 1;
  let stream = await request(options, channels);
  let capture;
  try {
    capture = await openCapture(owner, "microphone", channels, options);
  } catch (error) {
    stop(stream);
    throw error;
  }
  const { node, connection } = capture;
  const context = node.context as AudioContext;
  let source: MediaStreamAudioSourceNode | undefined;
  let open = true;

  const use = (from: MediaStream): void => {
    stream = from;
    source?.disconnect();
    source = context.createMediaStreamSource(from);
    source.connect(node);
    const track = from.getAudioTracks()[0];
    track?.addEventListener("ended", () => {
      if (open && from === stream) void replace(`the microphone ${quoted(track.label)} went away`);
    });
  };
  const tell = (message: string): void => owner.tell({ kind: "device", message, connection: owner.id });
  /** Go on with another microphone; until there is one, the graph hears silence. */
  const replace = async (why: string): Promise<void> => {
    tell(why);
    try {
      const { deviceId: _gone, ...others } = options;
      const next = await request(others, channels);
      if (open) {
        use(next);
        tell(`going on with ${quoted(next.getAudioTracks()[0]?.label ?? "")}`);
      } else {
        stop(next);
      }
    } catch (error) {
      tell(`there is no other microphone (${messageOf(error)}): waiting for one`);
      navigator.mediaDevices.addEventListener("devicechange", onDevices, { once: true });
    }
  };
  const onDevices = (): void => {
    if (open) void replace("the devices changed");
  };
  use(stream);
  return {
    ...connection,
    disconnect: async (abandon) => {
      open = false;
      navigator.mediaDevices.removeEventListener("devicechange", onDevices);
      source?.disconnect();
      stop(stream);
      await connection.disconnect(abandon);
    },
  };
}

export async function connectStream(owner: Owner, stream: MediaStream, options: StreamOptions): Promise<Attached> {
  if (stream.getAudioTracks().length === 0) {
    throw new RemoteMediaError("the stream has no audio track", { code: "microphone" });
  }
  const { node, connection } = await openCapture(owner, "stream", options.channels ?? 1, options);
  const source = (node.context as AudioContext).createMediaStreamSource(stream);
  source.connect(node);
  return {
    ...connection,
    disconnect: async (abandon) => {
      source.disconnect();
      await connection.disconnect(abandon);
    },
  };
}

export async function connectElement(owner: Owner, element: HTMLMediaElement, options: StreamOptions): Promise<Attached> {
  const { node, connection } = await openCapture(owner, "element", options.channels ?? 2, options);
  const context = node.context as AudioContext;
  let source = elementNodes.get(element);
  if (source !== undefined && source.context !== context) {
    await connection.disconnect(true);
    throw new RemoteMediaError(
      "this element already feeds another AudioContext: give both pipelines the same one, by options.audioContext",
      { code: "state" },
    );
  }
  source ??= context.createMediaElementSource(element);
  elementNodes.set(element, source);
  source.connect(node);
  return {
    ...connection,
    disconnect: async (abandon) => {
      source.disconnect(node);
      await connection.disconnect(abandon);
    },
  };
}

async function request(options: MicrophoneOptions, channels: number): Promise<MediaStream> {
  const devices = (navigator as Partial<Navigator>).mediaDevices;
  if (devices === undefined) {
    throw new RemoteMediaError("this page may not use a microphone: serve it over https or from localhost", { code: "microphone" });
  }
  const { deviceId, echoCancellation = false, noiseSuppression = false, autoGainControl = false } = options;
  const audio: MediaTrackConstraints = { echoCancellation, noiseSuppression, autoGainControl, channelCount: { ideal: channels } };
  if (deviceId !== undefined) audio.deviceId = { exact: deviceId };
  try {
    return await devices.getUserMedia({ audio });
  } catch (error) {
    throw new RemoteMediaError(WHY[(error as DOMException).name] ?? `the microphone cannot be used: ${messageOf(error)}`, {
      code: "microphone",
      cause: error,
    });
  }
}

const WHY: Record<string, string> = {
  NotAllowedError: "the user, or the page's Permissions-Policy, does not allow the microphone: ask again after a click",
  NotFoundError: "there is no microphone",
  NotReadableError: "the microphone is used by another program, or broken",
  OverconstrainedError: "there is no microphone with that deviceId: list them by navigator.mediaDevices.enumerateDevices()",
};

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

function quoted(label: string): string {
  return label === "" ? "in use" : `"${label}"`;
}
