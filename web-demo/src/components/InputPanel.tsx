import { useRef, useState, type DragEvent } from "react";
import { chooseFile, chooseInput } from "../session.ts";
import { isBusy, isRunning, useStore, type InputKind, type Pace } from "../store.ts";
import { Card } from "./Card.tsx";
import { Button, Select, Switch } from "./controls.tsx";

export function InputPanel() {
  const input = useStore((state) => state.input);
  const clipThere = useStore((state) => state.clipThere);
  const stage = useStore((state) => state.stage);
  const pace = useStore((state) => state.pace);
  const locked = isRunning(stage) || isBusy(stage);
  return (
    <Card title="Input">
      <Select label="Source" hideLabel data-testid="input-select" value={input} disabled={locked} onChange={(event) => void chooseInput(event.target.value as InputKind)}>
        {clipThere && <option value="clip">Recorded speech (44 s)</option>}
        <option value="file">File</option>
        <option value="microphone">Microphone</option>
      </Select>
      <div className="mt-3 min-h-28">
        {input === "microphone" ? <Microphone locked={locked} /> : input === "file" ? <FileDrop locked={locked} /> : <ClipText />}
        {input !== "microphone" && (
          <Select
            label="Speed"
            className="mt-3"
            data-testid="pace-select"
            value={pace}
            disabled={locked}
            onChange={(event) => useStore.setState({ pace: event.target.value as Pace })}
          >
            <option value="fast">As fast as the graph takes it</option>
            <option value="realtime">Real time, by the audio clock</option>
          </Select>
        )}
      </div>
    </Card>
  );
}

function ClipText() {
  return <p className="text-sm text-soft">The opening of “A Tale of Two Cities”, read aloud: 48 kHz, mono.</p>;
}

function Microphone({ locked }: { locked: boolean }) {
  const devices = useStore((state) => state.devices);
  const deviceId = useStore((state) => state.deviceId);
  const cancelEcho = useStore((state) => state.cancelEcho);
  if (!navigator.mediaDevices) {
    return <p className="rounded-lg bg-warn-soft p-3 text-sm text-warn">This page may not use a microphone: open it over https, or from localhost.</p>;
  }
  return (
    <>
      <Select label="Device" data-testid="device-select" value={deviceId} disabled={locked} onChange={(event) => useStore.setState({ deviceId: event.target.value })}>
        <option value="">The system’s default</option>
        {devices.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `Microphone ${index + 1}`}
          </option>
        ))}
      </Select>
      <div className="mt-2">
        <Switch
          label="Cancel echo"
          hint="For a speaker without headphones; it changes your voice, too"
          data-testid="echo-toggle"
          checked={cancelEcho}
          disabled={locked}
          onChange={(on) => useStore.setState({ cancelEcho: on })}
        />
      </div>
      <p className="mt-1 text-xs text-soft">Nothing leaves this tab.</p>
    </>
  );
}

function FileDrop({ locked }: { locked: boolean }) {
  const file = useStore((state) => state.file);
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const dropped = event.dataTransfer.files[0];
    if (dropped && !locked) void chooseFile(dropped);
  };
  return (
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={`flex items-center gap-3 rounded-xl border border-dashed p-3 transition ${over ? "border-accent bg-accent/10" : "border-edge/70"}`}
    >
      <input
        ref={picker}
        type="file"
        accept="audio/*,video/*,.wav,.flac,.opus"
        aria-label="Audio file"
        tabIndex={-1}
        className="sr-only"
        data-testid="file-input"
        disabled={locked}
        onChange={(event) => {
          const chosen = event.target.files?.[0];
          if (chosen) void chooseFile(chosen);
          event.target.value = ""; // so that the same file can be chosen again
        }}
      />
      <Button disabled={locked} onClick={() => picker.current?.click()}>
        Choose
      </Button>
      <span className="min-w-0 text-sm" aria-live="polite">
        <span className="block truncate">{file ? file.name : "or drop an audio file here"}</span>
        {file && <span className="block text-xs text-soft tabular-nums">{(file.size / 1e6).toFixed(1)} MB</span>}
      </span>
    </div>
  );
}
