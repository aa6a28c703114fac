import type { Level } from "../pipeline/results.ts";
import { placeOf, type Domain } from "../timeline/scale.ts";
import { decibelText } from "../figures.ts";

const FLOOR_DB = -60;
const POINTS = 600; // more than there are pixels to see them

/** Level over time: the area is RMS, the line above it the peaks. */
export function LevelLane({ levels, domain }: { levels: readonly Level[]; domain: Domain }) {
  const seen = levels.filter(({ us }) => us >= domain.startUs && us <= domain.endUs);
  const every = Math.max(1, Math.ceil(seen.length / POINTS));
  const points = seen.filter((_, index) => index % every === 0);
  const x = (us: number) => (placeOf(us, domain) * 1000).toFixed(1);
  const y = (db: number) => (100 - (Math.max(0, Math.min(60, db - FLOOR_DB)) / 60) * 100).toFixed(1);
  const rms = points.map(({ us, rmsDb }) => `${x(us)} ${y(rmsDb)}`).join("L");
  const peaks = points.map(({ us, peakDb }) => `${x(us)} ${y(peakDb)}`).join("L");
  const [first, last] = [points[0], points.at(-1)];
  const newest = levels.at(-1);
  return (
    <div className="flex min-h-20 flex-1 flex-col gap-1">
      <dl className="flex justify-end gap-4 text-xs tabular-nums [&>div]:flex [&>div]:gap-1.5 [&_dd]:w-10 [&_dd]:text-right [&_dt]:text-soft">
        <div>
          <dt>RMS dBFS</dt>
          <dd>{decibelText(newest ? newest.rmsDb : null)}</dd>
        </div>
        <div>
          <dt>Peak dBFS</dt>
          <dd>{decibelText(newest ? newest.peakDb : null)}</dd>
        </div>
        <div>
          <dt>LUFS</dt>
          <dd>{decibelText(newest?.lufs ?? null)}</dd>
        </div>
      </dl>
      <svg role="img" aria-label="Level over time, from −60 to 0 dBFS" viewBox="0 0 1000 100" preserveAspectRatio="none" className="min-h-0 w-full flex-1 rounded-lg bg-sunk">
        {[25, 50, 75].map((line) => (
          <line key={line} x1={0} x2={1000} y1={line} y2={line} className="stroke-line" vectorEffect="non-scaling-stroke" />
        ))}
        {first && last && <path d={`M${x(first.us)} 100L${rms}L${x(last.us)} 100Z`} className="fill-out/35" />}
        {first && <path d={`M${peaks}`} className="fill-none stroke-out" strokeWidth={1.5} vectorEffect="non-scaling-stroke" />}
      </svg>
    </div>
  );
}
