// The one controller of this page, and what the components ask of it.
import { Pipeline, registerIsolation, type LoadOptions } from "@remotemedia/web";
import { CATALOG, findExample, SERVED_ID, servedExample } from "./catalog.ts";
import { pictureOf } from "./draw/picture.ts";
import { Controller } from "./pipeline/controller.ts";
import { fetchClip, hasClip, isolationWorker, ownPyodide, queryOf, servedManifest } from "./pipeline/surroundings.ts";
import { useStore, type InputKind } from "./store.ts";

const query = queryOf(location.search);

async function options(): Promise<LoadOptions> {
  const pyodideUrl = await ownPyodide();
  return { ...(pyodideUrl ? { pyodideUrl } : {}), ...(query.transferred ? { sharedMemory: false } : {}) };
}

export const controller = new Controller(useStore, { load: (manifest, given) => Pipeline.load(manifest, given), options });

let isolating: Promise<boolean> | undefined;
let clipThere: Promise<boolean> | undefined;
let served: Promise<string | null> | undefined;

/** Looks around, chooses where to begin, and loads it. Ends what it began when `signal` says so. */
export async function open(signal: AbortSignal): Promise<void> {
  isolating ??= isolate();
  if (await isolating) return;
  clipThere ??= hasClip();
  served ??= servedManifest();
  const [clip, manifest] = await Promise.all([clipThere, served]);
  if (signal.aborted) return;
  const examples = manifest === null ? CATALOG : [servedExample(manifest), ...CATALOG];
  const { exampleId } = useStore.getState();
  const first = findExample(examples, exampleId || query.example) ?? findExample(examples, SERVED_ID) ?? examples[0];
  useStore.setState({ examples, clipThere: clip });
  if (clip && useStore.getState().file === null) await chooseInput("clip");
  if (signal.aborted || !first) return;
  if (!exampleId) useStore.setState({ exampleId: first.id, manifest: first.manifest, source: first.source });
  // Who saves data decides by pressing Start.
  const { connection } = navigator as Navigator & { connection?: { saveData?: boolean } };
  if (!connection?.saveData) await controller.load();
}

/** True: the page is about to be loaded again, with shared memory. */
async function isolate(): Promise<boolean> {
  if (globalThis.crossOriginIsolated || query.transferred) return false;
  const worker = await isolationWorker();
  try {
    return worker !== null && (await registerIsolation(worker)) === "reloading";
  } catch {
    return false; // it works without, and says so
  }
}

export async function chooseExample(id: string): Promise<void> {
  const example = findExample(useStore.getState().examples, id);
  if (!example) return;
  useStore.setState({ exampleId: example.id, manifest: example.manifest, source: example.source });
  await controller.load();
}

export async function chooseInput(input: InputKind): Promise<void> {
  useStore.setState({ input, inputPicture: null });
  if (input === "file") await draw(useStore.getState().file);
  if (input === "microphone") await listDevices();
  if (input === "clip") {
    try {
      const clip = useStore.getState().clip ?? (await fetchClip());
      useStore.setState({ clip });
      await draw(clip);
    } catch (error) {
      useStore.setState({ fault: { message: String(error), traceback: "" } });
    }
  }
}

export async function chooseFile(file: File): Promise<void> {
  useStore.setState({ file, input: "file", inputPicture: null });
  await draw(file);
}

async function draw(media: Blob | null): Promise<void> {
  const inputPicture = media && (await pictureOf(media));
  const { input, file, clip } = useStore.getState();
  if (media === (input === "file" ? file : input === "clip" ? clip : null)) useStore.setState({ inputPicture });
}

/** Their names are known only once the user allowed a microphone. */
export async function listDevices(): Promise<void> {
  const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const devices = all.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== "");
  const { deviceId } = useStore.getState();
  useStore.setState({ devices, ...(devices.some((device) => device.deviceId === deviceId) ? {} : { deviceId: "" }) });
}

/** Hands the user a file. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
