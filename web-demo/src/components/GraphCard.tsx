import { useEffect, useMemo, useRef, useState } from "react";
import { layoutGraph, nodeOf, type Direction, type Sizes } from "../graph/layout.ts";
import { useStore } from "../store.ts";
import { Card, Nothing } from "./Card.tsx";
import { GraphEdgeView, GraphNodeView, TerminalView } from "./GraphParts.tsx";
import { NodeDialog } from "./NodeDialog.tsx";

const SIZES: Record<Direction, Sizes> = {
  right: { node: { width: 176, height: 92 }, terminal: { width: 108, height: 34 }, layerGap: 72, gap: 22 },
  down: { node: { width: 184, height: 92 }, terminal: { width: 104, height: 34 }, layerGap: 60, gap: 12 },
};
const LEAST_SCALE = 0.72; // smaller, and it is drawn downwards instead
const LEAST_DOWN = 0.64; // smaller, and it scrolls
const MARGIN = 12;

export function GraphCard({ className = "" }: { className?: string }) {
  const graph = useStore((state) => state.graph);
  const [width, setWidth] = useState(1200);
  const [chosen, setChosen] = useState<string | null>(null);
  const frame = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const layout = useMemo(() => {
    if (!graph) return null;
    const right = layoutGraph(graph, "right", SIZES.right);
    if (right.width + 2 * MARGIN <= width / LEAST_SCALE) return { direction: "right" as const, ...right };
    return { direction: "down" as const, ...layoutGraph(graph, "down", SIZES.down) };
  }, [graph, width]);
  const node = graph?.nodes.find(({ id }) => id === chosen) ?? null;

  return (
    <Card
      title={graph?.name || "Graph"}
      className={className}
      aside={graph?.description ? <p className="w-full min-w-0 text-sm text-soft sm:w-auto sm:flex-1">{graph.description}</p> : undefined}
    >
      <div ref={frame} data-testid="graph" className="dots mt-1 grid min-h-40 overflow-x-auto rounded-xl border border-line bg-sunk">
        {!layout || !graph ? (
          <Nothing>The graph appears as soon as the pipeline is loaded.</Nothing>
        ) : (
          <svg
            role="group"
            aria-label={`Graph of ${graph.name || "the pipeline"}: ${graph.nodes.length} nodes`}
            viewBox={`${-MARGIN} ${-MARGIN} ${layout.width + 2 * MARGIN} ${layout.height + 2 * MARGIN}`}
            width={layout.width + 2 * MARGIN}
            className="m-auto h-auto max-w-full py-2"
            style={{ minWidth: (layout.width + 2 * MARGIN) * (layout.direction === "right" ? LEAST_SCALE : LEAST_DOWN) }}
          >
            {layout.lines.map((line) => (
              <GraphEdgeView key={line.id} line={line} direction={layout.direction} />
            ))}
            {layout.boxes.map((box) => {
              if (box.kind !== "node") return <TerminalView key={box.id} box={box} />;
              const of = graph.nodes.find(({ id }) => id === box.id);
              return of && <GraphNodeView key={box.id} box={box} node={of} onOpen={() => setChosen(of.id)} />;
            })}
          </svg>
        )}
      </div>
      <NodeDialog node={node} edges={graph?.edges.filter(({ from, to }) => nodeOf(from) === chosen || nodeOf(to) === chosen) ?? []} onClose={() => setChosen(null)} />
    </Card>
  );
}
