// Waveforms: of a whole picture, or one column after the other.
import type { Picture } from "./picture.ts";

/** Draws columns of peaks: `peakOf(x)` gives lowest and highest sample of a column of pixels, or null. */
export function drawPeaks(
  context: CanvasRenderingContext2D,
  colour: string,
  from: number,
  to: number,
  peakOf: (x: number) => readonly [number, number] | null,
): void {
  const { height } = context.canvas;
  const middle = height / 2;
  context.fillStyle = colour;
  for (let x = from; x < to; x += 1) {
    const peak = peakOf(x);
    if (!peak) continue;
    const top = middle - lifted(peak[1]) * middle;
    const bottom = middle - lifted(peak[0]) * middle;
    context.fillRect(x, top, 1, Math.max(1, bottom - top));
  }
}

/** Quiet sound is seen, too: the square root, which is between linear and decibels. */
function lifted(sample: number): number {
  return Math.sign(sample) * Math.sqrt(Math.min(1, Math.abs(sample))) * 0.96;
}

/** Peaks of a picture between two media times, for `width` pixels. */
export function picturePeaks(picture: Picture, startUs: number, endUs: number, width: number) {
  const perUs = picture.columns / picture.durationUs;
  return (x: number): readonly [number, number] | null => {
    const first = Math.floor((startUs + ((endUs - startUs) * x) / width) * perUs);
    const last = Math.max(first + 1, Math.floor((startUs + ((endUs - startUs) * (x + 1)) / width) * perUs));
    if (first < 0 || first >= picture.columns) return null;
    let low = 0;
    let high = 0;
    for (let column = first; column < last && column < picture.columns; column += 1) {
      low = Math.min(low, picture.peaks[2 * column] as number);
      high = Math.max(high, picture.peaks[2 * column + 1] as number);
    }
    return [low, high];
  };
}
