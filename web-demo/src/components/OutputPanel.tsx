import { controller } from "../session.ts";
import { audioOutlets, isBusy, isRunning, useStore } from "../store.ts";
import { Card } from "./Card.tsx";
import { Select, Switch } from "./controls.tsx";

export function OutputPanel() {
  const graph = useStore((state) => state.graph);
  const stage = useStore((state) => state.stage);
  const speaker = useStore((state) => state.speaker);
  const record = useStore((state) => state.record);
  const listenTo = useStore((state) => state.listenTo);
  const connected = useStore((state) => state.taps.out !== null);
  const outlets = audioOutlets(graph);
  const locked = isRunning(stage) || isBusy(stage);
  const silent = graph !== null && outlets.length === 0;
  return (
    <Card title="Output">
      {outlets.length > 1 && (
        <Select
          label="Audio of"
          className="mb-2"
          value={outlets.includes(listenTo) ? listenTo : outlets[0]}
          disabled={locked}
          onChange={(event) => useStore.setState({ listenTo: event.target.value })}
        >
          {outlets.map((outlet) => (
            <option key={outlet}>{outlet}</option>
          ))}
        </Select>
      )}
      <Switch
        label="Speaker"
        hint={silent ? "No audio comes out of this pipeline" : "Hear the output; a file then runs in real time"}
        data-testid="speaker-toggle"
        checked={speaker}
        disabled={silent || (locked && !connected)}
        onChange={(on) => controller.setSpeaker(on)}
      />
      <Switch
        label="Record"
        hint="Keep the output as a WAV file"
        data-testid="record-toggle"
        checked={record}
        disabled={silent || locked}
        onChange={(on) => useStore.setState({ record: on })}
      />
    </Card>
  );
}
