import { describe, expect, it } from "vitest";
import { rowEdges, drawn, ROWS, shadeOf } from "../src/draw/picture.ts";
import { clockText, domainOf, placeOf, ticksOf } from "../src/timeline/scale.ts";

const S = 1_000_000;

describe("the time line", () => {
  it("places times", () => {
    expect(placeOf(15 * S, { startUs: 10 * S, endUs: 20 * S })).toBe(0.5);
    expect(placeOf(5, { startUs: 7, endUs: 7 })).toBe(0);
  });

  it("shows all, or the newest", () => {
    expect(domainOf(44 * S, null)).toEqual({ startUs: 0, endUs: 44 * S });
    expect(domainOf(44 * S, 30 * S)).toEqual({ startUs: 14 * S, endUs: 44 * S });
    expect(domainOf(2 * S, 30 * S)).toEqual({ startUs: 0, endUs: 30 * S });
    expect(domainOf(0, null)).toEqual({ startUs: 0, endUs: 5 * S });
  });

  it("has few ticks, at round times", () => {
    expect(ticksOf({ startUs: 0, endUs: 44 * S }, 7)).toEqual([0, 10, 20, 30, 40].map((second) => second * S));
    expect(ticksOf({ startUs: 14 * S, endUs: 44 * S }, 7)).toEqual([15, 20, 25, 30, 35, 40].map((second) => second * S));
    for (const seconds of [0.05, 1, 61, 3_700, 90_000]) expect(ticksOf({ startUs: 0, endUs: seconds * S }, 7).length).toBeLessThanOrEqual(8);
  });

  it("writes times", () => {
    expect([0, 7 * S, 59.999 * S, 83.456 * S, 3_723 * S].map((us) => clockText(us))).toEqual(["0:00", "0:07", "1:00", "1:23", "1:02:03"]);
    expect(clockText(83_456_000, 2)).toBe("1:23.46");
  });
});

describe("the picture of a recording", () => {
  it("has the peaks, and the tone in its row", () => {
    const tone = Float32Array.from({ length: 16_000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 1_000 * i) / 16_000));
    const picture = drawn(tone, 16_000);
    expect(picture.durationUs).toBe(S);
    const middle = Math.floor(picture.columns / 2);
    expect(picture.peaks[2 * middle]).toBeCloseTo(-0.5, 2);
    expect(picture.peaks[2 * middle + 1]).toBeCloseTo(0.5, 2);
    const column = Array.from(picture.shades.slice(middle * ROWS, (middle + 1) * ROWS));
    const edges = rowEdges(512, 16_000);
    const row = column.indexOf(Math.max(...column));
    expect(Math.abs(((edges[row] as number) * 8_000) / 512 - 1_000)).toBeLessThan(60);
    expect(column[ROWS - 1]).toBe(shadeOf(-200));
  });
});
