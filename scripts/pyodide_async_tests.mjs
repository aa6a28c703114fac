// Runs the asynchronous tests of tests/wasm/python inside Pyodide under Node, on the built wheel.
//
//   node scripts/pyodide_async_tests.mjs DIST WHEEL TIMEOUT_S [part of the name of a test...]
//
// Pyodide lives in a worker thread, so that this thread can watch it: see pyodide_pytest.mjs. The
// traces that random programs must have come from a native Python: $PYTHON, or that of .venv.
import { execFile } from "node:child_process";
import { writeSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const TESTS = `${REPOSITORY}tests/wasm/python`;
const SEEDS = [0, 100];

if (isMainThread) await watch();
else await runTests(workerData);

async function watch() {
  const [dist, wheel, timeoutS, ...only] = process.argv.slice(2);
  const python = process.env.PYTHON ?? `${REPOSITORY}.venv/bin/python`;
  const { stdout: traces } = await promisify(execFile)(
    python,
    ["-B", `${TESTS}/programs.py`, ...SEEDS.map(String)],
    { maxBuffer: 2 ** 28 },
  );
  const worker = new Worker(fileURLToPath(import.meta.url), {
    workerData: { dist: resolve(dist), wheel: resolve(wheel), only, traces },
  });
  let doing = "booting Pyodide";
  let alarm;
  const fail = (why) => {
    console.error(`\n${why}\nPyodide stopped; it was at: ${doing}`);
    process.exit(1);
  };
  const rearm = () => {
    clearTimeout(alarm);
    alarm = setTimeout(() => fail(`not done within ${timeoutS} s`), timeoutS * 1000);
  };
  rearm();
  worker.on("message", (message) => {
    if (message.kind === "doing") {
      doing = message.what;
      rearm();
    } else {
      clearTimeout(alarm);
      process.exitCode = message.failed || !message.passed ? 1 : 0;
      void worker.terminate();
    }
  });
  worker.on("error", (error) => fail(error.stack ?? error));
}

async function runTests({ dist, wheel, only, traces }) {
  const { loadPyodide } = await import(pathToFileURL(`${dist}/pyodide.mjs`));
  const py = await loadPyodide({ indexURL: `${dist}/` });
  // A worker's own process.stdin, stdout and stderr have no file descriptor for Pyodide to use.
  py.setStdin({ stdin: () => null });
  py.setStdout({ write: (bytes) => writeSync(1, bytes) });
  py.setStderr({ write: (bytes) => writeSync(2, bytes) });
  await py.loadPackage(["micropip", pathToFileURL(wheel).href], { messageCallback: () => {} });
  py.FS.mkdirTree("/tests");
  py.mountNodeFS("/tests", TESTS);
  py.registerJsModule("watching_runner", {
    only,
    traces,
    doing: (what) => parentPort.postMessage({ kind: "doing", what }),
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
