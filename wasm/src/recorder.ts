// A recorder: what comes out of a port, collected in the worker as a WAV file.
import type { Attached, Owner } from "./connection.ts";
import type { PortFormat } from "./protocol.generated.ts";
import type { Recorder, RecorderOptions } from "./types.ts";

export async function connectRecorder(owner: Owner, options: RecorderOptions): Promise<Recorder & Attached> {
  const from = options.from ?? null;
  const { id } = owner;
  const attach = (): Promise<void> =>
    owner.remote().ask({ type: "attachRecorder", connection: id, from, encoding: options.encoding ?? null });
  const { at, sampleRate } = await owner.remote().ask<PortFormat>({ type: "formats", from });
  await attach();
  let file: Promise<Uint8Array<ArrayBuffer> | undefined> | undefined;
  const detach = (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    owner.forget();
    file ??= owner.remote().askBytes({ type: "detach", connection: id });
    return file;
  };
  return {
    id,
    kind: "recorder",
    at,
    node: null,
    sampleRate: sampleRate ?? 0,
    feeds: false,
    attach,
    stop: async () => new Blob([(await detach()) ?? new Uint8Array()], { type: "audio/wav" }),
    disconnect: async () => {
      await detach();
    },
  };
}
