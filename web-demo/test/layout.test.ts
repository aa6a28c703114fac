import type { GraphInfo } from "@remotemedia/web";
import { describe, expect, it } from "vitest";
import { shortCaps } from "../src/graph/caps.ts";
import { ENTRY, layersOf, layoutGraph, outletId, type Sizes } from "../src/graph/layout.ts";

const SIZES: Sizes = { node: { width: 100, height: 50 }, terminal: { width: 40, height: 20 }, layerGap: 30, gap: 10 };

function graph(edges: [string, string][], ids: string[], outlets: string[]): GraphInfo {
  return {
    name: "",
    description: "",
    nodes: ids.map((id) => ({ id, nodeType: "PassThrough", summary: "", params: {}, inputs: { in: "any" }, outputs: { out: "json" }, isOutput: false })),
    edges: edges.map(([from, to]) => ({ from: `${from}:out`, to: `${to}:in`, caps: "any" })),
    entries: [`${ids[0]}:in`],
    outlets,
    mermaid: "",
    warnings: [],
  };
}

describe("layers", () => {
  it("are the longest paths", () => {
    const layers = layersOf(["a", "b", "c"], [{ from: "a", to: "c" }, { from: "a", to: "b" }, { from: "b", to: "c" }]);
    expect(Object.fromEntries(layers)).toEqual({ a: 0, b: 1, c: 2 });
  });

  it("end, even in a cycle", () => {
    expect(layersOf(["a", "b"], [{ from: "a", to: "b" }, { from: "b", to: "a" }]).size).toBe(2);
  });
});

describe("layout", () => {
  const diamond = graph([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]], ["a", "b", "c", "d"], ["d:out"]);

  it("puts every edge forwards, and nothing onto another", () => {
    for (const direction of ["right", "down"] as const) {
      const { boxes, lines, width, height } = layoutGraph(diamond, direction, SIZES);
      expect(boxes.map(({ id }) => id).sort()).toEqual(["a", "b", "c", "d", ENTRY, outletId("d:out")].sort());
      for (const { points } of lines) expect(direction === "right" ? points[6] - points[0] : points[7] - points[1]).toBe(30);
      boxes.forEach((one, index) => {
        expect(one.x >= 0 && one.y >= 0 && one.x + one.width <= width && one.y + one.height <= height).toBe(true);
        for (const other of boxes.slice(index + 1)) {
          const apart = one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y;
          expect(apart, `${one.id} and ${other.id}`).toBe(true);
        }
      });
    }
  });

  it("takes a graph without nodes", () => {
    expect(layoutGraph({ ...diamond, nodes: [], edges: [], entries: [], outlets: [] }, "right", SIZES)).toEqual({ width: 0, height: 0, boxes: [], lines: [] });
  });
});

describe("short caps", () => {
  it.each([
    ["audio(sample_rate=16000, channels=1, format=F32)", "16 kHz · mono · F32"],
    ["audio(sample_rate=8000..192000, channels=2, format={F32, I16})", "8–192 kHz · stereo · {F32, I16}"],
    ["audio(sample_rate={44100, 48000}, channels=6)", "{44100, 48000} · 6 ch"],
    ["json", "json"],
    ["something | else", "something | else"],
  ])("%s", (caps, short) => expect(shortCaps(caps)).toBe(short));
});
