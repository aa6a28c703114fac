import { WireError } from "./error.ts";
import { MAX_INT } from "./fields.ts";
import type { Source } from "./frame.ts";
import { readJson } from "./json.ts";
import { fromUtf8, utf8Fault } from "./utf8.ts";
import { integer } from "./value.ts";

const MAX_JSON = 2 ** 20; // bytes

/** Reads a payload from front to back; what is not there is an error that names the field. */
export class Cursor {
  readonly #source: Source;
  pos: number;

  constructor(source: Source, pos: number) {
    this.#source = source;
    this.pos = pos;
  }

  get left(): number {
    return this.#source.bytes.length - this.pos;
  }

  /** Passes over the bytes, and says where they start. */
  skip(count: number, field: string): number {
    const start = this.pos;
    if (count > this.left) throw new WireError(`cut short: ${this.left} of ${count} bytes`, field, start);
    this.pos += count;
    return start;
  }

  u8(field: string): number {
    return this.#source.view.getUint8(this.skip(1, field));
  }

  u16(field: string): number {
    return this.#source.view.getUint16(this.skip(2, field), true);
  }

  u32(field: string): number {
    return this.#source.view.getUint32(this.skip(4, field), true);
  }

  u64(field: string): number | bigint {
    const value = this.#source.view.getBigUint64(this.skip(8, field), true);
    if (value > MAX_INT) throw new WireError(`${value} does not fit 63 bits`, field, this.pos - 8);
    return integer(value);
  }

  /** `count` integers of 64 bits. Those beyond 2**53 are not exact: they are only compared with what is there. */
  sizes(count: number, field: string, signed: boolean): number[] {
    const start = this.skip(8 * count, field);
    const { view } = this.#source;
    return Array.from({ length: count }, (_, index) => {
      const at = start + 8 * index;
      return Number(signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true));
    });
  }

  text(count: number, field: string): string {
    const start = this.skip(count, field);
    const { bytes } = this.#source;
    const fault = utf8Fault(bytes, start, this.pos);
    if (fault >= 0) throw new WireError("not UTF-8", field, fault);
    return fromUtf8(bytes, start, this.pos);
  }

  json(count: number, limit: number, field: string): ReturnType<typeof readJson> {
    const start = this.skip(count, field);
    if (count > MAX_JSON) throw new WireError(`${count} bytes, at most ${MAX_JSON} are taken`, field, start);
    return readJson(this.#source.bytes, start, this.pos, limit, field);
  }

  /** All that is left. */
  rest(): Uint8Array<ArrayBuffer> {
    return this.#source.bytes.subarray(this.skip(this.left, ""));
  }

  /** The next byte, not taken yet. */
  peek(): number | undefined {
    return this.#source.bytes[this.pos];
  }
}
