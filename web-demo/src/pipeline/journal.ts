// The log of a page: what happened, the newest last, repeats counted.
import type { PipelineEvent } from "@remotemedia/web";
import type { LogEntry, Store } from "../store.ts";

const MAX_ENTRIES = 200;

type Told = Partial<Pick<LogEntry, "detail" | "traceback" | "node">>;

export class Journal {
  readonly #store: Store;
  #next = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  add(kind: LogEntry["kind"], title: string, told: Told = {}): void {
    const entry = { kind, title, detail: told.detail ?? "", traceback: told.traceback ?? "", node: told.node ?? null };
    this.#store.setState(({ log }) => {
      const last = log.at(-1);
      const same = last && last.kind === kind && last.title === title && last.node === entry.node;
      const atMs = performance.now();
      if (same) return { log: [...log.slice(0, -1), { ...last, ...entry, atMs, count: last.count + 1 }] };
      return { log: [...log, { ...entry, key: this.#next++, atMs, count: 1 }].slice(-MAX_ENTRIES) };
    });
  }

  /** An event of the pipeline; errors are counted at their node, too. */
  event(event: PipelineEvent): void {
    switch (event.kind) {
      case "error": {
        const { error, node, port } = event;
        const place = node === null ? "" : `${node}${port ? `:${port}` : ""}`;
        this.add("error", error.message, { detail: [place, `item ${event.sequence}`].filter(Boolean).join(" · "), traceback: error.traceback, node });
        if (node !== null) this.#count(node, error.message);
        return;
      }
      case "hung":
        this.add("error", event.message, { node: event.node });
        if (event.node !== null) this.#count(event.node, event.message);
        return;
      case "session":
        // How far a model is, many times a second: shown where the model is.
        if (event.what === "progress" && event.node) this.#progress(event.node, event.message, event.fraction);
        else this.add("info", event.message, { node: event.node });
        return;
      case "state":
        this.add("info", event.message || `The pipeline is ${event.state}`);
        return;
      case "warning":
      case "restart":
      case "suspended":
        this.add("warning", event.message);
        return;
      default:
        this.add("info", event.message);
    }
  }

  #progress(node: string, message: string, fraction: number | null): void {
    this.#store.setState(({ stage, modelProgress }) => (stage === "starting" ? { modelProgress: { ...modelProgress, [node]: { message, fraction } } } : {}));
  }

  #count(node: string, last: string): void {
    this.#store.setState(({ nodeErrors }) => ({
      nodeErrors: { ...nodeErrors, [node]: { count: (nodeErrors[node]?.count ?? 0) + 1, last } },
    }));
  }
}
