import type { Phase } from "@remotemedia/web";
import { useStore } from "../store.ts";

const PHASES: Record<Phase, string> = {
  download: "Download",
  python: "Python",
  packages: "Packages",
  pipeline: "Pipeline",
  ready: "Ready",
};

const mega = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Of the boot; stays afterwards, with what it took. */
export function ProgressBar() {
  const progress = useStore((state) => state.progress);
  const loadedBytes = useStore((state) => state.loadedBytes);
  const bootMs = useStore((state) => state.bootMs);
  const loading = useStore((state) => state.stage === "loading");
  const ready = progress?.phase === "ready";
  const percent = Math.round((progress?.fraction ?? 0) * 100);
  const bytes = progress && loadedBytes > 0 ? (!ready && progress.totalBytes > loadedBytes ? `${mega(loadedBytes)} of ${mega(progress.totalBytes)}` : mega(loadedBytes)) : "";
  const time = ready && bootMs !== null ? `in ${(bootMs / 1000).toFixed(1)} s` : "";
  return (
    <div data-testid="progress" data-phase={progress?.phase ?? ""} className="min-w-0 flex-1">
      <div className="flex justify-between gap-3 text-xs text-soft tabular-nums">
        <span className="truncate">{progress ? (ready ? "Python is ready" : `${PHASES[progress.phase]}: ${progress.message}`) : loading ? "Starting" : "Python starts when it is needed"}</span>
        <span className="shrink-0">{[bytes, time].filter(Boolean).join(" ")}</span>
      </div>
      <div
        role="progressbar"
        aria-label="Loading Python"
        aria-valuenow={percent}
        aria-valuetext={progress ? `${PHASES[progress.phase]}, ${percent} percent` : "not begun"}
        className="mt-1.5 h-1 overflow-hidden rounded-full bg-sunk"
      >
        <div className="h-full origin-left rounded-full bg-accent transition-[width] duration-200" style={{ width: `${percent}%` }} />
      </div>
    </div>
  );
}
