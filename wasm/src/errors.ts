// Errors, in TypeScript as in Python: one class with a code, rebuilt from what crosses the worker.
import type { ErrorInfo } from "./protocol.generated.ts";
import type { Problem } from "./types.ts";

export interface ErrorOptions {
  code?: string;
  node?: string | null;
  port?: string | null;
  /** The traceback of Python, for people. */
  traceback?: string;
  problems?: readonly Problem[];
  cause?: unknown;
}

/**
 * Every error that this package raises on purpose.
 *
 * `code` is that of the Python class (`manifest`, `node`, `format`, `address`, …) or one of the page's
 * own: `load` (a file of the runtime cannot be had; `message` says which and why), `microphone`,
 * `worker` (it died and cannot be started again), `state` (not possible now), `aborted`.
 */
export class RemoteMediaError extends Error {
  override readonly name: string = "RemoteMediaError";
  readonly code: string;
  readonly node: string | null;
  readonly port: string | null;
  readonly traceback: string;
  /** All that is wrong with a manifest, with line and column. */
  readonly problems: readonly Problem[];

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? "error";
    this.node = options.node ?? null;
    this.port = options.port ?? null;
    this.traceback = options.traceback ?? "";
    this.problems = options.problems ?? [];
  }
}

/** The error that Python raised. */
export function fromInfo(info: ErrorInfo): RemoteMediaError {
  return new RemoteMediaError(info.message, info);
}

/** What to show of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
