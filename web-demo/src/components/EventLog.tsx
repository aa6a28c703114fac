import { useStore, type LogEntry } from "../store.ts";
import { Card, Nothing } from "./Card.tsx";
import { Button } from "./controls.tsx";

const DOTS: Record<LogEntry["kind"], string> = { error: "bg-danger", warning: "bg-warn", info: "bg-edge" };

export function EventLog({ className = "" }: { className?: string }) {
  const log = useStore((state) => state.log);
  return (
    <Card
      className={className}
      title="Events"
      aside={
        <Button size="small" disabled={log.length === 0} onClick={() => useStore.setState({ log: [] })}>
          Clear
        </Button>
      }
    >
      <div role="log" aria-label="What happened" tabIndex={0} data-testid="events" className="h-52 overflow-auto rounded-lg bg-sunk p-1.5 text-sm">
        {log.length === 0 && <Nothing>Errors, restarts and changes of devices are told here.</Nothing>}
        <ol>
          {[...log].reverse().map((entry) => (
            <Entry key={entry.key} entry={entry} />
          ))}
        </ol>
      </div>
    </Card>
  );
}

function Entry({ entry }: { entry: LogEntry }) {
  return (
    <li data-kind={entry.kind} data-node={entry.node ?? ""} className="grid grid-cols-[auto_auto_minmax(0,1fr)] items-baseline gap-x-2.5 rounded-md px-2 py-1.5">
      <span aria-label={entry.kind} role="img" className={`mt-1.5 size-2 self-start rounded-full ${DOTS[entry.kind]}`} />
      <span className="text-xs text-soft tabular-nums">{(entry.atMs / 1000).toFixed(1)} s</span>
      <span className={`break-words ${entry.kind === "error" ? "text-danger" : ""}`}>
        {entry.title}
        {entry.count > 1 && <span className="ml-2 rounded-full bg-card px-1.5 text-xs text-soft tabular-nums">{`× ${entry.count}`}</span>}
        {entry.detail && <span className="ml-2 text-xs text-soft">{entry.detail}</span>}
        {entry.traceback && (
          <details className="mt-1">
            <summary className="w-fit rounded text-xs text-soft">Traceback</summary>
            <pre tabIndex={0} className="mt-1 max-h-72 overflow-auto rounded-lg border border-line bg-card p-3 font-mono text-xs leading-relaxed text-text">{entry.traceback}</pre>
          </details>
        )}
      </span>
    </li>
  );
}
