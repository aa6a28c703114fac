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
  const sizes = new Map(models.map(({ model, bytes }) => [model, bytes]));
  const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  return (
    <Card className={className} title="Models" aside={total > 0 && <span className="text-xs text-soft tabular-nums">{mega(total)}, loaded once</span>}>
      <ul className="divide-y divide-line">
        {models.map((model) => (
          <Model key={`${model.node} ${model.model}`} model={model} />
        ))}
      </ul>
    </Card>
  );
}

function Model({ model: { node, model, bytes, licence, description, backend, provider } }: { model: ModelInfo }) {
  const loading = useStore((state) => state.modelProgress[node]);
  const about = [bytes > 0 ? mega(bytes) : "", licence].filter(Boolean).join(", ");
  return (
    <li data-testid="model" data-node-id={node} data-model={model} data-backend={backend} data-provider={provider} className="py-2.5 first:pt-1 last:pb-0">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <span className="min-w-0 text-sm">
          <span className="font-mono font-semibold break-all">{node}</span>
          <span className="ml-2 text-soft">{model}</span>
        </span>
        {backend !== "" ? (
          <Badge tone={backend === "numpy" ? "warn" : "accent"} title={backend === "numpy" ? "Slower than onnxruntime-web" : ""}>
            {backend === provider || provider === "" ? backend : `${backend} · ${PROVIDERS[provider] ?? provider}`}
          </Badge>
        ) : (
          !loading && <Badge>Loads with Start</Badge>
        )}
      </div>
      <p className="mt-0.5 text-xs text-soft tabular-nums">{[description, about].filter(Boolean).join(" · ")}</p>
      {loading && (
        <div className="mt-1.5" data-testid="model-progress">
          <p className="truncate text-xs text-soft tabular-nums">{loading.message}</p>
          {loading.fraction !== null && (
            <div
              role="progressbar"
              aria-label={`Model of ${node}`}
              aria-valuenow={Math.round(loading.fraction * 100)}
              className="mt-1 h-1 overflow-hidden rounded-full bg-sunk"
            >
              <div className="h-full rounded-full bg-accent" style={{ width: `${loading.fraction * 100}%` }} />
            </div>
          )}
        </div>
      )}
    </li>
  );
}
