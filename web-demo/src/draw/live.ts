// A signal that is running: waveform and spectrogram scroll to the left, drawn from an AnalyserNode.
import { coloursOf, type Colours, type Lane } from "./colours.ts";
import { rowEdges, ROWS, shadeColumn } from "./picture.ts";
import { ShadePainter } from "./spectrogram.ts";
import { drawPeaks } from "./waveform.ts";

const PIXELS_PER_SECOND = 60;
const CALM_MS = 500; // between pictures where the user wants less motion

export type OnPeak = (low: number, high: number) => void;

/** Runs until the function that it returns is called. */
export function runLive(
  tap: AnalyserNode,
  lane: Lane,
  waveform: HTMLCanvasElement,
  spectrogram: HTMLCanvasElement,
  onPeak: OnPeak = () => {},
): () => void {
  const samples = new Float32Array(tap.fftSize);
  const decibels = new Float32Array(tap.frequencyBinCount);
  const edges = rowEdges(tap.frequencyBinCount, tap.context.sampleRate);
  const shades = new Uint8Array(ROWS);
  const painter = new ShadePainter(1);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const theme = matchMedia("(prefers-color-scheme: dark)");
  let colours: Colours = coloursOf(waveform, lane);
  const wave = waveform.getContext("2d") as CanvasRenderingContext2D;
  const heat = spectrogram.getContext("2d") as CanvasRenderingContext2D;
  let last = performance.now();
  let rest = 0;
  let frame = 0;

  const clear = () => {
    wave.clearRect(0, 0, waveform.width, waveform.height);
    heat.clearRect(0, 0, spectrogram.width, spectrogram.height);
  };
  const recolour = () => {
    colours = coloursOf(waveform, lane);
    clear(); // what was drawn has the colours of the other theme
  };
  theme.addEventListener("change", recolour);

  const scroll = (context: CanvasRenderingContext2D, pixels: number) => {
    const { canvas } = context;
    context.globalCompositeOperation = "copy";
    context.drawImage(canvas, -pixels, 0);
    context.globalCompositeOperation = "source-over";
  };

  const draw = (now: number) => {
    frame = requestAnimationFrame(draw);
    if (calm.matches && now - last < CALM_MS) return;
    const scale = waveform.width / Math.max(1, waveform.clientWidth);
    rest += ((now - last) / 1000) * PIXELS_PER_SECOND * scale;
    const seconds = (now - last) / 1000;
    last = now;
    const pixels = Math.min(waveform.width, Math.floor(rest));
    if (pixels < 1) return;
    rest -= Math.floor(rest);
    tap.getFloatTimeDomainData(samples);
    tap.getFloatFrequencyData(decibels);
    const newest = samples.subarray(-Math.max(64, Math.min(samples.length, Math.round(seconds * tap.context.sampleRate))));
    let low = 0;
    let high = 0;
    for (const sample of newest) {
      if (sample < low) low = sample;
      if (sample > high) high = sample;
    }
    onPeak(low, high);
    scroll(wave, pixels);
    drawPeaks(wave, colours.wave, waveform.width - pixels, waveform.width, () => [low, high]);
    shadeColumn(decibels, edges, shades, 0);
    scroll(heat, pixels);
    painter.paint(heat, shades, colours.ramp, spectrogram.width - pixels, pixels);
  };
  clear();
  frame = requestAnimationFrame(draw);
  return () => {
    cancelAnimationFrame(frame);
    theme.removeEventListener("change", recolour);
  };
}
