import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { controller } from "../session.ts";
import { isBusy, isChanged, isRunning, useStore } from "../store.ts";
import { Card } from "./Card.tsx";
import { CodeEditor, type EditorHandle } from "./CodeEditor.tsx";
import { Button } from "./controls.tsx";

const CHECK_MS = 700; // after the last key
const TABS = ["manifest", "source"] as const;
type Tab = (typeof TABS)[number];
const TITLES: Record<Tab, string> = { manifest: "YAML", source: "Python" };

export function ManifestPanel({ className = "" }: { className?: string }) {
  const [tab, setTab] = useState<Tab>("manifest");
  const manifest = useStore((state) => state.manifest);
  const source = useStore((state) => state.source);
  const problems = useStore((state) => state.problems);
  const warnings = useStore((state) => state.warnings);
  const changed = useStore(isChanged);
  const sourceChanged = useStore((state) => state.loaded !== null && state.loaded.source !== state.source);
  const locked = useStore((state) => isBusy(state.stage));
  const running = useStore((state) => isRunning(state.stage));
  const loaded = useStore((state) => state.loaded !== null);
  const editor = useRef<EditorHandle>(null);

  // The manifest is checked as it is written. Python is run only when asked: half a program may do anything.
  useEffect(() => {
    if (running || locked || sourceChanged) return;
    // Back at what is loaded, it is good: there is nothing to ask.
    if (!changed) {
      useStore.setState({ problems: [] });
      return;
    }
    const timer = setTimeout(() => void controller.load(), CHECK_MS);
    return () => clearTimeout(timer);
    // `problems` is left out: a manifest that was refused is not tried again until it is edited.
  }, [manifest, changed, sourceChanged, running]);

  const select = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const next = tab === "manifest" ? "source" : "manifest";
    setTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  const status = problems.length
    ? `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`
    : changed
      ? "Not applied yet"
      : loaded
        ? "Valid, and loaded"
        : "Not checked yet";

  return (
    <Card
      className={className}
      title="Manifest"
      aside={
        <div role="tablist" aria-label="What to edit" className="flex rounded-lg bg-sunk p-0.5 text-xs font-medium">
          {TABS.map((each) => (
            <button
              key={each}
              id={`tab-${each}`}
              type="button"
              role="tab"
              aria-selected={tab === each}
              aria-controls="editor-panel"
              tabIndex={tab === each ? 0 : -1}
              onClick={() => setTab(each)}
              onKeyDown={select}
              className={`h-7 rounded-md px-3 ${tab === each ? "bg-card text-text shadow-sm" : "text-soft hover:text-text"}`}
            >
              {TITLES[each]}
              {each === "source" && source.trim() !== "" && <span className="ml-1.5 inline-block size-1.5 rounded-full bg-out align-middle" />}
            </button>
          ))}
        </div>
      }
    >
      <div id="editor-panel" role="tabpanel" aria-labelledby={`tab-${tab}`} className="mt-1">
        {tab === "manifest" ? (
          <CodeEditor
            ref={editor}
            label="Manifest, in YAML"
            language="yaml"
            value={manifest}
            problems={problems}
            warnings={changed ? [] : warnings}
            onChange={(text) => useStore.setState({ manifest: text })}
            onApply={() => void controller.load()}
            data-testid="editor"
          />
        ) : (
          <CodeEditor
            label="Nodes, in Python"
            language="python"
            value={source}
            problems={[]}
            warnings={[]}
            placeholder={"# Nodes of your own.\n# They run in this tab when you press Apply.\nimport remotemedia as rm\n"}
            onChange={(text) => useStore.setState({ source: text })}
            onApply={() => void controller.load()}
            data-testid="source-editor"
          />
        )}
      </div>
      <div className="mt-2 flex items-center justify-between gap-3">
        <span role="status" className={`text-xs ${problems.length ? "text-danger" : "text-soft"}`}>
          {status}
        </span>
        <Button size="medium" data-testid="apply" disabled={locked || (loaded && !changed)} onClick={() => void controller.load()} title="Ctrl + Enter">
          Apply
        </Button>
      </div>
      <ul data-testid="problems" aria-label="Problems" className="mt-1 space-y-1 text-sm empty:hidden">
        {[...problems.map((problem) => ({ ...problem, bad: true })), ...(changed ? [] : warnings.map((problem) => ({ ...problem, bad: false })))].map((problem, index) => (
          <li key={index} data-line={problem.line ?? ""}>
            <button
              type="button"
              disabled={problem.line === null}
              onClick={() => {
                setTab("manifest");
                editor.current?.reveal(problem.line ?? 1, problem.column ?? 1);
              }}
              className={`w-full rounded-lg px-3 py-2 text-left text-xs break-words ${problem.bad ? "bg-danger-soft text-danger" : "bg-warn-soft text-warn"}`}
            >
              {problem.line !== null && <span className="font-mono">{`${problem.line}:${problem.column ?? 1} `}</span>}
              {problem.message}
            </button>
          </li>
        ))}
      </ul>
    </Card>
  );
}
