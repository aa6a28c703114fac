// How far the boot is: bytes of every download, and the phases between them.
import type { Phase, Progress } from "./types.ts";

/** What of the whole the phases are, as far as time goes; a rough guess is enough for a bar. */
const SHARE: Record<Phase, [start: number, end: number]> = {
  download: [0, 0.4],
  python: [0.4, 0.7],
  packages: [0.7, 0.9],
  pipeline: [0.9, 1],
  ready: [1, 1],
};

/** Collects what the downloads tell, and reports; `fraction` never falls. */
export class ProgressMeter {
  #phase: Phase = "download";
  #message = "";
  #loaded = 0;
  #fraction = 0;
  readonly #files = new Map<string, { loaded: number; total: number }>();
  readonly #report: (progress: Progress) => void;

  constructor(expected: Record<string, number>, report: (progress: Progress) => void) {
    for (const [name, total] of Object.entries(expected)) this.#files.set(name, { loaded: 0, total });
    this.#report = report;
  }

  enter(phase: Phase, message: string): void {
    this.#phase = phase;
    this.#message = message;
    this.#tell();
  }

  /** Bytes of a file arrived. */
  add(name: string, bytes: number, total: number): void {
    const file = this.#files.get(name) ?? { loaded: 0, total: 0 };
    file.loaded += bytes;
    file.total = Math.max(file.total, total, file.loaded);
    this.#files.set(name, file);
    this.#loaded += bytes;
    this.#tell();
  }

  /** A file is there, however it came. */
  done(name: string): void {
    const file = this.#files.get(name);
    if (file !== undefined) file.total = file.loaded;
  }

  #tell(): void {
    let total = 0;
    for (const file of this.#files.values()) total += file.total;
    const [start, end] = SHARE[this.#phase];
    const within = total > 0 && this.#phase === "download" ? Math.min(1, this.#loaded / total) : 0;
    this.#fraction = Math.max(this.#fraction, start + (end - start) * within);
    this.#report({
      phase: this.#phase,
      message: this.#message,
      loadedBytes: this.#loaded,
      totalBytes: total,
      fraction: this.#fraction,
    });
  }
}

/** Replace `fetch` by one that tells the meter of every byte; gives the function that puts it back. */
export function watchFetch(meter: ProgressMeter): () => void {
  const original = globalThis.fetch;
  globalThis.fetch = async (...request: Parameters<typeof fetch>) => {
    const answer = await original(...request);
    if (answer.body === null || !answer.ok) return answer;
    const name = nameOf(answer.url);
    const total = answer.headers.get("content-encoding") === null ? Number(answer.headers.get("content-length")) : 0;
    const counted = answer.body.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(chunk, controller) {
          meter.add(name, chunk.byteLength, total);
          controller.enqueue(chunk);
        },
        flush: () => meter.done(name),
      }),
    );
    // A response that is made has no url, which nobody here reads; its headers decide how wasm compiles.
    return new Response(counted, { status: answer.status, statusText: answer.statusText, headers: answer.headers });
  };
  return () => {
    globalThis.fetch = original;
  };
}

function nameOf(url: string): string {
  return url.replace(/[?#].*$/, "").replace(/^.*\//, "");
}
