// One side of a ring or a link, in its own thread. Driven from here by a seed, checks every sample in order.
import { parentPort, workerData } from "node:worker_threads";
import { pathToFileURL } from "node:url";

// Node does not count a pending waitAsync as work, and would end the thread.
parentPort.on("message", () => undefined);
const { code, job } = workerData;
const lib = await import(pathToFileURL(code).href);
const { run } = await import("./traffic.mjs");
parentPort.postMessage(await run(lib, job));
