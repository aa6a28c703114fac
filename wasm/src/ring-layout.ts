// The header of a ring, and what can be read from it. The table is in docs/design/web.md.

// Words of the header: one cache line (16 words) per writer.
export const MAGIC = 0, CHANNELS = 1, CAPACITY = 2, SAMPLE_RATE = 3;
/** Line 1, the producer's. */
export const WRITE = 16, OVERRUN = 17, GAPS = 18, GAP_AT = 19, GAP_LOST = 21, WRITE_FLAGS = 23, WRITE_CLOCK = 24, WROTE = 25;
/** Line 2, the consumer's. */
export const READ = 32, UNDERRUN = 33, SKIPPED = 34, CLEARED = 35, IDLE = 36, PASSED = 37, LATENCY = 38, READ_FLAGS = 39, READ_CLOCK = 40, TOOK = 41;
/** Lines 3 and 4, of whoever waits or interrupts. */
export const WANT_WRITE = 48, GENERATION = 49, CLEAR_TO = 50, CLEAR_FADE = 51, WANT_READ = 64;
export const LINE = 16;
export const HEADER_WORDS = 80;

export const ENDED = 1, CLOCK_KNOWN = 2;
export const MAGIC_VALUE = 0x524d5231; // "RMR1"

export interface RingFormat {
  channels: number;
  /** Frames; a power of two. */
  capacity: number;
  /** Hz. */
  sampleRate: number;
}

/** In frames, modulo 2^32. */
export interface RingCounters {
  written: number;
  read: number;
  filled: number;
  capacity: number;
  overrun: number;
  underrun: number;
  skipped: number;
  cleared: number;
  /** Frames that the speaker asked for while nothing was due: before the start, after an interrupt, after the end. */
  idle: number;
  /** How full the ring was when the consumer last read. */
  latencyFrames: number;
  /** Frame of the AudioContext's clock when sample 0 was captured, going by the samples behind the last gap; null if no worklet writes. */
  writeClock: number | null;
  /**
   * The same for when sample 0 is played. If a graph loses no sample and delays none, readClock − writeClock − overrun
   * (overrun of the ring that is played) is the time from capture to play, in frames, exactly.
   */
  readClock: number | null;
}


/** A zeroed ring whose counts start at `start`. */
export function allocate(format: RingFormat, shared: boolean, start: number): ArrayBufferLike {
  const { channels, capacity, sampleRate } = format;
  if (!Number.isInteger(channels) || channels < 1 || channels > 64) throw new RangeError(`a ring has 1 to 64 channels, not ${channels}`);
  if (capacity < 2 || capacity > 2 ** 24 || Math.log2(capacity) % 1 !== 0) {
    throw new RangeError(`the capacity of a ring is a power of two up to 2^24 frames, not ${capacity}`);
  }
  const bytes = (HEADER_WORDS + channels * capacity) * 4;
  const buffer = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  const words = new Int32Array(buffer, 0, HEADER_WORDS);
  words.set([MAGIC_VALUE, channels, capacity, sampleRate]);
  for (const word of [WRITE, READ, GAP_AT, GAP_AT + 1, CLEAR_TO, WANT_READ, WANT_WRITE]) words[word] = start;
  return buffer;
}

export function countersOf(words: Int32Array): RingCounters {
  const at = (word: number) => Atomics.load(words, word) >>> 0;
  const clock = (flags: number, word: number) => (at(flags) & CLOCK_KNOWN ? at(word) : null);
  const read = at(READ), written = at(WRITE); // in this order: the consumer does not overtake
  return {
    written, read, filled: (written - read) >>> 0, capacity: at(CAPACITY),
    overrun: at(OVERRUN), underrun: at(UNDERRUN), skipped: at(SKIPPED), cleared: at(CLEARED), idle: at(IDLE),
    latencyFrames: at(LATENCY), writeClock: clock(WRITE_FLAGS, WRITE_CLOCK), readClock: clock(READ_FLAGS, READ_CLOCK),
  };
}
