import type { GraphEdge, GraphNode } from "@remotemedia/web";
import { useEffect, useRef } from "react";
import { useStore } from "../store.ts";
import { Button } from "./controls.tsx";

interface Props {
  /** Null: closed. */
  node: GraphNode | null;
  edges: readonly GraphEdge[];
  onClose: () => void;
}

/** What a node is and how it is set; a native dialog, so Esc closes it and focus goes back. */
export function NodeDialog({ node, edges, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const errors = useStore((state) => (node ? state.nodeErrors[node.id] : undefined));
  useEffect(() => {
    if (node && !dialog.current?.open) dialog.current?.showModal();
    if (!node) dialog.current?.close();
  }, [node]);

  return (
    <dialog
      ref={dialog}
      aria-labelledby="node-title"
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close(); // beside it
      }}
      className="m-auto w-[min(38rem,calc(100vw-2rem))] rounded-2xl border border-line bg-card p-0 text-text shadow-2xl backdrop:bg-black/40"
    >
      {node && (
        <div className="p-5">
          <div className="flex items-start justify-between gap-4">
            <div className="min-w-0">
              <h2 id="node-title" className="font-mono text-lg font-semibold break-all">
                {node.id}
              </h2>
              <p className="text-sm text-soft">{node.nodeType}</p>
            </div>
            <Button size="medium" onClick={() => dialog.current?.close()}>
              Close
            </Button>
          </div>
          <p className="mt-3 text-sm">{node.summary}</p>
          {errors && <p className="mt-3 rounded-lg bg-danger-soft p-3 text-sm break-words text-danger">{`${errors.count} × ${errors.last}`}</p>}
          <Table title="Parameters" rows={Object.entries(node.params).map(([name, value]) => [name, JSON.stringify(value)])} />
          <Table title="Takes" rows={Object.entries(node.inputs)} />
          <Table title="Gives" rows={Object.entries(node.outputs)} />
          <Table title="Connections" rows={edges.map(({ from, to }) => [from, `→ ${to}`])} />
        </div>
      )}
    </dialog>
  );
}

function Table({ title, rows }: { title: string; rows: readonly (readonly [string, string])[] }) {
  if (rows.length === 0) return null;
  return (
    <section className="mt-4">
      <h3 className="text-xs font-medium text-soft">{title}</h3>
      <dl className="mt-1 divide-y divide-line text-sm">
        {rows.map(([name, value], index) => (
          <div key={index} className="grid grid-cols-[minmax(6rem,2fr)_5fr] gap-3 py-1.5">
            <dt className="break-words">{name}</dt>
            <dd className="font-mono text-xs leading-5 break-words text-soft">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
