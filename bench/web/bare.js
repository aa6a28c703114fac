// The floor of a boot: Pyodide and numpy in a worker, and nothing else.
const folder = new URL(import.meta.url).searchParams.get("folder");
const began = performance.now();
const { loadPyodide } = await import(`${folder}pyodide.mjs`);
const python = await loadPyodide({ indexURL: `${location.origin}${folder}`, packages: ["numpy"] });
python.runPython("import numpy");
postMessage({ ms: performance.now() - began });
