// Pyodide under Node with the built wheel, bench/ and a folder of this machine: what the two runners
// beside it begin with.
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const BENCH = fileURLToPath(new URL("..", import.meta.url));

/** Boots; `out` is a folder of this machine that scripts see as /out, bench/ is /repository/bench. */
export async function boot(dist, wheel, out) {
  const { loadPyodide } = await import(pathToFileURL(`${resolve(dist)}/pyodide.mjs`));
  const py = await loadPyodide({ indexURL: `${resolve(dist)}/` });
  await py.loadPackage(["numpy", "msgspec", "pyyaml", pathToFileURL(resolve(wheel)).href], {
    messageCallback: () => {},
  });
  py.mountNodeFS("/repository/bench", BENCH);
  py.mountNodeFS("/out", resolve(out));
  return py;
}
