// Runs the tests of tests/wasm/python in a worker of a browser, as scripts/pyodide_async_tests.mjs
// does under Node: on the wheel that pages load.
import { loadPyodide } from "/pyodide/pyodide.mjs";

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ result: await run(data) });
  } catch (error) {
    postMessage({ error: String(error.stack ?? error) });
  }
});

async function run({ wheels, files, traces }) {
  const python = await loadPyodide({ indexURL: "/pyodide/" });
  await python.loadPackage(["micropip", "numpy"], { messageCallback: () => {} });
  const extractDir = python.runPython("import site; site.getsitepackages()[0]");
  const unxz = python.runPython("import lzma; lambda packed: lzma.decompress(packed.to_bytes())");
  for (const wheel of wheels) {
    const raw = unxz(new Uint8Array(await (await answerOf(wheel)).arrayBuffer()));
    python.unpackArchive(raw.getBuffer().data, "zip", { extractDir });
  }
  python.FS.mkdirTree("/tests");
  for (const file of files) {
    python.FS.writeFile(`/tests/${file}`, await (await answerOf(`/tests/${file}`)).text());
  }
  python.registerJsModule("given_by_page", { traces: await (await answerOf(traces)).text() });
  const told = await python.runPythonAsync(`
    import importlib, json, sys
    sys.dont_write_bytecode = True
    sys.path.insert(0, "/tests")
    importlib.invalidate_caches()
    import given_by_page
    import runner

    json.dumps(await runner.run_all(given={"native traces": json.loads(given_by_page.traces)}))
  `);
  return JSON.parse(told);
}

async function answerOf(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
  return answer;
}
