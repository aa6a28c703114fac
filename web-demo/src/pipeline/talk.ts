// What was heard and said, in words for people, of the JSON of nodes: SileroVAD, WakeWord, TextToSpeech.

/** One line of a conversation. */
export interface Talk {
  key: number;
  /** start and end of speech; a word that was waited for; what was said by the pipeline. */
  kind: "start" | "end" | "word" | "said";
  /** Media time, µs. */
  us: number;
  text: string;
  /** Of a word: how sure it is, 0 to 1. */
  score: number | null;
}

/** Null: it is something else. */
export function talkOf(value: Record<string, unknown>, us: number): Omit<Talk, "key"> | null {
  const { event, start_us: startUs, end_us: endUs, word, score, text, start_sample: startSample, last } = value;
  if (typeof word === "string" && typeof score === "number") {
    return { kind: "word", us, text: `Heard “${word.replaceAll("_", " ")}”`, score };
  }
  if (event === "start" && typeof startUs === "number") return { kind: "start", us: startUs, text: "Speech began", score: null };
  if (event === "end" && typeof startUs === "number" && typeof endUs === "number") {
    return { kind: "end", us: endUs, text: `Speech ended, after ${((endUs - startUs) / 1e6).toFixed(1)} s`, score: null };
  }
  if (typeof text === "string" && typeof startSample === "number" && last === true) return { kind: "said", us, text: `Said “${text}”`, score: null };
  return null;
}

/** In order of media time: the end of speech is known later than what was said meanwhile. */
export function inOrder(talk: readonly Talk[]): Talk[] {
  return talk.toSorted((one, other) => one.us - other.us);
}
