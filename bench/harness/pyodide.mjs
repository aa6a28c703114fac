// Runs a Python script of bench/ inside Pyodide under Node, on the built wheel.
//
//   node bench/harness/pyodide.mjs DIST WHEEL OUT SCRIPT [arguments...]
//
// OUT is a folder of this machine, which the script sees as /out.
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const BENCH = fileURLToPath(new URL("..", import.meta.url));
const [dist, wheel, out, script, ...scriptArguments] = process.argv.slice(2);

const { loadPyodide } = await import(pathToFileURL(`${resolve(dist)}/pyodide.mjs`));
const py = await loadPyodide({ indexURL: `${resolve(dist)}/` });
await py.loadPackage(["numpy", "msgspec", "pyyaml", pathToFileURL(resolve(wheel)).href], {
  messageCallback: () => {},
});
py.mountNodeFS("/repository/bench", BENCH);
py.mountNodeFS("/out", resolve(out));
py.globals.set("arguments", py.toPy([`/repository/bench/${script}`, ...scriptArguments]));
process.exitCode = py.runPython(`
import runpy, sys, traceback
sys.argv[:] = arguments
sys.dont_write_bytecode = True
sys.path.insert(0, "/repository/bench")
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
    code = 0
except SystemExit as end:
    code = end.code or 0
except BaseException:  # Node would print it with all of its own source
    traceback.print_exc()
    code = 1
code
`);
