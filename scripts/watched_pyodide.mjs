// Pyodide in a worker thread, watched by the main thread: a test that hangs in WebAssembly cannot be
// stopped from within.
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Worker, parentPort } from "node:worker_threads";

/**
 * Starts `script` as a worker and ends the program if it is silent for too long.
 *
 * @param script File of the worker.
 * @param workerData What it is given.
 * @param timeoutS Seconds from one sign of life to the next.
 * @param onDone Takes the worker's last message.
 */
export function watch(script, workerData, timeoutS, onDone) {
  const worker = new Worker(script, { workerData });
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
      onDone(message, worker);
    }
  });
  worker.on("error", (error) => fail(error.stack ?? error));
}

/** In the worker: says what is being done. */
export const doing = (what) => parentPort.postMessage({ kind: "doing", what });

/** In the worker: Pyodide of a folder with packages, its output that of the program. */
export async function boot(dist, packages) {
  const { loadPyodide } = await import(pathToFileURL(`${dist}/pyodide.mjs`));
  const py = await loadPyodide({ indexURL: `${dist}/` });
  // A worker's own process.stdin, stdout and stderr have no file descriptor for Pyodide to use.
  py.setStdin({ stdin: () => null });
  py.setStdout({ write: (bytes) => writeSync(1, bytes) });
  py.setStderr({ write: (bytes) => writeSync(2, bytes) });
  await py.loadPackage(packages, { messageCallback: () => {} });
  return py;
}
