// Runs pytest inside Pyodide under Node, on the built wheel, and writes what happened to each test,
// and what tests/worlds gave out.
//
//   node scripts/pyodide_pytest.mjs DIST WHEEL REPORT OUTPUTS TIMEOUT_S [pytest arguments...]
//
// Pyodide lives in a worker thread, so that this thread can watch it: Python there has no timer
// that could interrupt a test.
import { readFileSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { boot, doing, watch } from "./watched_pyodide.mjs";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = ["numpy", "msgspec", "pyyaml", "pytest", "hypothesis", "scipy"];

if (isMainThread) main();
else await runTests(workerData);

function main() {
  const [dist, wheel, report, outputs, timeoutS, ...pytestArguments] = process.argv.slice(2);
  const given = { dist: resolve(dist), wheel: resolve(wheel), pytestArguments };
  watch(fileURLToPath(import.meta.url), given, timeoutS, (message) => {
    if (message.report) writeFileSync(report, message.report);
    if (message.outputs) writeFileSync(outputs, message.outputs);
    process.exitCode = message.exitCode;
  });
}

async function runTests({ dist, wheel, pytestArguments }) {
  const py = await boot(dist, [...PACKAGES, pathToFileURL(wheel).href]);
  mountReadOnly(py, REPOSITORY, "/repository");
  const wheelInside = `/tmp/${basename(wheel)}`;
  py.FS.writeFile(wheelInside, readFileSync(wheel));
  py.registerJsModule("watching_runner", { doing });
  const run = py.runPython(`
    import os, sys
    import pytest
    import watching_runner

    class Watched:
        def pytest_runtest_logstart(self, nodeid):
            watching_runner.doing(nodeid)

        def pytest_sessionfinish(self):
            watching_runner.doing("ending the run")

    def run(arguments):
        sys.dont_write_bytecode = True
        os.chdir("/repository")
        return int(pytest.main(list(arguments), plugins=[Watched()]))

    run
  `);
  // Called from plain synchronous code, not from a task of the page's loop: see VirtualClock.
  const exitCode = run([
    ...["--color=no", `--wheel=${wheelInside}`],
    ...["--report=/tmp/report", "--outputs=/tmp/outputs"],
    ...pytestArguments,
  ]);
  const read = (path) => (py.FS.analyzePath(path).exists ? py.FS.readFile(path) : undefined);
  const [report, outputs] = [read("/tmp/report"), read("/tmp/outputs")];
  parentPort.postMessage({ kind: "done", exitCode, report, outputs });
}

/** Mount a folder of this machine so that Python can read it and never write to it. */
function mountReadOnly(py, hostFolder, folder) {
  const { NODEFS } = py.FS.filesystems;
  const getMode = NODEFS.getMode;
  NODEFS.getMode = (path) => getMode(path) & ~0o222; // Emscripten's own permission check does the rest
  py.mountNodeFS(folder, hostFolder);
}
