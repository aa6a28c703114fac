import { inputTrace } from "../draw/trace.ts";
import { isRunning, useStore } from "../store.ts";
import { Card } from "./Card.tsx";
import { Scope } from "./Scope.tsx";

export function Signals({ className = "" }: { className?: string }) {
  const taps = useStore((state) => state.taps);
  const running = useStore((state) => isRunning(state.stage));
  const startedMs = useStore((state) => state.startedMs);
  const inputPicture = useStore((state) => state.inputPicture);
  const outputPicture = useStore((state) => state.outputPicture);
  const trace = (low: number, high: number) => {
    if (startedMs !== null) inputTrace.add((performance.now() - startedMs) * 1000, low, high);
  };
  return (
    <div className={`grid gap-4 md:grid-cols-2 ${className}`}>
      <Card title="In" aside={<Rate tap={taps.in} />}>
        <Scope lane="in" label="Input" tap={taps.in} picture={inputPicture} onPeak={trace} nothing="A microphone is drawn while it runs, a file when it is chosen." />
      </Card>
      <Card title="Out" aside={<Rate tap={taps.out} />}>
        <Scope
          lane="out"
          label="Output"
          tap={running ? taps.out : null}
          picture={outputPicture}
          nothing={running ? "Drawn when it has ended: this run is faster than sound." : "What comes out of the pipeline is drawn here."}
        />
      </Card>
    </div>
  );
}

function Rate({ tap }: { tap: AnalyserNode | null }) {
  return <span className="text-xs text-soft tabular-nums">{tap ? `live, ${tap.context.sampleRate / 1000} kHz` : ""}</span>;
}
