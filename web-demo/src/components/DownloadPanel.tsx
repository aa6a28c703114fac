import { controller, download } from "../session.ts";
import { useStore } from "../store.ts";
import { Card } from "./Card.tsx";
import { Button } from "./controls.tsx";

export function DownloadPanel({ className = "" }: { className?: string }) {
  const recorded = useStore((state) => state.recorded);
  const recording = useStore((state) => state.recording);
  const packets = useStore((state) => state.results.packets);
  const name = useStore((state) => state.graph?.name) || "remotemedia";
  const saveAudio = async () => {
    const blob = await controller.recording();
    if (blob) download(blob, `${name}.wav`);
  };
  return (
    <Card className={className} title="Results">
      <div className="grid grid-cols-2 gap-2">
        <Button data-testid="download-audio" disabled={!recording && recorded === null} onClick={() => void saveAudio()} title={recording ? "Ends the recording" : ""}>
          Audio (WAV)
        </Button>
        <Button data-testid="download-packets" disabled={packets === 0} onClick={() => download(controller.packetLines(), `${name}.jsonl`)}>
          Packets (JSONL)
        </Button>
      </div>
      <p className="mt-2 text-xs text-soft tabular-nums">
        {packets.toLocaleString("en")} {packets === 1 ? "packet" : "packets"}
        {recorded ? `, ${(recorded.size / 1e6).toFixed(1)} MB of audio` : recording ? ", recording" : ""}
      </p>
    </Card>
  );
}
