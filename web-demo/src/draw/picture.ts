// A whole recording as numbers to draw: peaks and a spectrogram, per column.
import { Spectrum } from "./fft.ts";

export const ROWS = 96; // of a spectrogram
export const COLUMNS = 1200;
const FFT_SIZE = 1024;
const RATE = 16_000; // Hz: what is drawn ends at half of it
const MAX_BYTES = 96 * 1024 * 1024; // a longer file is run, not drawn
const FLOOR_DB = -95;
const TOP_DB = -25;

export interface Picture {
  durationUs: number;
  columns: number;
  /** Lowest and highest sample of each column, alternating. */
  peaks: Float32Array;
  /** `ROWS` per column, low frequencies first, 0 to 255. */
  shades: Uint8Array;
}

/** 0 to 255 for a level of one bin. */
export function shadeOf(decibels: number): number {
  return Math.max(0, Math.min(255, ((decibels - FLOOR_DB) * 255) / (TOP_DB - FLOOR_DB)));
}

/** Bin where each row begins (and the last ends): even steps of pitch as ears hear it (mel) up to `topHz`. */
export function rowEdges(binCount: number, sampleRate: number, topHz = 8_000): Float32Array {
  const mel = (hz: number) => Math.log1p(hz / 700);
  const hz = (value: number) => 700 * Math.expm1(value);
  const top = mel(Math.min(topHz, sampleRate / 2));
  return Float32Array.from({ length: ROWS + 1 }, (_, row) => (hz((top * row) / ROWS) * 2 * binCount) / sampleRate);
}

/** Shades of one column: the greatest bin within each row, or between two bins where rows are finer. */
export function shadeColumn(decibels: Float32Array, edges: Float32Array, out: Uint8Array | Uint8ClampedArray, offset: number): void {
  for (let row = 0; row < ROWS; row += 1) {
    const first = edges[row] as number;
    const last = edges[row + 1] as number;
    let level: number;
    if (last - first < 1) {
      const below = Math.floor(first);
      const share = first - below;
      level = (decibels[below] ?? FLOOR_DB) * (1 - share) + (decibels[below + 1] ?? FLOOR_DB) * share;
    } else {
      level = -Infinity;
      for (let bin = Math.floor(first); bin < last; bin += 1) level = Math.max(level, decibels[bin] ?? FLOOR_DB);
    }
    out[offset + row] = shadeOf(level);
  }
}

/** Null where the browser cannot decode it, or it is too long. */
export async function pictureOf(blob: Blob): Promise<Picture | null> {
  if (blob.size === 0 || blob.size > MAX_BYTES) return null;
  try {
    const decoder = new OfflineAudioContext(1, 1, RATE);
    const buffer = await decoder.decodeAudioData(await blob.arrayBuffer());
    return drawn(buffer.getChannelData(0), buffer.sampleRate);
  } catch {
    return null; // the pipeline says what is wrong with it
  }
}

export function drawn(samples: Float32Array, sampleRate: number): Picture {
  const columns = Math.max(1, Math.min(COLUMNS, Math.ceil(samples.length / 64)));
  const peaks = new Float32Array(2 * columns);
  const shades = new Uint8Array(ROWS * columns);
  const spectrum = new Spectrum(FFT_SIZE);
  const decibels = new Float32Array(FFT_SIZE / 2);
  const edges = rowEdges(decibels.length, sampleRate);
  for (let column = 0; column < columns; column += 1) {
    const first = Math.floor((column * samples.length) / columns);
    const last = Math.floor(((column + 1) * samples.length) / columns);
    let low = 0;
    let high = 0;
    for (let i = first; i < last; i += 1) {
      const sample = samples[i] as number;
      if (sample < low) low = sample;
      if (sample > high) high = sample;
    }
    peaks[2 * column] = low;
    peaks[2 * column + 1] = high;
    spectrum.decibels(samples, Math.floor((first + last - FFT_SIZE) / 2), decibels);
    shadeColumn(decibels, edges, shades, column * ROWS);
  }
  return { durationUs: (samples.length / sampleRate) * 1e6, columns, peaks, shades };
}
