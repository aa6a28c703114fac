import { useEffect, useRef } from "react";
import { onCanvasChange } from "../draw/canvas.ts";
import { coloursOf } from "../draw/colours.ts";
import type { Picture } from "../draw/picture.ts";
import { inputTrace } from "../draw/trace.ts";
import { drawPeaks, picturePeaks } from "../draw/waveform.ts";
import type { Domain } from "../timeline/scale.ts";

interface Props {
  domain: Domain;
  picture: Picture | null;
  /** From what was seen of the input so far. */
  live: boolean;
  /** Until when the input was seen, µs: another value draws again. */
  untilUs: number;
}

/** The input, behind what was found in it. */
export function TimelineWave({ domain, picture, live, untilUs }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const redraw = useRef(() => {});
  redraw.current = () => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    const { width, height } = canvas.current;
    context.clearRect(0, 0, width, height);
    context.globalAlpha = 0.75;
    const { wave } = coloursOf(canvas.current, "in");
    if (live) {
      const columns = inputTrace.columns(domain.startUs, domain.endUs, width);
      drawPeaks(context, wave, 0, width, (x) => (columns[2 * x] || columns[2 * x + 1] ? [columns[2 * x] as number, columns[2 * x + 1] as number] : null));
    } else if (picture) {
      drawPeaks(context, wave, 0, width, picturePeaks(picture, domain.startUs, domain.endUs, width));
    }
    context.globalAlpha = 1;
  };
  useEffect(() => (canvas.current ? onCanvasChange(canvas.current, () => redraw.current()) : undefined), []);
  useEffect(() => redraw.current(), [domain.startUs, domain.endUs, picture, live, untilUs]);
  return <canvas ref={canvas} aria-hidden className="absolute inset-0 size-full" />;
}
