// Seeded traffic through a ring or a link: the same code runs in the test's thread and in the peer's.

/** The bit of `take()` that says that something was lost; as in src/links.ts. */
const LOST = 1 << 30;

/** mulberry32: the same numbers for the same seed. */
export function random(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Sample of frame i in channel c: exact in float32, another one in every channel and for 2^22 frames. */
export const sample = (i, c) => (i & 0x3fffff) * (c % 2 ? -1 : 1) + (c > 1 ? 0.5 : 0);

/**
 * One side of the traffic that the job asks for.
 * @param {object} lib our code, under test
 * @param {import("./peer.ts").Job} job
 * @returns {Promise<import("./peer.ts").Report>}
 */
export async function run(lib, job) {
  switch (job.kind) {
    case "produce": return produce(lib.Ring.attach(job.buffer), job);
    case "consume": return consume(lib.Ring.attach(job.buffer), job);
    case "write": return write(lib.openWriter(job.endpoint, { maxFrames: job.maxChunk, live: job.lossy ?? false }), job);
    default: return read(lib.openReader(job.endpoint, { blockFrames: job.blockFrames }), job);
  }
}

const report = () => ({ faults: [], frames: 0, lost: 0, gaps: [], wakes: 0 });
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Holds the thread for a random moment, or gives it to others: other interleavings each time. */
async function dawdle(next) {
  const r = next();
  if (r < 0.3) await turn();
  else if (r < 0.6) for (let i = (next() * 3000) | 0; i > 0; i--) Math.sqrt(i);
}

async function produce(ring, { seed, frames, maxChunk, lossy }) {
  const next = random(seed);
  const result = report();
  const planes = Array.from({ length: ring.channels }, () => new Float32Array(maxChunk));
  const packed = new Float32Array(maxChunk * ring.channels);
  for (let i = 0; i < frames; ) {
    let n = Math.min(frames - i, 1 + ((next() * maxChunk) | 0));
    if (lossy) {
      for (let c = 0; c < ring.channels; c++) for (let k = 0; k < n; k++) planes[c][k] = sample(i + k, c);
      const lost = n - ring.push(planes, n);
      result.lost += lost;
      if (next() < 0.02) await turn();
      if (lost > 0 && next() < 0.3) while (ring.filled() > 0) await turn(); // a gap has an end
    } else {
      for (let c = 0; c < ring.channels; c++) for (let k = 0; k < n; k++) packed[c * n + k] = sample(i + k, c);
      n = ring.pushFrom(packed, n, ring.channels, false);
      if (n === 0) await turn();
    }
    i += n;
    result.frames = i;
  }
  ring.end();
  return result;
}

async function consume(ring, { seed, maxChunk }) {
  const next = random(seed ^ 0x5bd1e995);
  const result = report();
  const planes = Array.from({ length: ring.channels }, () => new Float32Array(maxChunk + 2).fill(7.25));
  const packed = new Float32Array(maxChunk * ring.channels);
  let i = 0; // frame that must come next
  for (;;) {
    const ended = ring.ended;
    const n = Math.min(ring.ready(), 1 + ((next() * maxChunk) | 0));
    if (ring.lost) {
      result.gaps.push([result.frames, ring.lost]);
      result.lost += ring.lost;
      i += ring.lost;
      ring.lost = 0;
    }
    if (n === 0) {
      if (ended) break;
      await turn();
      continue;
    }
    if (next() < 0.5) {
      ring.read(planes, 1, n);
      for (let c = 0; c < ring.channels; c++) {
        for (let k = 0; k < n; k++) check(result, planes[c][1 + k], i + k, c);
        if (planes[c][0] !== 7.25 || planes[c][maxChunk + 1] !== 7.25) result.faults.push(`canary of plane ${c}`);
      }
    } else {
      ring.readInto(packed, n);
      for (let c = 0; c < ring.channels; c++) for (let k = 0; k < n; k++) check(result, packed[c * n + k], i + k, c);
    }
    i += n;
    result.frames += n;
  }
  return result;
}

async function write(writer, { seed, frames, maxChunk, lossy }) {
  const next = random(seed);
  const result = report();
  for (let i = 0; i < frames; ) {
    const n = Math.min(frames - i, 1 + ((next() * maxChunk) | 0));
    if (!lossy && writer.room() < n) {
      await new Promise((resolve) => writer.arm(resolve, n));
      result.wakes++;
      if (writer.room() < n) result.faults.push(`woken with room for ${writer.room()} of ${n}`);
    }
    for (let c = 0; c < writer.channels; c++) for (let k = 0; k < n; k++) writer.staging[c * n + k] = sample(i + k, c);
    const taken = writer.put(n);
    if (taken !== n) result.faults.push(`took ${taken} of ${n}`);
    i += n;
    result.frames = i;
    await dawdle(next);
    if (lossy && writer.room() === 0 && next() < 0.3) await new Promise((resolve) => writer.arm(resolve, 1)); // a gap has an end
  }
  writer.end();
  const { capacity, overrun } = writer.counters();
  result.lost = overrun;
  await new Promise((resolve) => writer.arm(resolve, capacity)); // all was read
  writer.close();
  return result;
}

async function read(reader, { seed }) {
  const next = random(seed ^ 0x5bd1e995);
  const result = report();
  let i = 0;
  for (;;) {
    const taken = reader.take();
    const n = taken < 0 ? taken : taken & ~LOST;
    if (n === 0) {
      await new Promise((resolve) => reader.arm(resolve));
      result.wakes++;
      continue;
    }
    if (reader.lost) {
      result.gaps.push([result.frames, reader.lost]);
      result.lost += reader.lost;
      i += reader.lost;
    }
    if (n < 0) break;
    for (let c = 0; c < reader.channels; c++) for (let k = 0; k < n; k++) check(result, reader.staging[c * n + k], i + k, c);
    i += n;
    result.frames += n;
    await dawdle(next);
  }
  const { written, read: taken, overrun } = reader.counters();
  if (written !== taken) result.faults.push(`${written} written, ${taken} read`);
  if (overrun !== result.lost) result.faults.push(`${overrun} overrun, ${result.lost} told`);
  reader.close();
  return result;
}

function check(result, got, i, c) {
  if (got !== sample(i, c) && result.faults.length < 5) result.faults.push(`frame ${i} channel ${c}: ${got}`);
}
