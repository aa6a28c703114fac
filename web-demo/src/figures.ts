// Numbers for people.

/** Steps of the clock that Python measures by, µs: browsers make it coarse, more so without isolation. */
const CLOCK_US = globalThis.crossOriginIsolated ? 5 : 100;

/** A measured duration given in µs, in the unit that suits it. */
export function microText(us: number): string {
  if (us === 0) return `< ${CLOCK_US} µs`;
  if (us < 999.5) return `${us < 9.95 ? us.toFixed(1) : us.toFixed(0)} µs`;
  return us < 999_500 ? `${(us / 1e3).toFixed(us < 9_995 ? 1 : 0)} ms` : `${(us / 1e6).toFixed(1)} s`;
}

/** Seconds with two digits, of µs. */
export const secondsText = (us: number): string => `${(us / 1e6).toFixed(2)} s`;

export const decibelText = (value: number | null): string => (value === null ? "–" : value.toFixed(1).replace("-", "−"));

export const countText = (value: number): string => value.toLocaleString("en");
