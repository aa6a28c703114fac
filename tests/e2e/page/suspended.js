// Plays without waiting for a gesture, as a careless page does. It tells the server: whatever the test
// evaluated here, even a look at the title, would count as a gesture.
import { Pipeline } from "/web/index.js";

const pipeline = await Pipeline.load(
  { version: "v1", nodes: [{ id: "pass", node_type: "PassThrough" }] },
  { pyodideUrl: "/pyodide/" },
);
await pipeline.start();
await pipeline.connectSpeaker();
for await (const event of pipeline.events()) {
  if (event.kind === "suspended" || event.kind === "resumed") {
    const body = `${event.kind} ${pipeline.audioContext.state}: ${event.message}\n`;
    await fetch("/states", { method: "POST", body });
  }
}
