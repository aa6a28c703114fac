// A line of YAML or Python in a few colours: keys, scalars, comments.

export type Language = "yaml" | "python";

export interface Piece {
  kind: "plain" | "key" | "value" | "comment";
  text: string;
}

const YAML = /(#.*$)|("(?:[^"\\]|\\.)*"(?!\s*:\s)|'[^']*')|((?:"[\w.-]+"|[A-Za-z_][\w.-]*))(?=\s*:(?:\s|$))|(\b(?:true|false|null)\b|(?<![\w.-])-?\d[\d.]*(?![\w.-]))/g;
const PYTHON =
  /(#.*$)|("""|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(\b(?:class|def|import|from|as|return|if|elif|else|for|while|in|not|and|or|is|with|yield|async|await|try|except|raise|lambda|pass)\b|@[\w.]+)|(\b(?:True|False|None|self)\b|\b\d[\d._]*\b)/g;

const KINDS = ["comment", "value", "key", "value"] as const;

export function piecesOf(line: string, language: Language): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  const plain = (end: number) => {
    if (end > done) pieces.push({ kind: "plain", text: line.slice(done, end) });
  };
  for (const match of line.matchAll(language === "yaml" ? YAML : PYTHON)) {
    const group = match.slice(1).findIndex((text) => text !== undefined);
    // In YAML `#` begins a comment only after a space.
    if (group === 0 && match.index > 0 && language === "yaml" && !/\s/.test(line.charAt(match.index - 1))) continue;
    plain(match.index);
    pieces.push({ kind: KINDS[group] ?? "plain", text: match[0] });
    done = match.index + match[0].length;
  }
  plain(line.length);
  return pieces;
}
