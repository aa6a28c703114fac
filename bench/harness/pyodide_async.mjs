// Runs a Python script of bench/ inside Pyodide under Node, on the built wheel, as pyodide.mjs
// does, but leaves JavaScript's event loop running: it awaits the script's `inside_pyodide`.
//
//   node bench/harness/pyodide_async.mjs DIST WHEEL OUT SCRIPT [arguments...]
//
// OUT is a folder of this machine, which the script sees as /out. The arguments are given to the
// function as a list.
import { boot } from "./boot.mjs";

const [dist, wheel, out, script, ...scriptArguments] = process.argv.slice(2);
const py = await boot(dist, wheel, out);
py.globals.set("arguments", py.toPy([`/repository/bench/${script}`, ...scriptArguments]));
process.exitCode = await py.runPythonAsync(`
import runpy, sys, traceback
sys.dont_write_bytecode = True
sys.path.insert(0, "/repository/bench")
try:
    code = await runpy.run_path(arguments[0])["inside_pyodide"](arguments[1:])
except BaseException:  # Node would print it with all of its own source
    traceback.print_exc()
    code = 1
code
`);
