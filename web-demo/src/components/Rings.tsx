import type { RingMetrics } from "@remotemedia/web";
import { countText } from "../figures.ts";
import { useStore } from "../store.ts";
import { Card, Nothing } from "./Card.tsx";

export function Rings({ className = "" }: { className?: string }) {
  const rings = useStore((state) => state.metrics?.rings);
  const unread = useStore((state) => state.metrics?.unread ?? 0);
  const restarts = useStore((state) => state.metrics?.restarts ?? 0);
  const aside = [restarts ? `${restarts} restarts` : "", unread ? `${countText(unread)} packets unread` : ""].filter(Boolean).join(", ");
  return (
    <Card className={className} title="Rings of samples" aside={<span className="text-xs text-warn tabular-nums">{aside}</span>}>
      {!rings?.length ? (
        <div className="h-32">
          <Nothing>Between the audio thread and Python; a fast file needs none.</Nothing>
        </div>
      ) : (
        <div className="grid min-h-32 content-start gap-4">
          {rings.map((ring) => (
            <Ring key={ring.id} ring={ring} />
          ))}
        </div>
      )}
    </Card>
  );
}

function Ring({ ring }: { ring: RingMetrics }) {
  const fill = Math.min(100, (ring.filled / Math.max(1, ring.capacity)) * 100);
  const figures: [string, string, boolean][] = [
    ["Latency", `${ring.latencyMs.toFixed(1)} ms`, false],
    ["Underruns", countText(ring.underrun), ring.underrun > 0],
    ["Overruns", countText(ring.overrun), ring.overrun > 0],
    ["Skipped", countText(ring.skipped), ring.skipped > 0],
  ];
  return (
    <section aria-label={ring.kind} data-testid={`ring-${ring.kind}`} data-underrun={ring.underrun} data-overrun={ring.overrun} data-written={ring.written}>
      <div className="flex items-baseline justify-between gap-3 text-xs">
        <h3 className="truncate">
          <span className="text-sm font-medium">{ring.kind.charAt(0).toUpperCase() + ring.kind.slice(1)}</span>
          <span className="ml-2 font-mono text-soft">{ring.at}</span>
        </h3>
        <span className="shrink-0 text-soft tabular-nums">
          {countText(ring.filled)} of {countText(ring.capacity)}, {ring.sampleRate / 1000} kHz
        </span>
      </div>
      <div role="meter" aria-label="Fill" aria-valuenow={Math.round(fill)} aria-valuemin={0} aria-valuemax={100} className="mt-1.5 h-1.5 overflow-hidden rounded-full bg-sunk">
        <div className={`h-full rounded-full ${ring.kind === "speaker" ? "bg-out" : "bg-in"}`} style={{ width: `${fill}%` }} />
      </div>
      <dl className="mt-2 grid grid-cols-4 gap-2 text-xs tabular-nums">
        {figures.map(([name, value, bad]) => (
          <div key={name}>
            <dt className="text-[11px] text-soft">{name}</dt>
            <dd className={bad ? "text-warn" : ""}>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
