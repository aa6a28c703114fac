// The floor of a boot: Pyodide and numpy in a worker, and nothing else.
import { loadPyodide } from "/pyodide/pyodide.mjs";

const began = performance.now();
const python = await loadPyodide({ indexURL: `${location.origin}/pyodide/`, packages: ["numpy"] });
python.runPython("import numpy");
postMessage({ ms: performance.now() - began });
