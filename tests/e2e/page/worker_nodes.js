// What the tests of nodes in workers do in a page; each returns what is then looked at.
import * as web from "/web/index.js";

/** Nodes that go wrong in the ways of workers. */
export const SOURCE = `
import os
import js
import msgspec
import remotemedia as rm

@rm.node("Fragile", input_caps="text", output_caps="text")
def fragile(text: rm.Text):
    print("got", text.text)
    match text.text:
        case "end":
            js.self.close()
            return None
        case "trap":
            msgspec.json.decode(b"[" * 200_000)
        case "memory":
            bytearray(2**27)  # WebAssembly's memory never shrinks
        case "hang":
            while True:
                pass
        case "raise":
            raise LookupError("nothing there")
        case "env":
            return rm.Text(os.environ.get("MY_SETTING", ""))
    return text

@rm.node("Numbers", input_caps="text", output_caps="text")
def numbers(text: rm.Text, *, count: int = 20):
    for number in range(count):
        sum(range(20_000))
        yield rm.Text(f"{text.text}.{number}")
`;

const NODE = { executor: "process" };

export const graph = (nodes, ...edges) => ({
  version: "v1",
  nodes: nodes.map((node) => ({ ...NODE, ...node })),
  connections: edges.map(([from, to]) => ({ from, to })),
});

const restarting = (restart) => ({ policy: { restart: { spare: false, delay_ms: 20, ...restart } } });

/** How many workers of nodes are alive: each holds a lock. */
export async function alive() {
  const { held } = await navigator.locks.query();
  return held.filter(({ name }) => name.startsWith("remotemedia-nodes-")).length;
}

export const gone = () => window.until(async () => (await alive()) === 0, 10_000);

async function running(manifest, options = {}) {
  const pipeline = await window.load(manifest, { source: SOURCE, ...options });
  const events = window.eventsOf(pipeline);
  await pipeline.start();
  const texts = [];
  const reading = (async () => {
    for await (const packet of pipeline.outputs()) texts.push(packet.data.text);
  })().catch((error) => error.message);
  const errors = () => events.filter(({ kind }) => kind === "error").map(({ error, sequence }) => ({ code: error.code, message: error.message, traceback: error.traceback, sequence }));
  const restarts = () => events.filter(({ what }) => what === "restart").map(({ message }) => message);
  const send = (text) => pipeline.send(web.text(text));
  const had = (text) => window.until(() => texts.includes(text), 20_000);
  return { pipeline, events, texts, reading, errors, restarts, send, had };
}

/** Data of all types, there and back. */
export async function data() {
  const sent = [
    web.audio(new Float32Array([0, 0.25, -1]), 48_000),
    web.text("ä"),
    web.json({ a: [1, null, "b"] }),
    web.binary(new Uint8Array([0, 255]), "application/x-mine"),
    web.tensor(new Float64Array([1, -2, 3, 0.5]), [2, 2]),
    web.image(new Uint8Array(12), "RAW", { width: 2, height: 2, pixelFormat: "RGB24" }),
    web.video(new Uint8Array(12), 2, 2),
    web.control("Mine", { a: 1 }),
    web.file("a.wav"),
  ];
  const answers = {};
  for (const executor of ["inline", "process"]) {
    const pipeline = await window.load(graph([{ id: "a", node_type: "PassThrough", executor }, { id: "b", node_type: "PassThrough", executor }], ["a", "b"]));
    await pipeline.start();
    const found = [];
    const reading = (async () => {
      for await (const { data, node, port, sequence } of pipeline.outputs()) found.push({ data, node, port, sequence });
    })();
    for (const item of sent) await pipeline.send(item);
    const workers = await alive();
    await pipeline.finish();
    await reading;
    const nodes = (await pipeline.metrics()).nodes.map(({ node, count, errors }) => [node, count, errors]);
    await pipeline.close();
    found.sort((a, b) => a.sequence - b.sequence); // control goes ahead
    answers[executor] = { workers, nodes, found: JSON.stringify(found, (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value)) };
  }
  await gone();
  return answers;
}

/** Own nodes, their packages, environment; a group; errors with their traceback. */
export async function surroundings() {
  const options = { process_group: "g", process: { env: { MY_SETTING: "yes" }, threads: 3 }, ...restarting({}) };
  const { pipeline, send, had, errors, texts } = await running(
    graph([{ id: "f", node_type: "Fragile", ...options }, { id: "p", node_type: "PassThrough", ...options }], ["f", "p"]),
  );
  await send("env");
  await send("raise");
  await send("last");
  await had("last");
  const answer = { texts, errors: errors(), workers: await alive(), warnings: pipeline.warnings.map(({ message }) => message) };
  await pipeline.close();
  await gone();
  return answer;
}

