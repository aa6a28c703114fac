import type { Data, Packet } from "@remotemedia/web";
import { describe, expect, it } from "vitest";
import { lineOf } from "../src/pipeline/packets.ts";
import { NO_RESULTS, numberOf, withPackets } from "../src/pipeline/results.ts";

const packet = (node: string, data: Record<string, unknown>): Packet =>
  ({ node, port: "out", sequence: 0, subSequence: 0, data: data as unknown as Data }) as Packet;
const json = (node: string, value: unknown) => packet(node, { type: "json", value });

describe("results", () => {
  const start = json("vad", { event: "start", start_us: 1_000 });
  const end = json("vad", { event: "end", start_us: 1_000, end_us: 5_000, snr_db: 30 });
  const loudness = json("loudness", { kind: "final", start_us: 1_000, end_us: 5_000, integrated_lufs: -34 });

  it("open a segment, end it, and join what others tell of it", () => {
    let results = withPackets(NO_RESULTS, [start]);
    expect(results.segments).toEqual([{ key: "1000-", startUs: 1_000, endUs: null, told: { "vad:out": { event: "start", start_us: 1_000 } } }]);
    results = withPackets(results, [loudness]);
    expect(results.segments.map(({ endUs }) => endUs)).toEqual([null, 5_000]);
    results = withPackets(results, [end]);
    expect(results.segments).toHaveLength(1);
    const [segment] = results.segments;
    expect(segment && [numberOf(segment, "snr_db"), numberOf(segment, "integrated_lufs"), numberOf(segment, "none")]).toEqual([30, -34, null]);
    expect(results.packets).toBe(3);
  });

  it("keep levels, text and other values apart", () => {
    const { segments, levels, notes } = withPackets(NO_RESULTS, [
      json("level", { kind: "interim", start_us: 0, end_us: 100, rms_dbfs: null, peak_dbfs: -3 }),
      packet("asr", { type: "text", text: "hello" }),
      json("sum", 4),
    ]);
    expect(segments).toEqual([]);
    expect(levels).toEqual([{ us: 100, rmsDb: -120, peakDb: -3, lufs: null }]);
    expect(notes.map(({ text }) => text)).toEqual(["hello", "4"]);
  });

  it("say in words what was heard and said, in order of time, and once", () => {
    const { talk, segments, notes } = withPackets(NO_RESULTS, [
      json("vad", { event: "start", start_us: 1_000_000 }),
      packet("wake", { type: "json", ptsUs: 1_800_000n, value: { event: "wake_word", word: "hey_jarvis", score: 0.93, end_us: 1_800_000 } }),
      packet("voice", { type: "json", ptsUs: 1_800_000n, value: { text: "Yes?", last: false, start_sample: 0, end_sample: 10 } }),
      packet("voice", { type: "json", ptsUs: 2_500_000n, value: { text: "Yes?", last: true, start_sample: 10, end_sample: 20 } }),
      json("wake", { event: "start", start_us: 1_900_000 }),
      json("vad", { event: "end", start_us: 1_000_000, end_us: 2_000_000 }),
      json("wake", { event: "end", start_us: 1_900_000, end_us: 3_000_000, reason: "silence" }),
    ]);
    expect(talk.map(({ kind, us, text, score }) => [kind, us, text, score])).toEqual([
      ["start", 1_000_000, "Speech began", null],
      ["word", 1_800_000, "Heard “hey jarvis”", 0.93],
      ["after", 1_900_000, "Listens to what follows", null],
      ["end", 2_000_000, "Speech ended, after 1.0 s", null],
      ["said", 2_500_000, "Said “Yes?”", null],
      ["after", 3_000_000, "Listened for 1.1 s", null],
    ]);
    expect(segments).toHaveLength(2);
    expect(notes.map(({ text }) => JSON.parse(text).last)).toEqual([false]); // a part of a sentence
  });

  it("become lines without their samples", () => {
    expect(lineOf(packet("a", { type: "audio", samples: [new Float32Array(4)] }))).toContain('"samples":[{"bytes":16}]');
  });
});
