import { useEffect, useRef } from "react";
import { onCanvasChange } from "../draw/canvas.ts";
import { coloursOf, type Lane } from "../draw/colours.ts";
import { runLive, type OnPeak } from "../draw/live.ts";
import type { Picture } from "../draw/picture.ts";
import { drawSpectrogram } from "../draw/spectrogram.ts";
import { drawPeaks, picturePeaks } from "../draw/waveform.ts";
import { clockText } from "../timeline/scale.ts";

interface Props {
  lane: Lane;
  label: string;
  /** A signal that is running; it goes before the picture. */
  tap: AnalyserNode | null;
  picture: Picture | null;
  nothing: string;
  onPeak?: OnPeak;
}

/** Waveform above, spectrogram below: of a running signal, or of a whole recording. */
export function Scope({ lane, label, tap, picture, nothing, onPeak }: Props) {
  const waveform = useRef<HTMLCanvasElement>(null);
  const spectrogram = useRef<HTMLCanvasElement>(null);
  const report = useRef(onPeak);
  report.current = onPeak;

  useEffect(() => {
    const [wave, heat] = [waveform.current, spectrogram.current];
    if (!wave || !heat) return;
    if (tap) {
      const stop = runLive(tap, lane, wave, heat, (low, high) => report.current?.(low, high));
      const ends = [onCanvasChange(wave, () => {}), onCanvasChange(heat, () => {}), stop];
      return () => ends.forEach((end) => end());
    }
    const draw = () => {
      const [flat, deep] = [wave.getContext("2d"), heat.getContext("2d")];
      if (!flat || !deep) return;
      flat.clearRect(0, 0, wave.width, wave.height);
      deep.clearRect(0, 0, heat.width, heat.height);
      if (!picture) return;
      const { wave: colour, ramp } = coloursOf(wave, lane);
      drawPeaks(flat, colour, 0, wave.width, picturePeaks(picture, 0, picture.durationUs, wave.width));
      drawSpectrogram(deep, picture, ramp);
    };
    const ends = [onCanvasChange(wave, draw), onCanvasChange(heat, draw)];
    return () => ends.forEach((end) => end());
  }, [tap, picture, lane]);

  const what = tap ? "live signal" : picture ? `${clockText(picture.durationUs, 1)} of audio` : "nothing yet";
  return (
    <figure className="relative m-0" data-testid={`scope-${lane}`}>
      <canvas ref={waveform} role="img" aria-label={`${label}, waveform: ${what}`} className="block h-20 w-full rounded-t-lg bg-sunk" />
      <canvas ref={spectrogram} role="img" aria-label={`${label}, spectrogram up to 8 kHz: ${what}`} className="mt-px block h-28 w-full rounded-b-lg bg-sunk" />
      {!tap && !picture && <figcaption className="absolute inset-0 grid place-items-center px-6 text-center text-sm text-soft">{nothing}</figcaption>}
      {(tap || picture) && (
        <span aria-hidden className="absolute right-1.5 bottom-1.5 rounded bg-card/80 px-1.5 text-[10px] text-soft">
          0–8 kHz
        </span>
      )}
    </figure>
  );
}
