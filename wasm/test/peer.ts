// Runs the other side of a ring or a link in a real thread: ring-peer.mjs with our code, bundled once.
import { buildSync } from "esbuild";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Transferable as Handle } from "node:worker_threads";
import type { Endpoint } from "../src/links.ts";

export interface Job {
  kind: "produce" | "consume" | "write" | "read";
  /** produce, consume: a Ring driven by turns. */
  buffer?: ArrayBufferLike;
  /** write, read: a BlockWriter or BlockReader driven by arm(). */
  endpoint?: Endpoint;
  seed: number;
  frames: number;
  maxChunk: number;
  lossy?: boolean;
  blockFrames?: number;
}

export interface Report {
  /** What was not as it must be. */
  faults: string[];
  frames: number;
  lost: number;
  gaps: [at: number, lost: number][];
  wakes: number;
}

const code = join(mkdtempSync(join(tmpdir(), "ring-")), "code.mjs");
buildSync({
  stdin: { contents: 'export { Ring } from "./ring.ts"; export { openReader, openWriter } from "./links.ts";', resolveDir: fileURLToPath(new URL("../src", import.meta.url)) },
  bundle: true, format: "esm", target: "es2022", outfile: code,
});

export function startPeer(job: Job): Promise<Report> {
  const transferList: Handle[] = job.endpoint?.kind === "port" ? [job.endpoint.port as unknown as Handle] : [];
  const worker = new Worker(new URL("./ring-peer.mjs", import.meta.url), { workerData: { code, job }, transferList });
  return new Promise((resolve, reject) => {
    worker.once("message", (report: Report) => {
      resolve(report);
      void worker.terminate();
    });
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the peer ended without a report")));
  });
}
