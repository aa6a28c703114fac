import { describe, expect, it } from "vitest";
import { text } from "../src/data.ts";
import { decode } from "../src/wire/index.ts";
import { plain, plainAudio, thrown } from "./wire.golden.ts";

describe("the plain form", () => {
  it.each([
    ['{"a": 9007199254740993}', { a: 9007199254740993n }],
    ['{"a": -9223372036854775808}', { a: -(2n ** 63n) }],
    ['{"a": -0, "b": -0.0, "c": 1E2}', { a: 0, b: -0, c: 100 }],
    ['{"a": "\\u00e4\\ud83c\\udfa7\\"\\\\\\/\\n"}', { a: 'ä🎧"\\/\n' }],
    [" \t\r\n{ } ", {}],
  ])("reads %s", (metadata, value) => {
    expect(decode(plainAudio(metadata)).item.data!.metadata).toStrictEqual(value);
  });

  it.each([
    "01", "1.", ".5", "-", "+1", "1e400", "-1e400", "NaN", "Infinity", "tru", "nulL", "'a'", '"a', '"\\x"', '"\\u00g0"',
    '"\\ud800"', '"\\udc00a"', '"\n"', '"\u0001"', "[1,]", "[,1]", "[1 2]", '{"a":1,}', "{a:1}", '{"a"}', '{"a":}', '{1:1}',
    "[", "{", "]", "1 2", "[1]]", "", "\ufeff1", "\u00a01", "9".repeat(4301), "9".repeat(30),
  ])("refuses JSON %s", (value) => {
    for (const metadata of [`{"v": ${value}}`, `{"v": [{"w": ${value}}]}`]) {
      const error = thrown(() => decode(plainAudio(metadata)));
      expect([error.field, error.offset]).toEqual(["metadata", 25]);
    }
  });

  it.each(["", "a", "ab", "\ufeff", "ä"])("reads the text %o", (value) => {
    expect(decode(plain(3, value)).item.data).toEqual(text(value));
  });

  it("takes no float for a time stamp", () => {
    const control = (stamp: string) => plain(5, `{"message_type": "x", "timestamp_ms": ${stamp}}`);
    expect(thrown(() => decode(control("5.0"))).field).toBe("timestamp_ms");
    expect((decode(control("5")).item.data as { timestampMs: number }).timestampMs).toBe(5);
    expect((decode(control('5.0, "timestamp_ms": 6')).item.data as { timestampMs: number }).timestampMs).toBe(6);
  });

  it("refuses a rate of bare audio that is none", () => {
    for (const bareAudioRate of [0, -1, 10_000_001, 0.5, NaN]) {
      expect(() => decode(plain(1, ""), { bareAudioRate })).toThrow("bareAudioRate must be a whole number from 1");
    }
  });

  it("reads long strings of escapes, and long numbers, without a stack to overflow", () => {
    const escapes = "\\n".repeat(500_000);
    expect(decode(plainAudio(`{"a":"${escapes}"}`)).item.data!.metadata!["a"]).toBe("\n".repeat(500_000));
    thrown(() => decode(plainAudio(`{"a":"${escapes}`)));
    thrown(() => decode(plainAudio(`{"a":${"1".repeat(1_000_000)}}`)));
  });
});
