// Bundles the TypeScript of @remotemedia/web, one file for each thing that a browser loads by URL.
//
//   node scripts/web_bundle.mjs SOURCE OUT
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [source, out] = process.argv.slice(2).map((path) => resolve(path));
const fromWasm = createRequire(new URL("../wasm/package.json", import.meta.url));
const { build } = await import(fromWasm.resolve("esbuild"));

await build({
  entryPoints: {
    index: join(source, "index.ts"),
    worker: join(source, "worker.ts"),
    capture: join(source, "worklets/capture.ts"),
    playback: join(source, "worklets/playback.ts"),
    "service-worker": join(source, "service-worker.ts"),
  },
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  // Not the white space: with it esbuild drops `/* @vite-ignore */`; compressed it weighs little.
  minifyIdentifiers: true,
  minifySyntax: true,
  sourcemap: "linked",
  legalComments: "none",
  // All are in one folder, so `new URL("./…", import.meta.url)` means the same before and after.
  splitting: false,
  logLevel: "warning",
});
