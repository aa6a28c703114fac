// Compiles archives of Python sources with Pyodide's own Python, whose byte code no other reads.
//
//   node scripts/pyodide_compile.mjs DIST OUT ARCHIVE...    names of files in DIST
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [dist, out, ...archives] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${resolve(dist)}/pyodide.mjs`));
const py = await loadPyodide({ indexURL: `${resolve(dist)}/` });
py.mountNodeFS("/scripts", fileURLToPath(new URL(".", import.meta.url)));
py.mountNodeFS("/dist", resolve(dist));
py.mountNodeFS("/out", resolve(out));
py.globals.set("archives", py.toPy(archives));
py.runPython(`
  import sys
  from pathlib import Path

  sys.dont_write_bytecode = True
  sys.path.append("/scripts")
  import wheels

  for name in archives:
      wheels.compile_archive(Path("/dist", name), Path("/out"))
`);
