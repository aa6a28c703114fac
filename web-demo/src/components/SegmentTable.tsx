import { decibelText, secondsText } from "../figures.ts";
import { numberOf, type Segment } from "../pipeline/results.ts";
import { Button } from "./controls.tsx";

const MOST_ROWS = 200; // the newest; all of them are in the download

interface Props {
  segments: readonly Segment[];
  chosen: string | null;
  onChoose: (key: string | null) => void;
}

export function SegmentTable({ segments, chosen, onChoose }: Props) {
  if (segments.length === 0) return null;
  const first = Math.max(0, segments.length - MOST_ROWS);
  return (
    <div role="region" aria-label="Segments" tabIndex={0} className="min-h-0 flex-1 overflow-auto rounded-lg border border-line">
      <table className="w-full text-right text-xs whitespace-nowrap tabular-nums">
        <thead className="sticky top-0 bg-card text-soft [&_th]:px-2 sm:[&_th]:px-3 [&_th]:py-2 [&_th]:font-medium">
          <tr>
            <th scope="col">#</th>
            <th scope="col">Start</th>
            <th scope="col">End</th>
            {/* On a phone these are in the details. */}
            <th scope="col" className="max-sm:hidden">
              Duration
            </th>
            <th scope="col">LUFS</th>
            <th scope="col">Peak dBFS</th>
            <th scope="col" className="max-sm:hidden">
              SNR dB
            </th>
          </tr>
        </thead>
        <tbody>
          {segments.slice(first).map((segment, index) => (
            <tr
              key={segment.key}
              onClick={() => onChoose(chosen === segment.key ? null : segment.key)}
              className={`cursor-pointer border-t border-line [&_td]:px-2 sm:[&_td]:px-3 [&_td]:py-1.5 ${chosen === segment.key ? "bg-out/20" : "hover:bg-sunk"}`}
            >
              <td className="text-soft">{first + index + 1}</td>
              <td>{secondsText(segment.startUs)}</td>
              <td>{segment.endUs === null ? "…" : secondsText(segment.endUs)}</td>
              <td className="max-sm:hidden">{segment.endUs === null ? "…" : secondsText(segment.endUs - segment.startUs)}</td>
              <td>{decibelText(numberOf(segment, "integrated_lufs"))}</td>
              <td>{decibelText(numberOf(segment, "peak_dbfs"))}</td>
              <td className="max-sm:hidden">{decibelText(numberOf(segment, "snr_db"))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const rounded = (_name: string, value: unknown) => (typeof value === "number" ? Math.round(value * 1000) / 1000 : value);

/** All that nodes told of one segment. */
export function SegmentDetails({ segment, onClose }: { segment: Segment | null; onClose: () => void }) {
  if (!segment) return null;
  return (
    <section
      aria-label="Segment"
      aria-live="polite"
      data-testid="segment-details"
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
      className="mt-3 rounded-lg bg-sunk p-3 text-xs"
    >
      <div className="flex items-center justify-between">
        <h3 className="text-sm font-semibold">
          {secondsText(segment.startUs)} to {segment.endUs === null ? "now" : secondsText(segment.endUs)}
        </h3>
        <Button size="small" onClick={onClose}>
          Close
        </Button>
      </div>
      <div className="mt-2 grid gap-4 sm:grid-cols-2">
        {Object.entries(segment.told).map(([from, value]) => (
          <div key={from}>
            <h4 className="font-mono text-soft">{from}</h4>
            <dl className="mt-1 grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 tabular-nums">
              {Object.entries(value).map(([name, field]) => (
                <div key={name} className="contents">
                  <dt className="text-soft">{name}</dt>
                  <dd className="truncate text-right">{JSON.stringify(field, rounded)}</dd>
                </div>
              ))}
            </dl>
          </div>
        ))}
      </div>
    </section>
  );
}
