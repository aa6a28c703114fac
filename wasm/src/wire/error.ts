import { RemoteMediaError } from "../errors.ts";

/** Bytes that are not a valid frame. `code` is "wire". */
export class WireError extends RemoteMediaError {
  override readonly name: string = "WireError";
  /** The field of the frame. */
  readonly field: string;
  /** Where that field starts, in bytes from the start of the frame. */
  readonly offset: number;

  constructor(message: string, field: string, offset: number) {
    super(`${field} at byte ${offset}: ${message.slice(0, 200)}`, { code: "wire" });
    this.field = field;
    this.offset = offset;
  }
}

/** A value that a data type does not accept, or that has no form on the wire. */
export function dataError(message: string): RemoteMediaError {
  return new RemoteMediaError(message, { code: "data" });
}

/** A value as messages show it. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  const of = Object.getPrototypeOf(value) as object | null;
  return `a value of type ${of?.constructor?.name ?? "Object"}`;
}
