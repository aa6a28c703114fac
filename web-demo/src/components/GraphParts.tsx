import type { GraphNode } from "@remotemedia/web";
import type { KeyboardEvent } from "react";
import { countText, microText } from "../figures.ts";
import { shortCaps } from "../graph/caps.ts";
import { ENTRY, outletId, type Box, type Direction, type Line } from "../graph/layout.ts";
import { isRunning, useStore, type InputKind } from "../store.ts";

const INPUTS: Record<InputKind, string> = { microphone: "Microphone", file: "File", clip: "Clip" };

export function GraphEdgeView({ line, direction }: { line: Line; direction: Direction }) {
  const running = useStore((state) => isRunning(state.stage));
  const [x0, y0, ax, ay, bx, by, x1, y1] = line.points;
  // Downwards there is no room beside the edges to the outlets, whose names say as much.
  const labels = direction === "down" && line.to.startsWith("→") ? [] : shortCaps(line.caps).split(" · ").filter(Boolean);
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  // Beside each other where there is room to the sides, else below each other.
  const rows = direction === "down" ? (labels.length ? [labels.join(" · ")] : []) : labels;
  const width = Math.max(0, ...rows.map((row) => row.length)) * 6 + 10;
  const tip = direction === "right" ? `M${x1 - 7} ${y1 - 4}L${x1} ${y1}L${x1 - 7} ${y1 + 4}` : `M${x1 - 4} ${y1 - 7}L${x1} ${y1}L${x1 + 4} ${y1 - 7}`;
  return (
    <g>
      <title>{line.caps ? `${line.title}\n${line.caps}` : line.title}</title>
      <path d={`M${x0} ${y0}C${ax} ${ay} ${bx} ${by} ${x1} ${y1}`} className={`fill-none transition-colors ${running ? "stroke-in" : "stroke-edge"}`} strokeWidth={1.5} />
      <path d={tip} className={`fill-none ${running ? "stroke-in" : "stroke-edge"}`} strokeWidth={1.5} strokeLinecap="round" strokeLinejoin="round" />
      {rows.length > 0 && (
        <>
          <rect x={x - width / 2} y={y - rows.length * 7 - 3} width={width} height={rows.length * 14 + 6} rx={7} className="fill-sunk" />
          {rows.map((row, index) => (
            <text key={index} x={x} y={y + (index - (rows.length - 1) / 2) * 14 + 3.5} textAnchor="middle" className="fill-soft font-mono text-[10px]">
              {row}
            </text>
          ))}
        </>
      )}
    </g>
  );
}

export function TerminalView({ box }: { box: Box }) {
  const input = useStore((state) => state.input);
  const graph = useStore((state) => state.graph);
  const outlet = graph?.outlets.find((each) => outletId(each) === box.id) ?? "";
  const [node = "", port = "out"] = outlet.split(":", 2);
  const caps = graph?.nodes.find(({ id }) => id === node)?.outputs[port] ?? "";
  const text = box.id === ENTRY ? INPUTS[input] : caps.startsWith("audio") ? "Audio" : "Results";
  const tone = box.id === ENTRY ? "fill-in" : "fill-out";
  return (
    <g transform={`translate(${box.x} ${box.y})`}>
      <title>{box.id === ENTRY ? `What goes in: ${graph?.entries.join(", ") ?? ""}` : `What comes out: ${outlet}`}</title>
      <rect width={box.width} height={box.height} rx={box.height / 2} className="fill-card stroke-line" />
      <circle cx={14} cy={box.height / 2} r={3} className={tone} />
      <text x={box.width / 2 + 6} y={box.height / 2 + 4} textAnchor="middle" className="fill-text text-[12px]">
        {text}
      </text>
    </g>
  );
}

export function GraphNodeView({ box, node, onOpen }: { box: Box; node: GraphNode; onOpen: () => void }) {
  const metrics = useStore((state) => state.metrics?.nodes.find((each) => each.node === node.id));
  const errors = useStore((state) => state.nodeErrors[node.id]);
  const { width, height } = box;
  const figures: [string, number | undefined][] = [
    ["p50", metrics?.latency.p50_us],
    ["p95", metrics?.latency.p95_us],
    ["p99", metrics?.latency.p99_us],
  ];
  const open = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onOpen();
  };
  return (
    <g data-testid="graph-node" data-node-id={node.id} transform={`translate(${box.x} ${box.y})`}>
      <title>{errors ? errors.last : node.summary}</title>
      <g
        role="button"
        tabIndex={0}
        aria-label={`${node.id} ${node.nodeType}${errors ? `, ${errors.count} errors, the last: ${errors.last}` : ""}: details`}
        className="group cursor-pointer outline-none"
        onClick={onOpen}
        onKeyDown={open}
      >
        <rect
          width={width}
          height={height}
          rx={12}
          strokeWidth={errors ? 2 : 1}
          className={`fill-card transition-colors ${errors ? "stroke-danger" : "stroke-line group-hover:stroke-edge"} group-focus-visible:stroke-accent group-focus-visible:stroke-2`}
        />
        <text x={14} y={24} className="fill-text font-mono text-[13px] font-semibold">
          {`${fitted(node.id, errors ? width - 66 : width - 28, 7.9)} `}
        </text>
        <text x={14} y={41} className="fill-soft text-[11.5px]">
          {fitted(node.nodeType, width - (metrics ? 84 : 28), 6.4)}
        </text>
      </g>
      <g className="pointer-events-none">
        {metrics && (
          <text x={width - 14} y={41} textAnchor="end" className="fill-soft text-[11px] tabular-nums">
            {`× ${countText(metrics.count)}`}
          </text>
        )}
        <line x1={0} x2={width} y1={52} y2={52} className="stroke-line" />
        {figures.map(([name, value], index) => (
          <text key={name} x={14 + (index * (width - 20)) / 3} y={69} className="fill-soft text-[10px]">
            {name}
            <tspan x={14 + (index * (width - 20)) / 3} dy={14} className="fill-text text-[11.5px] tabular-nums">
              {value === undefined || metrics?.count === 0 ? "–" : microText(value)}
            </tspan>
          </text>
        ))}
        {errors && (
          <g transform={`translate(${width - 46} 10)`}>
            <rect width={36} height={18} rx={9} className="fill-danger-soft" />
            <text x={18} y={13} textAnchor="middle" className="fill-danger text-[11px] font-semibold">
              {`${errors.count > 99 ? "99+" : errors.count} ✕`}
            </text>
          </g>
        )}
      </g>
    </g>
  );
}

function fitted(text: string, width: number, perCharacter: number): string {
  const most = Math.max(3, Math.floor(width / perCharacter));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
