import type { Problem } from "@remotemedia/web";
import { useImperativeHandle, useMemo, useRef, type KeyboardEvent, type Ref } from "react";
import { piecesOf, type Language } from "../highlight.ts";

const LINE_PX = 20;

export interface EditorHandle {
  /** Puts the cursor there; both from 1. */
  reveal(line: number, column: number): void;
}

interface Props {
  ref?: Ref<EditorHandle>;
  label: string;
  language: Language;
  value: string;
  problems: readonly Problem[];
  warnings: readonly Problem[];
  placeholder?: string;
  onChange: (text: string) => void;
  onApply: () => void;
  "data-testid": string;
}

const PIECES = { plain: "", key: "text-syntax-key", value: "text-syntax-value", comment: "text-soft italic" } as const;

/** A textarea with transparent text, over the same text in colours: it keeps all that a textarea can. */
export function CodeEditor({ ref, label, language, value, problems, warnings, placeholder, onChange, onApply, ...rest }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const behind = useRef<HTMLDivElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => value.split("\n").map((line) => piecesOf(line, language)), [value, language]);
  const marks = useMemo(() => {
    const found = new Map<number, { text: string; bad: boolean }>();
    for (const { line, message } of warnings) if (line !== null) found.set(line, { text: message, bad: false });
    for (const { line, message } of problems) if (line !== null) found.set(line, { text: message, bad: true });
    return found;
  }, [problems, warnings]);

  const follow = () => {
    const { scrollTop = 0, scrollLeft = 0 } = area.current ?? {};
    if (behind.current) behind.current.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
    if (gutter.current) gutter.current.style.transform = `translateY(${-scrollTop}px)`;
  };
  useImperativeHandle(ref, () => ({
    reveal(line, column) {
      const before = value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      area.current?.focus();
      area.current?.setSelectionRange(before + column - 1, before + column - 1);
      if (area.current) area.current.scrollTop = Math.max(0, (line - 4) * LINE_PX);
      follow();
    },
  }));
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onApply();
    }
  };

  return (
    <div className="relative flex h-80 overflow-hidden rounded-xl border border-line bg-sunk font-mono text-xs leading-5 focus-within:border-accent">
      <div aria-hidden className="w-10 shrink-0 overflow-hidden border-r border-line pt-2 text-right text-soft select-none">
        <div ref={gutter}>
          {lines.map((_, index) => {
            const mark = marks.get(index + 1);
            return (
              <div key={index} className={`pr-2 ${mark ? (mark.bad ? "bg-danger-soft font-bold text-danger" : "bg-warn-soft font-bold text-warn") : ""}`}>
                {index + 1}
              </div>
            );
          })}
        </div>
      </div>
      <div className="relative min-w-0 flex-1 overflow-hidden">
        <div ref={behind} aria-hidden className="absolute top-2 left-3 w-max min-w-full whitespace-pre">
          {lines.map((pieces, index) => {
            const mark = marks.get(index + 1);
            return (
              <div key={index} className={`h-5 ${mark ? (mark.bad ? "bg-danger-soft" : "bg-warn-soft") : ""}`}>
                {pieces.map(({ kind, text }, piece) => (
                  <span key={piece} className={PIECES[kind]}>
                    {text}
                  </span>
                ))}
                {mark && <span className={`pr-6 pl-6 font-sans ${mark.bad ? "text-danger" : "text-warn"}`}>{mark.text}</span>}
              </div>
            );
          })}
        </div>
        <textarea
          ref={area}
          aria-label={label}
          aria-invalid={problems.length > 0}
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          wrap="off"
          value={value}
          placeholder={placeholder}
          onChange={(event) => onChange(event.target.value)}
          onScroll={follow}
          onKeyDown={keys}
          className="absolute inset-0 resize-none overflow-auto bg-transparent pt-2 pr-3 pb-2 pl-3 text-transparent caret-text outline-none placeholder:text-soft"
          {...rest}
        />
      </div>
    </div>
  );
}
