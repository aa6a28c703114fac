import { countText, microText } from "../figures.ts";
import { useStore } from "../store.ts";
import { Card, Nothing } from "./Card.tsx";

export function LatencyTable({ className = "" }: { className?: string }) {
  const metrics = useStore((state) => state.metrics);
  const nodes = metrics?.nodes ?? [];
  return (
    <Card className={className} title="Latency of nodes" aside={<span className="text-xs text-soft tabular-nums">{metrics ? `${(metrics.memoryBytes / 1e6).toFixed(0)} MB of WebAssembly memory` : ""}</span>}>
      {nodes.length === 0 ? (
        <div data-testid="latency-table" className="h-32">
          <Nothing>Measured while it runs, always.</Nothing>
        </div>
      ) : (
        <div role="region" aria-label="Table of latencies" tabIndex={0} className="min-h-32 overflow-x-auto">
          <table data-testid="latency-table" className="w-full text-right text-xs whitespace-nowrap tabular-nums [&_td]:py-1.5 [&_td]:pl-1.5 sm:[&_td]:pl-3 [&_th]:py-1.5 [&_th]:pl-1.5 sm:[&_th]:pl-3 [&_th]:font-medium">
            <thead className="text-soft">
              <tr>
                <th scope="col" className="!pl-0 text-left">Node</th>
                <th scope="col">Items</th>
                <th scope="col">p50</th>
                <th scope="col">p95</th>
                <th scope="col">p99</th>
                <th scope="col" className="max-sm:hidden">Most</th>
                <th scope="col">Errors</th>
              </tr>
            </thead>
            <tbody>
              {nodes.map(({ node, count, errors, latency }) => (
                <tr key={node} data-node-id={node} className="border-t border-line">
                  <th scope="row" className="max-w-32 truncate !pl-0 text-left font-mono">
                    {node}
                  </th>
                  <td>{countText(count)}</td>
                  <td>{microText(latency.p50_us)}</td>
                  <td>{microText(latency.p95_us)}</td>
                  <td>{microText(latency.p99_us)}</td>
                  <td className="max-sm:hidden">{microText(latency.max_us)}</td>
                  <td className={errors ? "font-semibold text-danger" : "text-soft"}>{countText(errors)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
