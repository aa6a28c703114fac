// The one controller of this page, and what the components ask of it.
import { keepOffline, Pipeline, registerIsolation, type LoadOptions } from "@remotemedia/web";
import { CATALOG, findExample, SERVED_ID, servedExample } from "./catalog.ts";
import { pictureOf } from "./draw/picture.ts";
import { Controller } from "./pipeline/controller.ts";
import { fetchClip, hasClip, ownModels, ownPyodide, ownServiceWorker, queryOf, servedManifest } from "./pipeline/surroundings.ts";
import { useStore, type InputKind } from "./store.ts";

const query = queryOf(location.search);

async function options(): Promise<LoadOptions> {
  const [pyodideUrl, models] = await Promise.all([ownPyodide(), ownModels()]);
  return { ...(pyodideUrl ? { pyodideUrl } : {}), ...models, ...(query.transferred ? { sharedMemory: false } : {}) };
}

export const controller = new Controller(useStore, { load: (manifest, given) => Pipeline.load(manifest, given), options });

let leaving: Promise<boolean> | undefined;
let clipThere: Promise<boolean> | undefined;
let served: Promise<string | null> | undefined;

/** Looks around, chooses where to begin, and loads it. Ends what it began when `signal` says so. */
export async function open(signal: AbortSignal): Promise<void> {
  leaving ??= prepare();
  if (await leaving) return;
  clipThere ??= hasClip();
  served ??= servedManifest();
  const [clip, manifest] = await Promise.all([clipThere, served]);
  if (signal.aborted) return;
  const examples = manifest === null ? CATALOG : [servedExample(manifest), ...CATALOG];
  const { exampleId } = useStore.getState();
  const first = findExample(examples, exampleId || query.example) ?? findExample(examples, SERVED_ID) ?? examples[0];
  useStore.setState({ examples, clipThere: clip });
  if (first?.speaks && !exampleId) await chooseInput("microphone");
  else if (clip && useStore.getState().file === null) await chooseInput("clip");
  if (signal.aborted || !first) return;
  if (!exampleId) useStore.setState({ exampleId: first.id, manifest: first.manifest, source: first.source, speaker: first.speaks });
  // Who saves data decides by pressing Start.
  const { connection } = navigator as Navigator & { connection?: { saveData?: boolean } };
  if (!connection?.saveData) await controller.load();
}

/** True: the page is about to be loaded again, with shared memory. */
async function prepare(): Promise<boolean> {
  const worker = await ownServiceWorker();
  if (worker === null) return false;
  try {
    if (!globalThis.crossOriginIsolated && !query.transferred && (await registerIsolation(worker)) === "reloading") return true;
    useStore.setState({ keptOffline: (await keepOffline(worker)) === "kept" });
  } catch {
    // It works without, and says so.
  }
  return false;
}

export async function chooseExample(id: string): Promise<void> {
  const { examples, exampleId, speaker: before } = useStore.getState();
  const example = findExample(examples, id);
  if (!example) return;
  const leaves = findExample(examples, exampleId)?.speaks ?? false;
  const speaker = example.speaks || (before && !leaves); // one that speaks wants to be heard, a microphone does not
  useStore.setState({ exampleId: example.id, manifest: example.manifest, source: example.source, speaker });
  if (example.speaks) await chooseInput("microphone");
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
