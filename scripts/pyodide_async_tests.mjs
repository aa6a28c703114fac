// Runs the asynchronous tests of tests/wasm/python inside Pyodide under Node, on the built wheel.
//
//   node scripts/pyodide_async_tests.mjs DIST WHEEL TIMEOUT_S [part of the name of a test...]
//
// Pyodide lives in a worker thread, so that this thread can watch it. The traces
// that random programs must have come from a native Python: $PYTHON, or that of .venv.
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { boot, doing, watch } from "./watched_pyodide.mjs";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const TESTS = `${REPOSITORY}tests/wasm/python`;
const SEEDS = [0, 100];

if (isMainThread) await main();
else await runTests(workerData);

async function main() {
  const [dist, wheel, timeoutS, ...only] = process.argv.slice(2);
  const python = process.env.PYTHON ?? `${REPOSITORY}.venv/bin/python`;
  const { stdout: traces } = await promisify(execFile)(
    python,
    ["-B", `${TESTS}/programs.py`, ...SEEDS.map(String)],
    { maxBuffer: 2 ** 28 },
  );
  const given = { dist: resolve(dist), wheel: resolve(wheel), only, traces };
  watch(fileURLToPath(import.meta.url), given, timeoutS, (message, worker) => {
    process.exitCode = message.failed || !message.passed ? 1 : 0;
    void worker.terminate();
  });
}

async function runTests({ dist, wheel, only, traces }) {
  const py = await boot(dist, ["micropip", pathToFileURL(wheel).href]);
  py.FS.mkdirTree("/tests");
  py.mountNodeFS("/tests", TESTS);
  py.registerJsModule("watching_runner", {
    only,
    traces,
    doing,
  });
  const result = await py.runPythonAsync(`
    import json, sys
    sys.dont_write_bytecode = True
    sys.path.insert(0, "/tests")
    import runner
    import watching_runner

    result = await runner.run_all(
        only=tuple(watching_runner.only),
        doing=watching_runner.doing,
        given={"native traces": json.loads(watching_runner.traces)},
    )
    print(runner.summary(result))
    result["passed"], result["failed"]
  `);
  const [passed, failed] = result.toJs();
  parentPort.postMessage({ kind: "done", passed, failed });
}
