import type { Talk } from "../pipeline/talk.ts";
import { isRunning, useStore } from "../store.ts";
import { clockText } from "../timeline/scale.ts";
import { Card, Nothing } from "./Card.tsx";
import { Badge, type Tone } from "./controls.tsx";
import { LevelMeter } from "./LevelMeter.tsx";

/** Nodes that listen to speech, or speak. */
const OF_SPEECH = /SileroVAD|WakeWord|TextToSpeech|SpeechToText/;
const DOTS: Record<Talk["kind"], string> = { start: "bg-in", end: "bg-edge", word: "bg-accent", after: "bg-edge", said: "bg-out" };

/** What was heard and said: for graphs that have to do with speech. */
export function VoiceCard({ className = "" }: { className?: string }) {
  const speaks = useStore((state) => state.graph?.nodes.some(({ nodeType }) => OF_SPEECH.test(nodeType)) ?? false);
  const talk = useStore((state) => state.results.talk);
  const running = useStore((state) => isRunning(state.stage));
  const tap = useStore((state) => state.taps.in);
  if (!speaks) return null;
  const [tone, words] = stateOf(talk, running);
  return (
    <Card
      className={className}
      title="Conversation"
      aside={
        <Badge tone={tone} data-testid="listening">
          {words}
        </Badge>
      }
    >
      <LevelMeter tap={tap} label="Level of the input, dBFS" />
      <div role="log" aria-label="What was heard and said" tabIndex={0} data-testid="talk" className="mt-3 h-44 overflow-auto rounded-lg bg-sunk p-1.5 text-sm">
        {talk.length === 0 && <Nothing>{running ? "Nobody has spoken yet." : "What is heard and said is listed here."}</Nothing>}
        <ol>
          {[...talk].reverse().map((entry) => (
            <Line key={entry.key} entry={entry} />
          ))}
        </ol>
      </div>
    </Card>
  );
}

function Line({ entry: { kind, us, text, score } }: { entry: Talk }) {
  return (
    <li data-kind={kind} data-us={us} data-score={score ?? ""} className="grid grid-cols-[auto_3.5rem_minmax(0,1fr)_auto] items-baseline gap-x-2.5 rounded-md px-2 py-1">
      <span aria-hidden className={`size-2 self-center rounded-full ${DOTS[kind]}`} />
      <span className="text-xs text-soft tabular-nums">{clockText(us, 1)}</span>
      <span className={`break-words ${kind === "word" || kind === "said" ? "font-medium" : "text-soft"}`}>{text}</span>
      {score !== null && <span className="text-xs text-soft tabular-nums">{score.toFixed(2)}</span>}
    </li>
  );
}

function stateOf(talk: readonly Talk[], running: boolean): [Tone, string] {
  if (!running) return ["plain", "Not listening"];
  const last = talk.findLast(({ kind }) => kind === "start" || kind === "end");
  return last?.kind === "start" ? ["accent", "Somebody speaks"] : ["plain", "Listening"];
}
