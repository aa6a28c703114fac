import type { ModelInfo } from "@remotemedia/web";
import { useStore } from "../store.ts";
import { Card } from "./Card.tsx";
import { Badge } from "./controls.tsx";

const PROVIDERS: Record<string, string> = { wasm: "WebAssembly", webgpu: "WebGPU" };
const mega = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** The models of the graph: how large they are, how far their download is, and what runs them. */
export function ModelsCard({ className = "" }: { className?: string }) {
  const models = useStore((state) => state.models);
  if (models.length === 0) return null;
  const nodes = [...new Set(models.map(({ node }) => node))];
  const sizes = new Map(models.map(({ model, bytes }) => [model, bytes]));
  const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  return (
    <Card className={className} title="Models" aside={total > 0 && <span className="text-xs text-soft tabular-nums">{mega(total)}, loaded once</span>}>
      <ul className="divide-y divide-line">
        {nodes.map((node) => (
          <OfNode key={node} node={node} models={models.filter((model) => model.node === node)} />
        ))}
      </ul>
    </Card>
  );
}

function OfNode({ node, models }: { node: string; models: readonly ModelInfo[] }) {
  const loading = useStore((state) => state.modelProgress[node]);
  const { backend = "", provider = "" } = models[0] ?? {};
  const fraction = loading?.fraction ?? null;
  return (
    <li data-testid="model" data-node-id={node} data-backend={backend} data-provider={provider} className="py-2.5 first:pt-1 last:pb-0">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <h3 className="min-w-0 font-mono text-[13px] font-semibold break-all">{node}</h3>
        {backend !== "" ? (
          <Badge tone={backend === "numpy" ? "warn" : "accent"} title={backend === "numpy" ? "Slower than onnxruntime-web" : ""}>
            {backend === "numpy" ? "numpy" : `${backend} · ${PROVIDERS[provider] ?? provider}`}
          </Badge>
        ) : (
          !loading && <Badge>Loaded by Start</Badge>
        )}
      </div>
      <ul className="mt-0.5 space-y-0.5 text-xs text-soft tabular-nums">
        {models.map(({ model, bytes, licence, description }) => (
          <li key={model} className="break-words">
            <span className="text-text">{model}</span>
            {[bytes > 0 ? mega(bytes) : "", licence].map((part) => (part === "" ? "" : ` · ${part}`))}
            {description && <span className="block">{description}</span>}
          </li>
        ))}
      </ul>
      {loading && (
        <div data-testid="model-progress" className="mt-1.5">
          <p className="truncate text-xs tabular-nums">{loading.message}</p>
          <div
            role="progressbar"
            aria-label={`Models of ${node}`}
            {...(fraction === null ? {} : { "aria-valuenow": Math.round(fraction * 100) })}
            className="mt-1 h-1 overflow-hidden rounded-full bg-sunk"
          >
            <div className={`h-full rounded-full bg-accent ${fraction === null ? "animate-pulse" : ""}`} style={{ width: `${(fraction ?? 1) * 100}%` }} />
          </div>
        </div>
      )}
    </li>
  );
}
