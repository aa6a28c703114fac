// Files: WAV is read in the worker by the same code as natively, so that both worlds get the same samples;
// other formats are decoded by the browser.
import { openCapture } from "./capture.ts";
import type { Attached, Owner } from "./connection.ts";
import { RemoteMediaError, messageOf } from "./errors.ts";
import type { FileConnection, FileOptions } from "./types.ts";

const DECODE_RATE = 48_000;
const WAV_MAGIC = new Set(["RIFF", "RIFX", "RF64", "BW64"]);

export async function playFile(
  owner: Owner,
  file: Blob | ArrayBuffer | string | URL,
  options: FileOptions,
): Promise<FileConnection & Attached> {
  const content = await read(file);
  return options.pace === "realtime" ? playPaced(owner, content, options) : playFast(owner, content, options);
}

async function playFast(owner: Owner, content: ArrayBuffer, options: FileOptions): Promise<FileConnection & Attached> {
  const { id } = owner;
  const question = { type: "playFile", connection: id, to: options.to ?? null, blockMs: options.blockMs ?? 20 } as const;
  let playing: Promise<unknown>;
  let sampleRate = 0;
  if (isWav(content)) {
    playing = owner.remote().ask({ ...question, sampleRate: 0, channels: 1 }, new Uint8Array(content));
  } else {
    const audio = await decode(new OfflineAudioContext(1, 1, options.decodeRate ?? DECODE_RATE), content);
    const { numberOfChannels: channels, length } = audio;
    const planes = new Float32Array(channels * length);
    for (let c = 0; c < channels; c++) audio.copyFromChannel(planes.subarray(c * length, (c + 1) * length), c);
    sampleRate = audio.sampleRate;
    playing = owner.remote().ask({ ...question, sampleRate, channels }, new Uint8Array(planes.buffer));
  }
  let open = true;
  const ended = playing.then(async () => {
    if (open && options.finish !== false) await owner.finish();
  });
  ended.then(owner.forget, owner.forget);
  return {
    id,
    kind: "file",
    at: options.to ?? "",
    node: null,
    sampleRate,
    feeds: false,
    ended,
    // What a dead worker had not sent yet is lost, and `ended` has told so.
    attach: () => Promise.resolve(),
    disconnect: async () => {
      open = false;
      owner.forget();
      await owner.remote().ask({ type: "detach", connection: id });
    },
  };
}

async function playPaced(owner: Owner, content: ArrayBuffer, options: FileOptions): Promise<FileConnection & Attached> {
  const context = await owner.audio.open();
  const audio = await decode(context, content);
  const source = new AudioBufferSourceNode(context, { buffer: audio });
  const capture = await openCapture(owner, "file", audio.numberOfChannels, options, true);
  source.connect(capture.node);
  const ended = new Promise<void>((resolve, reject) => {
    source.onended = () => {
      capture.end().then(async () => {
        if (options.finish !== false) await owner.finish();
      }).then(resolve, reject);
    };
  });
  source.start();
  return {
    ...capture.connection,
    node: source,
    ended,
    disconnect: async (abandon?: boolean) => {
      source.onended = null;
      source.stop();
      source.disconnect();
      await capture.connection.disconnect(abandon);
    },
  };
}

async function read(file: Blob | ArrayBuffer | string | URL): Promise<ArrayBuffer> {
  if (file instanceof Blob) return file.arrayBuffer();
  if (file instanceof ArrayBuffer) return file.slice(0);
  const url = new URL(file, document.baseURI).href;
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`HTTP ${answer.status} ${answer.statusText}`);
    return await answer.arrayBuffer();
  } catch (error) {
    throw new RemoteMediaError(`${url} cannot be fetched: ${messageOf(error)}`, { code: "load", cause: error });
  }
}

async function decode(context: BaseAudioContext, content: ArrayBuffer): Promise<AudioBuffer> {
  try {
    return await context.decodeAudioData(content);
  } catch (error) {
    throw new RemoteMediaError(
      `this file is no audio that the browser can decode (${messageOf(error)}): convert it, ffmpeg -i FILE out.wav`,
      { code: "media_file", cause: error },
    );
  }
}

function isWav(content: ArrayBuffer): boolean {
  return WAV_MAGIC.has(String.fromCharCode(...new Uint8Array(content, 0, Math.min(4, content.byteLength))));
}
