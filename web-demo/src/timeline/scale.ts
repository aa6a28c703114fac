// Media time ↔ place on the time line, and where its ticks are.

export interface Domain {
  startUs: number;
  endUs: number;
}

const STEPS = [1, 2, 5, 10, 20, 30]; // of a decade of seconds, then of minutes
const SECOND = 1_000_000;

/** Share of the width, 0 to 1; beyond it for times outside. */
export function placeOf(us: number, { startUs, endUs }: Domain): number {
  return endUs > startUs ? (us - startUs) / (endUs - startUs) : 0;
}

/** What is shown: all, or the newest part of a live stream. Never shorter than `leastUs`. */
export function domainOf(lastUs: number, windowUs: number | null, leastUs = 5 * SECOND): Domain {
  if (windowUs === null) return { startUs: 0, endUs: Math.max(leastUs, lastUs) };
  const endUs = Math.max(windowUs, lastUs);
  return { startUs: endUs - windowUs, endUs };
}

/** Round times, not more than `most` of them. */
export function ticksOf({ startUs, endUs }: Domain, most: number): number[] {
  const least = (endUs - startUs) / Math.max(1, most);
  const step = stepOf(least);
  const ticks: number[] = [];
  for (let us = Math.ceil(startUs / step) * step; us <= endUs; us += step) ticks.push(us);
  return ticks;
}

function stepOf(leastUs: number): number {
  for (const unit of [SECOND / 100, SECOND / 10, SECOND, 60 * SECOND]) {
    for (const factor of unit < SECOND ? [1, 2, 5] : STEPS) if (factor * unit >= leastUs) return factor * unit;
  }
  return Math.ceil(leastUs / (3600 * SECOND)) * 3600 * SECOND;
}

/** `0:07`, `1:23:45`; with tenths or hundredths where ticks are that near. */
export function clockText(us: number, digits = 0): string {
  const total = Math.max(0, us) / SECOND;
  const rounded = Number(total.toFixed(digits));
  const hours = Math.floor(rounded / 3600);
  const minutes = Math.floor((rounded % 3600) / 60);
  const seconds = (rounded % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}
