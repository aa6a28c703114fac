// Places a graph in layers: every edge goes from a layer to a later one.
import type { GraphInfo } from "@remotemedia/web";

export type Direction = "right" | "down";

export interface Sizes {
  node: { width: number; height: number };
  /** The pills that stand for what is connected to the graph. */
  terminal: { width: number; height: number };
  /** Between layers: room for the caps of an edge. */
  layerGap: number;
  /** Between neighbours of a layer. */
  gap: number;
}

export interface Box {
  id: string;
  kind: "node" | "entry" | "outlet";
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Line {
  id: string;
  from: string;
  to: string;
  /** `node:port` → `node:port`, for people. */
  title: string;
  caps: string;
  /** A cubic: start, two controls, end. */
  points: readonly [number, number, number, number, number, number, number, number];
}

export interface Layout {
  width: number;
  height: number;
  boxes: Box[];
  lines: Line[];
}

interface Edge {
  from: string;
  to: string;
  title: string;
  caps: string;
}

export function nodeOf(address: string): string {
  const colon = address.indexOf(":");
  return colon < 0 ? address : address.slice(0, colon);
}

/** Longest path from a source, so that an edge never goes back. */
export function layersOf(ids: readonly string[], edges: readonly Pick<Edge, "from" | "to">[]): Map<string, number> {
  const layer = new Map(ids.map((id) => [id, 0]));
  // Enough rounds for the longest path; a cycle (which no manifest has) ends there too.
  for (let round = 0; round < ids.length; round += 1) {
    let changed = false;
    for (const { from, to } of edges) {
      const least = (layer.get(from) ?? 0) + 1;
      if ((layer.get(to) ?? 0) < least) {
        layer.set(to, least);
        changed = true;
      }
    }
    if (!changed) break;
  }
  return layer;
}

/** Orders each layer by the mean place of what feeds it, twice each way: few crossings, and stable. */
function ordered(layers: string[][], edges: readonly Edge[]): void {
  const place = new Map<string, number>();
  const note = (row: string[]) => row.forEach((id, index) => place.set(id, index - (row.length - 1) / 2));
  layers.forEach(note);
  const sort = (row: string[], end: "from" | "to", other: "from" | "to") => {
    const mean = new Map(
      row.map((id) => {
        const places = edges.filter((edge) => edge[end] === id).map((edge) => place.get(edge[other]) ?? 0);
        return [id, places.length ? places.reduce((a, b) => a + b, 0) / places.length : (place.get(id) ?? 0)];
      }),
    );
    row.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0));
    note(row);
  };
  for (let round = 0; round < 2; round += 1) {
    for (const row of layers) sort(row, "to", "from");
    for (const row of [...layers].reverse()) sort(row, "from", "to");
  }
}

/** The ids of terminals start with a character that no node id may have. */
export const ENTRY = "→in";
export const outletId = (address: string): string => `→${address}`;

export function layoutGraph(graph: GraphInfo, direction: Direction, sizes: Sizes): Layout {
  const edges: Edge[] = graph.edges.map((edge) => ({
    from: nodeOf(edge.from),
    to: nodeOf(edge.to),
    title: `${edge.from} → ${edge.to}`,
    caps: edge.caps,
  }));
  const ids = graph.nodes.map((node) => node.id);
  // What is declared, and over it what was negotiated.
  const caps = new Map(graph.nodes.flatMap((node) => Object.entries(node.outputs).map(([port, text]) => [`${node.id}:${port}`, text])));
  for (const edge of graph.edges) caps.set(edge.from, edge.caps);
  if (graph.entries.length > 0) {
    ids.unshift(ENTRY);
    for (const entry of graph.entries) edges.push({ from: ENTRY, to: nodeOf(entry), title: `input → ${entry}`, caps: "" });
  }
  for (const outlet of graph.outlets) {
    ids.push(outletId(outlet));
    edges.push({ from: nodeOf(outlet), to: outletId(outlet), title: `${outlet} → output`, caps: caps.get(outlet) ?? "" });
  }

  const layerOf = layersOf(ids, edges);
  const layers: string[][] = [];
  for (const id of ids) (layers[layerOf.get(id) ?? 0] ??= []).push(id);
  ordered(layers, edges);

  const right = direction === "right";
  const kindOf = (id: string): Box["kind"] => (id === ENTRY ? "entry" : id.startsWith("→") ? "outlet" : "node");
  const sizeOf = (id: string) => (kindOf(id) === "node" ? sizes.node : sizes.terminal);
  const along = (id: string) => (right ? sizeOf(id).width : sizeOf(id).height);
  const across = (id: string) => (right ? sizeOf(id).height : sizeOf(id).width);

  const depth = layers.map((row) => Math.max(...row.map(along)));
  const breadth = layers.map((row) => row.reduce((sum, id) => sum + across(id), sizes.gap * (row.length - 1)));
  const broadest = Math.max(0, ...breadth);
  const boxes = new Map<string, Box>();
  let main = 0;
  layers.forEach((row, index) => {
    let cross = (broadest - (breadth[index] ?? 0)) / 2;
    for (const id of row) {
      const centred = main + ((depth[index] ?? 0) - along(id)) / 2;
      const { width, height } = sizeOf(id);
      boxes.set(id, { id, kind: kindOf(id), x: right ? centred : cross, y: right ? cross : centred, width, height });
      cross += across(id) + sizes.gap;
    }
    main += (depth[index] ?? 0) + sizes.layerGap;
  });
  const length = Math.max(0, main - sizes.layerGap);

  const lines = edges.map((edge, index): Line => {
    const [from, to] = [boxes.get(edge.from) as Box, boxes.get(edge.to) as Box];
    const outs = edges.filter((other) => other.from === edge.from);
    const ins = edges.filter((other) => other.to === edge.to);
    const out = spread(outs.indexOf(edge), outs.length);
    const into = spread(ins.indexOf(edge), ins.length);
    const [x0, y0] = right ? [from.x + from.width, from.y + from.height * out] : [from.x + from.width * out, from.y + from.height];
    const [x1, y1] = right ? [to.x, to.y + to.height * into] : [to.x + to.width * into, to.y];
    const bend = (right ? x1 - x0 : y1 - y0) / 2;
    const points: Line["points"] = right
      ? [x0, y0, x0 + bend, y0, x1 - bend, y1, x1, y1]
      : [x0, y0, x0, y0 + bend, x1, y1 - bend, x1, y1];
    return { id: `${index}:${edge.title}`, from: edge.from, to: edge.to, title: edge.title, caps: edge.caps, points };
  });
  return { width: right ? length : broadest, height: right ? broadest : length, boxes: [...boxes.values()], lines };
}

/** Where the i-th of n edges meets a side: 0.5 for one, evenly within the middle for more. */
function spread(index: number, count: number): number {
  return count < 2 ? 0.5 : 0.3 + (0.4 * index) / (count - 1);
}
