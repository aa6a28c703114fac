import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { numberOf, lastTimeOf, type Segment } from "../pipeline/results.ts";
import { isRunning, useStore } from "../store.ts";
import { clockText, domainOf, placeOf, ticksOf, type Domain } from "../timeline/scale.ts";
import { useLiveTime } from "../timeline/live.ts";
import { Card, Nothing } from "./Card.tsx";
import { LevelLane } from "./LevelLane.tsx";
import { Notes } from "./Notes.tsx";
import { SegmentDetails, SegmentTable } from "./SegmentTable.tsx";
import { Select } from "./controls.tsx";
import { TimelineWave } from "./TimelineWave.tsx";

const WINDOW_US = 30_000_000;

export function Timeline({ className = "" }: { className?: string }) {
  const results = useStore((state) => state.results);
  const picture = useStore((state) => state.inputPicture);
  const live = useStore((state) => state.input === "microphone");
  const running = useStore((state) => isRunning(state.stage));
  const [view, setView] = useState<"auto" | "all" | "window">("auto");
  const [chosen, setChosen] = useState<string | null>(null);
  const paced = useStore((state) => state.input === "microphone" || state.pace === "realtime");
  const nowUs = useLiveTime(paced && running);
  const { segments, levels, notes } = results;

  const last = Math.max(lastTimeOf(results), live ? nowUs : (picture?.durationUs ?? 0));
  const following = view === "window" || (view === "auto" && live);
  const domain = domainOf(last, following ? WINDOW_US : null);
  const segment = segments.find(({ key }) => key === chosen) ?? null;
  const empty = segments.length === 0 && levels.length === 0;

  return (
    <Card
      className={className}
      title="Time line"
      aside={
        <Select label="Shown" hideLabel className="w-36 [&_select]:h-8 [&_select]:text-xs" value={view} onChange={(event) => setView(event.target.value as typeof view)}>
          <option value="auto">{live ? "Newest 30 s" : "All of it"}</option>
          <option value={live ? "all" : "window"}>{live ? "All of it" : "Newest 30 s"}</option>
        </Select>
      }
    >
      <div className="relative mt-1 h-24 overflow-hidden rounded-lg bg-sunk">
        <TimelineWave domain={domain} picture={live ? null : picture} live={live} untilUs={last} />
        <SegmentMarks segments={segments} domain={domain} endUs={Math.max(lastTimeOf(results), nowUs)} chosen={chosen} onChoose={setChosen} />
        {paced && running && <div aria-hidden className="pointer-events-none absolute inset-y-0 w-px bg-text/70" style={{ left: `${Math.min(99.9, placeOf(nowUs, domain) * 100)}%` }} />}
      </div>
      <Ticks domain={domain} />
      <SegmentDetails segment={segment} onClose={() => setChosen(null)} />
      {/* As high as it ever gets, so that nothing below moves when results come. */}
      <div className="mt-2 flex h-72 flex-col gap-2">
        {levels.length > 0 && <LevelLane levels={levels} domain={domain} />}
        <SegmentTable segments={segments} chosen={chosen} onChoose={setChosen} />
        <Notes notes={notes} />
        {empty && notes.length === 0 && <Nothing>{running ? "Nothing was found yet." : "What the pipeline finds is listed here: segments, levels, text."}</Nothing>}
      </div>
    </Card>
  );
}

interface MarksProps {
  segments: readonly Segment[];
  domain: Domain;
  /** Where a segment is drawn to that goes on. */
  endUs: number;
  chosen: string | null;
  onChoose: (key: string | null) => void;
}

/** One stop for the Tab key; the arrow keys go from segment to segment. */
function SegmentMarks({ segments, domain, endUs, chosen, onChoose }: MarksProps) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(0);
  useEffect(() => setAt((before) => Math.min(before, Math.max(0, segments.length - 1))), [segments.length]);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? segments.length - 1 : step === undefined ? -1 : at + step;
    if (event.key === "Escape") onChoose(null);
    if (to < 0 || to >= segments.length) return;
    event.preventDefault();
    setAt(to);
    box.current?.querySelectorAll<HTMLElement>("button")[to]?.focus();
  };
  return (
    <div ref={box} role="group" aria-label={`${segments.length} segments; arrow keys go along them`} data-testid="segments" onKeyDown={move} className="absolute inset-0">
      {segments.map((segment, index) => {
        const left = placeOf(segment.startUs, domain) * 100;
        const right = placeOf(segment.endUs ?? endUs, domain) * 100;
        const open = segment.endUs === null;
        return (
          <button
            key={segment.key}
            type="button"
            data-testid={open ? "segment-open" : "segment"}
            data-start={segment.startUs}
            data-end={segment.endUs ?? ""}
            tabIndex={index === at ? 0 : -1}
            aria-pressed={chosen === segment.key}
            aria-label={labelOf(segment)}
            title={labelOf(segment)}
            onFocus={() => setAt(index)}
            onClick={() => onChoose(chosen === segment.key ? null : segment.key)}
            className={`absolute top-2 bottom-2 rounded-md border -outline-offset-2 transition-colors ${
              chosen === segment.key ? "z-10 border-out bg-out/45" : open ? "animate-pulse border-dashed border-out bg-out/10" : "border-out/60 bg-out/18 hover:bg-out/35"
            }`}
            style={{ left: `${left}%`, width: `${Math.max(0.15, right - left)}%` }}
          />
        );
      })}
    </div>
  );
}

function labelOf(segment: Segment): string {
  const start = clockText(segment.startUs, 2);
  if (segment.endUs === null) return `From ${start}, going on`;
  const loudness = numberOf(segment, "integrated_lufs");
  const figures = loudness === null ? "" : `, ${loudness.toFixed(1)} LUFS`;
  return `${start} to ${clockText(segment.endUs, 2)}${figures}`;
}

function Ticks({ domain }: { domain: Domain }) {
  const span = domain.endUs - domain.startUs;
  return (
    <div aria-hidden className="relative h-5 overflow-hidden text-[10px] text-soft tabular-nums">
      {ticksOf(domain, 7).map((us) => (
        <span key={us} className="absolute top-0 border-l border-edge/60 pt-1 pl-1" style={{ left: `${placeOf(us, domain) * 100}%` }}>
          {clockText(us, span < 8_000_000 ? 1 : 0)}
        </span>
      ))}
    </div>
  );
}
