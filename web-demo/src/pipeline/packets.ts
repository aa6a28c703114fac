// Packets as JSON lines, for people and programs.
import type { Data, Packet } from "@remotemedia/web";

const MAX_LINES = 100_000;

export function ptsOf(data: Data): number | null {
  return data.ptsUs === null ? null : Number(data.ptsUs);
}

/** Collects lines; what is too much is counted, not kept. */
export class PacketLines {
  #lines: string[] = [];
  #left = 0;

  add(packet: Packet): void {
    if (this.#lines.length < MAX_LINES) this.#lines.push(lineOf(packet));
    else this.#left += 1;
  }

  get count(): number {
    return this.#lines.length;
  }

  blob(): Blob {
    const lines = this.#left ? [...this.#lines, JSON.stringify({ left_out: this.#left })] : this.#lines;
    return new Blob([lines.join("\n"), "\n"], { type: "application/x-ndjson" });
  }
}

export function lineOf(packet: Packet): string {
  return JSON.stringify(packet, (_key, value: unknown) => {
    if (typeof value === "bigint") return Number(value);
    // Samples and other bytes belong into files of their own.
    if (ArrayBuffer.isView(value)) return { bytes: value.byteLength };
    return value;
  });
}
