import { chooseExample, controller } from "../session.ts";
import { isBusy, isRunning, useStore, type Stage } from "../store.ts";
import { Badge, Button, Select, type Tone } from "./controls.tsx";
import { ProgressBar } from "./ProgressBar.tsx";

const WORDS: Record<Stage, string> = {
  empty: "Not loaded",
  loading: "Loading",
  loaded: "Ready",
  starting: "Starting",
  running: "Running",
  finished: "Finished",
  stopped: "Stopped",
  restarting: "Restarting",
  failed: "Failed",
  closed: "Closed",
};

const toneOf = (stage: Stage): Tone =>
  stage === "failed" ? "danger" : stage === "restarting" ? "warn" : stage === "running" || stage === "finished" ? "accent" : "plain";

export function Transport({ className = "" }: { className?: string }) {
  const stage = useStore((state) => state.stage);
  const examples = useStore((state) => state.examples);
  const exampleId = useStore((state) => state.exampleId);
  const fault = useStore((state) => state.fault);
  const needsFile = useStore((state) => state.input === "file" && state.file === null);
  const running = isRunning(stage);
  const stoppable = running || isBusy(stage);

  return (
    <section aria-label="Control" className={`rounded-2xl border border-line bg-card ${className}`}>
      <div className="flex flex-wrap items-end gap-x-6 gap-y-3 px-4 py-3">
        <Select label="Pipeline" data-testid="example-select" className="w-full sm:w-72" value={exampleId} onChange={(event) => void chooseExample(event.target.value)}>
          {examples.map(({ id, title }) => (
            <option key={id} value={id}>
              {title}
            </option>
          ))}
        </Select>
        {/* On a phone these stay within reach of the thumb. */}
        <div className="fixed inset-x-0 bottom-0 z-30 grid grid-cols-4 gap-2 border-t border-line bg-card px-4 pt-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] lg:static lg:flex lg:border-0 lg:p-0">
          <Button look="main" data-testid="start" disabled={stoppable || needsFile} onClick={() => void controller.start()} className="lg:min-w-24">
            <svg viewBox="0 0 12 12" aria-hidden className="hidden size-3 shrink-0 fill-current sm:block">
              <path d="M2 1.2v9.600L11 6z" />
            </svg>
            Start
          </Button>
          <Button data-testid="stop" disabled={!stoppable} onClick={() => void controller.stop()} title="End at once; what is in flight is dropped">
            Stop
          </Button>
          <Button data-testid="interrupt" disabled={!running} onClick={() => void controller.interrupt()} title="Drop what is in flight and go on">
            Interrupt
          </Button>
          <Button data-testid="finish" disabled={!running} onClick={() => void controller.finish()} title="End of input: what is under way still comes out">
            Finish
          </Button>
        </div>
        <div className="flex min-w-0 flex-1 basis-64 items-center gap-3 lg:h-10">
          <Badge tone={toneOf(stage)} data-testid="state" data-state={stage}>
            <span aria-hidden className={`size-1.5 rounded-full bg-current ${running ? "animate-pulse" : ""}`} />
            {WORDS[stage]}
          </Badge>
          <ProgressBar />
        </div>
        <p role="status" className="sr-only">
          {WORDS[stage]}
        </p>
      </div>
      <div role="alert" className={fault ? "border-t border-line px-4 py-3" : ""}>
        {fault && <p className="text-sm break-words text-danger">{fault.message}</p>}
      </div>
      {fault?.traceback && (
        <details className="px-4 pb-3 text-sm">
          <summary className="text-soft">Traceback</summary>
          <pre tabIndex={0} className="mt-2 max-h-64 overflow-auto rounded-lg bg-sunk p-3 font-mono text-xs">{fault.traceback}</pre>
        </details>
      )}
    </section>
  );
}
