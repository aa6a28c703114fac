// Bundles the TypeScript of @remotemedia/web, one file for each thing that a browser loads by URL.
//
//   node scripts/web_bundle.mjs SOURCE OUT
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

const [source, out] = process.argv.slice(2).map((path) => resolve(path));
const fromWasm = createRequire(new URL("../wasm/package.json", import.meta.url));
const { build } = await import(fromWasm.resolve("esbuild"));

// Users' bundlers shall leave these imports alone, but esbuild drops the comment that tells them.
// A name of the same length stands in for it meanwhile, so that source maps stay right.
const IGNORED = "import(/* @vite-ignore */";
const STAND_IN = `${"$import_left_alone".padEnd(IGNORED.length - 1, "_")}(`;

const leaveImportsAlone = {
  name: "leave-imports-alone",
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      return { contents: text.replaceAll(IGNORED, STAND_IN), loader: "ts" };
    });
  },
};

const { outputFiles } = await build({
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
  minify: true,
  sourcemap: "linked",
  legalComments: "none",
  // All are in one folder, so `new URL("./…", import.meta.url)` means the same before and after.
  splitting: false,
  plugins: [leaveImportsAlone],
  write: false,
  logLevel: "warning",
}).catch(() => process.exit(1)); // it has been told
for (const { path, text } of outputFiles) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text.replaceAll(STAND_IN, IGNORED));
}
