// From packets to what the time line shows. Pure: the store keeps what comes out.
import type { Packet } from "@remotemedia/web";
import { ptsOf } from "./packets.ts";
import { inOrder, talkOf, type Talk } from "./talk.ts";

const MAX_SEGMENTS = 5_000;
const MAX_LEVELS = 36_000; // an hour at ten a second
const MAX_NOTES = 2_000;
const MAX_TALK = 500;

type Value = Record<string, unknown>;

/** A span of media time, and all that nodes told of exactly this span. */
export interface Segment {
  key: string;
  startUs: number;
  /** Null while it goes on. */
  endUs: number | null;
  /** By `node:port`. */
  told: Record<string, Value>;
}

/** One interim report of a level. */
export interface Level {
  us: number;
  rmsDb: number;
  peakDb: number;
  lufs: number | null;
}

/** Anything else that can be shown: text, or JSON without a span. */
export interface Note {
  key: number;
  /** Media time, where it has one. */
  us: number | null;
  from: string;
  text: string;
}

export interface Results {
  segments: readonly Segment[];
  levels: readonly Level[];
  notes: readonly Note[];
  talk: readonly Talk[];
  packets: number;
  audioPackets: number;
  audioFrames: number;
}

export const NO_RESULTS: Results = { segments: [], levels: [], notes: [], talk: [], packets: 0, audioPackets: 0, audioFrames: 0 };

export function withPackets(results: Results, packets: readonly Packet[]): Results {
  const segments = new Map(results.segments.map((segment) => [segment.key, segment]));
  const levels: Level[] = [];
  const notes: Note[] = [];
  const talk = [...results.talk];
  let { audioPackets, audioFrames } = results;
  packets.forEach((packet, index) => {
    const from = `${packet.node}:${packet.port}`;
    const { data } = packet;
    const note = (text: string) => notes.push({ key: results.packets + index, us: ptsOf(data), from, text });
    if (data.type === "audio") {
      audioPackets += 1;
      audioFrames += data.frames;
    } else if (data.type === "text") {
      note(data.text);
    } else if (data.type === "json") {
      const value = isValue(data.value) ? data.value : null;
      const said = value && talkOf(packet.node, value, ptsOf(data) ?? 0, talk);
      if (said) talk.push({ ...said, key: results.packets + index });
      if (said?.kind === "word" || said?.kind === "said") return; // in words already
      const level = value && levelOf(value);
      if (level) levels.push(level);
      else if (!value || !addSegment(segments, from, value)) note(JSON.stringify(data.value));
    } else {
      note(data.type);
    }
  });
  return {
    segments: newest([...segments.values()], MAX_SEGMENTS),
    levels: levels.length ? newest([...results.levels, ...levels], MAX_LEVELS) : results.levels,
    notes: notes.length ? newest([...results.notes, ...notes], MAX_NOTES) : results.notes,
    talk: talk.length > results.talk.length ? newest(inOrder(talk), MAX_TALK) : results.talk,
    packets: results.packets + packets.length,
    audioPackets,
    audioFrames,
  };
}

function addSegment(segments: Map<string, Segment>, from: string, value: Value): boolean {
  const startUs = value.start_us;
  if (typeof startUs !== "number") return false;
  const open = `${startUs}-`;
  if (typeof value.end_us !== "number") {
    segments.set(open, { key: open, startUs, endUs: null, told: { [from]: value } });
    return true;
  }
  const key = `${startUs}-${value.end_us}`;
  const known = segments.get(key);
  segments.set(key, { key, startUs, endUs: value.end_us, told: { ...known?.told, [from]: value } });
  // Only who told of the start ends it: another node may report a part of it.
  if (segments.get(open)?.told[from]) segments.delete(open);
  return true;
}

function levelOf(value: Value): Level | null {
  if (value.kind !== "interim" || typeof value.end_us !== "number") return null;
  const floor = (level: unknown) => (typeof level === "number" ? level : -120); // null: silence
  const lufs = typeof value.momentary_lufs === "number" ? value.momentary_lufs : null;
  return { us: value.end_us, rmsDb: floor(value.rms_dbfs), peakDb: floor(value.peak_dbfs), lufs };
}

function isValue(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function newest<T>(all: T[], most: number): T[] {
  return all.length > most ? all.slice(-most) : all;
}

/** The latest media time that anything was told of. */
export function lastTimeOf({ segments, levels }: Results): number {
  const last = segments.at(-1);
  return Math.max(last ? (last.endUs ?? last.startUs) : 0, levels.at(-1)?.us ?? 0);
}

/** First number of that name that a node told of a segment. */
export function numberOf(segment: Segment, ...names: string[]): number | null {
  for (const value of Object.values(segment.told)) {
    for (const name of names) if (typeof value[name] === "number") return value[name];
  }
  return null;
}