/** A worker dies in some way, and the next goes on. */
export async function death(how, restart, process) {
  const node = { id: "f", node_type: "Fragile", ...restarting(restart), ...(process && { process }) };
  const { pipeline, send, had, errors, restarts, texts } = await running(graph([node]));
  await send("before");
  await had("before");
  const began = performance.now();
  await send(how);
  await window.until(() => restarts().length > 0);
  const told = performance.now() - began;
  await send("after");
  await had("after");
  const answer = { texts, told, errors: errors(), restarts: restarts(), state: pipeline.state, workers: await alive() };
  await pipeline.close();
  await gone();
  return answer;
}

/** One that dies again and again ends the pipeline. */
export async function loop() {
  const { pipeline, send, reading, restarts } = await running(graph([{ id: "f", node_type: "Fragile", ...restarting({ max_restarts: 1 }) }]));
  for (let n = 0; n < 2; n++) {
    await window.until(() => restarts().length === 2 * n);
    await send("trap").catch(() => undefined);
  }
  const message = await reading;
  const { state } = pipeline;
  await pipeline.close();
  await gone();
  return { message, state };
}

/** Interrupts while the worker computes. */
export async function interrupts(count) {
  const { pipeline, send, texts } = await running(graph([{ id: "n", node_type: "Numbers", ...restarting({}) }]));
  const took = [];
  let stale = 0;
  for (let n = 0; n < count; n++) {
    await send(`old ${n}`);
    await window.sleep(n % 7);
    const began = performance.now();
    await pipeline.interrupt();
    took.push(performance.now() - began);
    const seen = texts.length;
    await send(`new ${n}`);
    await window.until(() => texts.includes(`new ${n}.19`));
    stale += texts.slice(seen).filter((text) => text.startsWith("old")).length;
  }
  const { nodes } = await pipeline.metrics();
  await pipeline.close();
  await gone();
  took.sort((a, b) => a - b);
  return { stale, fresh: texts.filter((text) => text.startsWith("new")).length, old: texts.filter((text) => text.startsWith("old")).length, errors: nodes[0].errors, p50: took[count >> 1], max: took[count - 1] };
}

/** Started and stopped; each time a hanging worker is among them, too. */
export async function cycles(count) {
  const pipeline = await window.load(graph([{ id: "f", node_type: "Fragile", ...restarting({}) }]), { source: SOURCE });
  const most = [];
  for (let n = 0; n < count; n++) {
    await pipeline.start();
    most.push(await alive());
    await pipeline.send(web.text(n % 5 === 4 ? "hang" : "x"));
    if (n % 2 === 0) await window.sleep(20);
    await pipeline.stop();
    if (n % 5 === 4) await gone(); // a browser takes up to 2 s to end what does not return
  }
  await gone();
  await pipeline.start();
  await pipeline.close(); // without a stop
  await gone();
  return { most: Math.max(...most), left: await alive() };
}

/** What runs is changed. */
export async function changes() {
  const plain = graph([{ id: "a", node_type: "PassThrough", executor: "inline" }]);
  const { pipeline, send, had, texts } = await running(plain);
  await send("1");
  await had("1");
  const more = graph([{ id: "a", node_type: "PassThrough", executor: "inline" }, { id: "f", node_type: "Fragile", ...restarting({}) }], ["a", "f"]);
  await pipeline.apply(more);
  const during = await alive();
  await send("2");
  await had("2");
  await pipeline.apply(plain);
  await gone();
  await send("3");
  await had("3");
  await pipeline.close();
  return { texts, during };
}

/** A node of a wheel of the user, and one that needs a package of Pyodide. */
export async function packages(wheel) {
  const pipeline = await window.load(
    graph([{ id: "s", node_type: "MyShout", ...restarting({}) }, { id: "i", node_type: "IIRFilter", params: { kind: "lowpass", cutoff_hz: 900 }, ...restarting({}) }]), { packages: [wheel] },
  );
  await pipeline.start();
  await pipeline.send(web.text("hello"), { to: "s" });
  const shout = await window.nextOf(pipeline);
  await pipeline.send(web.audio(new Float32Array(480), 48_000), { to: "i" });
  const filtered = await window.nextOf(pipeline);
  await pipeline.close();
  await gone();
  return [shout.data.text, filtered.data.samples.length];
}
