import type { Note } from "../pipeline/results.ts";
import { clockText } from "../timeline/scale.ts";

const MOST = 100; // the newest

/** Text, and JSON that has no span. */
export function Notes({ notes }: { notes: readonly Note[] }) {
  if (notes.length === 0) return null;
  return (
    <div role="region" aria-label="Text and values" tabIndex={0} data-testid="notes" className="min-h-0 flex-1 overflow-auto rounded-lg border border-line">
      <ol className="divide-y divide-line text-xs">
        {notes.slice(-MOST).map(({ key, us, from, text }) => (
          <li key={key} className="grid grid-cols-[4rem_6rem_minmax(0,1fr)] gap-3 px-3 py-1.5">
            <span className="text-soft tabular-nums">{us === null ? "" : clockText(us, 2)}</span>
            <span className="truncate font-mono text-soft">{from}</span>
            <span className="font-mono break-words">{text}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
