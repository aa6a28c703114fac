// Runs a Python script of bench/ inside Pyodide under Node, on the built wheel.
//
//   node bench/harness/pyodide.mjs DIST WHEEL OUT SCRIPT [arguments...]
//
// OUT is a folder of this machine, which the script sees as /out.
import { boot } from "./boot.mjs";

const [dist, wheel, out, script, ...scriptArguments] = process.argv.slice(2);
const py = await boot(dist, wheel, out);
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
