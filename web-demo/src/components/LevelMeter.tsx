import { useEffect, useRef } from "react";
import { decibelText } from "../figures.ts";

const FLOOR_DB = -60;
const TELL_MS = 250; // a screen reader and the figure need no more
const FALL_DB_PER_S = 40;

/** The level of a signal that is running, dBFS: it rises at once and falls slowly. */
export function LevelMeter({ tap, label }: { tap: AnalyserNode | null; label: string }) {
  const meter = useRef<HTMLDivElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const figure = useRef<HTMLSpanElement>(null);

  useEffect(() => {
    const show = (db: number | null) => {
      if (figure.current) figure.current.textContent = db === null || db <= FLOOR_DB ? "–" : `${decibelText(db)} dBFS`;
      meter.current?.setAttribute("aria-valuenow", String(Math.round(Math.max(FLOOR_DB, db ?? FLOOR_DB))));
    };
    const draw = (db: number) => {
      if (bar.current) bar.current.style.transform = `scaleX(${Math.max(0, Math.min(1, 1 - db / FLOOR_DB))})`;
    };
    draw(FLOOR_DB);
    show(null);
    if (!tap) return;
    const samples = new Float32Array(tap.fftSize);
    let level = FLOOR_DB;
    let last = performance.now();
    let told = 0;
    let frame = requestAnimationFrame(function look(now) {
      frame = requestAnimationFrame(look);
      tap.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      level = Math.max(10 * Math.log10(power + 1e-12), level - ((now - last) / 1000) * FALL_DB_PER_S);
      last = now;
      draw(level);
      if (now - told < TELL_MS) return;
      told = now;
      show(level);
    });
    return () => cancelAnimationFrame(frame);
  }, [tap]);

  return (
    <div className="flex items-center gap-3">
      <div
        ref={meter}
        role="meter"
        aria-label={label}
        aria-valuemin={FLOOR_DB}
        aria-valuemax={0}
        aria-valuenow={FLOOR_DB}
        data-testid="level-meter"
        className="h-2.5 min-w-0 flex-1 overflow-hidden rounded-full bg-sunk"
      >
        <div ref={bar} className="h-full origin-left rounded-full bg-in" style={{ transform: "scaleX(0)" }} />
      </div>
      <span ref={figure} aria-hidden className="w-20 text-right text-xs text-soft tabular-nums" />
    </div>
  );
}
