// Two workers and no Python: what a block costs there and back, by transferred buffers and through shared memory.
// The first runs this file, and starts the second, which runs it too.
const BYTES = 4_096; // a wire frame with 960 float32
const ASKED = 0;
const ANSWERED = 1;

/** Wait until a word has changed, without blocking the event loop, as a worker with Python has to. */
async function changed(words, index, seen) {
  while (Atomics.load(words, index) === seen) {
    const wait = Atomics.waitAsync(words, index, seen);
    if (wait.async) await wait.value;
  }
}

async function echoShared(memory) {
  const words = new Int32Array(memory, 0, 2);
  const there = new Uint8Array(memory, 64, BYTES);
  const back = new Uint8Array(memory, 64 + BYTES, BYTES);
  for (let round = 0; ; round++) {
    await changed(words, ASKED, round);
    back.set(there.slice());
    Atomics.add(words, ANSWERED, 1);
    Atomics.notify(words, ANSWERED);
  }
}

async function byTransfer(worker, rounds) {
  const took = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const frame = new Uint8Array(BYTES).fill(round);
    const answer = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    worker.postMessage({ type: "told", text: "Call", frame }, [frame.buffer]);
    (await answer).frame.slice();
    took.push((performance.now() - began) * 1000);
  }
  return took;
}

async function byShared(worker, rounds) {
  const memory = new SharedArrayBuffer(64 + 2 * BYTES);
  const words = new Int32Array(memory, 0, 2);
  const there = new Uint8Array(memory, 64, BYTES);
  const back = new Uint8Array(memory, 64 + BYTES, BYTES);
  worker.postMessage({ type: "memory", memory });
  const took = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    there.set(new Uint8Array(BYTES).fill(round));
    Atomics.add(words, ASKED, 1);
    Atomics.notify(words, ASKED);
    await changed(words, ANSWERED, round);
    back.slice();
    took.push((performance.now() - began) * 1000);
  }
  return took;
}

onmessage = async ({ data }) => {
  if (data.type === "told") {
    const frame = data.frame.slice();
    postMessage({ type: "said", text: "Item", frame }, [frame.buffer]);
  } else if (data.type === "memory") {
    await echoShared(data.memory);
  } else {
    const worker = new Worker(location.href, { type: "module" });
    const first = await byTransfer(worker, data.rounds);
    const transferred = [...first, ...(await byTransfer(worker, data.rounds))].slice(200);
    const shared = (await byShared(worker, 2 * data.rounds)).slice(200);
    worker.terminate();
    postMessage({ transferred, shared });
  }
};
