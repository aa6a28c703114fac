// What was heard and said, in words for people, of the JSON of nodes: SileroVAD, WakeWord, TextToSpeech.

/** One line of a conversation. */
export interface Talk {
  key: number;
  /** start and end of speech; a word that was waited for, and what follows it; what was said by the pipeline. */
  kind: "start" | "end" | "word" | "after" | "said";
  node: string;
  /** Media time, µs. */
  us: number;
  text: string;
  /** Of a word: how sure it is, 0 to 1. */
  score: number | null;
}

/**
 * A line for what a node gave out; null: it is something else.
 *
 * `before`: what was told until then. A node that heard a word tells of what follows it as others do of speech.
 */
export function talkOf(node: string, value: Record<string, unknown>, us: number, before: readonly Talk[]): Omit<Talk, "key"> | null {
  const { event, start_us: startUs, end_us: endUs, word, score, text, start_sample: startSample, last } = value;
  const line = (kind: Talk["kind"], at: number, words: string): Omit<Talk, "key"> => ({ kind, node, us: at, text: words, score: null });
  if (typeof word === "string" && typeof score === "number") return { ...line("word", us, `Heard “${word.replaceAll("_", " ")}”`), score };
  if (typeof text === "string" && typeof startSample === "number" && last === true) return line("said", us, `Said “${text}”`);
  if (typeof startUs !== "number" || (event !== "start" && event !== "end")) return null;
  const after = before.some((one) => one.kind === "word" && one.node === node);
  if (event === "start") return after ? line("after", startUs, "Listens to what follows") : line("start", startUs, "Speech began");
  if (typeof endUs !== "number") return null;
  const length = `${((endUs - startUs) / 1e6).toFixed(1)} s`;
  return after ? line("after", endUs, `Listened for ${length}`) : line("end", endUs, `Speech ended, after ${length}`);
}

/** In order of media time: the end of speech is known later than what was said meanwhile. */
export function inOrder(talk: readonly Talk[]): Talk[] {
  return talk.toSorted((one, other) => one.us - other.us);
}
