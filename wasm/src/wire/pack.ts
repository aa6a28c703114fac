// The part of msgpack that frames use, writing: JSON-like values under string keys.
import { dataError, shown } from "./error.ts";
import { toUtf8 } from "./utf8.ts";
import { fits64, MAX_DEPTH } from "./value.ts";

/** Writes canonical msgpack: each value in its shortest form, floats as float64. */
export class Packer {
  length = 0;
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #path: (string | number)[] = [];

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length); // first, for it may exchange the buffer
    this.#bytes.set(bytes, at);
  }

  text(text: string): void {
    if (text.length < 32 && this.#ascii(text)) return; // most keys and values are such
    const bytes = toUtf8(text);
    const size = bytes.length;
    if (size < 32) this.#number(1, 0xa0 | size);
    else this.#length(size, size < 0x100 ? 0xd9 : 0, 0xda);
    this.raw(bytes);
  }

  #ascii(text: string): boolean {
    const at = this.#room(1 + text.length);
    this.#bytes[at] = 0xa0 | text.length;
    for (let each = 0; each < text.length; each++) {
      const code = text.charCodeAt(each);
      if (code >= 0x80) {
        this.length = at;
        return false;
      }
      this.#bytes[at + 1 + each] = code;
    }
    return true;
  }

  map(count: number): void {
    if (count < 16) this.#number(1, 0x80 | count);
    else this.#length(count, 0, 0xde);
  }

  list(count: number): void {
    if (count < 16) this.#number(1, 0x90 | count);
    else this.#length(count, 0, 0xdc);
  }

  integer(value: number | bigint): void {
    const n = Number(value);
    if (n >= 0) {
      if (n < 0x80) this.#number(1, n);
      else if (n < 0x100) this.#number(1, n, 0xcc);
      else if (n < 0x1_0000) this.#number(2, n, 0xcd);
      else if (n < 0x1_0000_0000) this.#number(4, n, 0xce);
      else this.#wide(0xcf, BigInt(value));
    } else if (n >= -32) this.#number(1, n);
    else if (n >= -0x80) this.#number(1, n, 0xd0);
    else if (n >= -0x8000) this.#number(2, n, 0xd1);
    else if (n >= -0x8000_0000) this.#number(4, n, 0xd2);
    else this.#wide(0xd3, BigInt(value));
  }

  /** A field: text, an integer, a bool, null, or a list of integers. */
  field(value: unknown): void {
    if (typeof value === "string") this.text(value);
    else if (typeof value === "number" || typeof value === "bigint") this.integer(value);
    else if (typeof value === "boolean") this.#number(1, value ? 0xc3 : 0xc2);
    else if (Array.isArray(value)) {
      this.list(value.length);
      for (const each of value as (number | bigint)[]) this.integer(each);
    } else this.#number(1, 0xc0);
  }

  /** A JSON-like value. What JSON cannot say is a `RemoteMediaError` that names its place. */
  value(value: unknown, name: string): void {
    this.#path = [name];
    this.#value(value, MAX_DEPTH);
  }

  #value(value: unknown, depth: number): void {
    if (typeof value === "number") {
      if (!Number.isFinite(value)) throw this.#wrong(`${value} is not JSON: NaN and infinity have no form there`);
      // -0 and what is beyond exact integers are floats in every language.
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(value);
      else this.#wide(0xcb, value);
    } else if (typeof value === "string") {
      this.#text(value);
    } else if (typeof value === "bigint") {
      if (!fits64(value)) throw this.#wrong("an integer that does not fit 64 bits");
      this.integer(value);
    } else if (typeof value === "boolean" || value === null) {
      this.field(value);
    } else if (!Array.isArray(value) && !isPlain(value)) {
      const hint = ArrayBuffer.isView(value) ? ": use Array.from(…)" : "";
      throw this.#wrong(`${shown(value)} is not JSON${hint}`);
    } else if (depth === 0) {
      throw this.#wrong(`nested deeper than ${MAX_DEPTH}`);
    } else if (Array.isArray(value)) {
      this.list(value.length);
      for (let index = 0; index < value.length; index++) this.#child(index, value[index], depth - 1);
    } else {
      const keys = Object.keys(value).filter((key) => value[key] !== undefined); // as JSON.stringify does
      this.map(keys.length);
      for (const key of keys) {
        this.#text(key);
        this.#child(key, value[key], depth - 1);
      }
    }
  }

  #child(step: string | number, value: unknown, depth: number): void {
    this.#path.push(step);
    this.#value(value, depth);
    this.#path.pop();
  }

  #text(text: string): void {
    if (!text.isWellFormed()) throw this.#wrong(`${shown(text)} has a lone surrogate, and is no valid Unicode`);
    this.text(text);
  }

  #wrong(message: string): Error {
    const place = this.#path.map((step, i) => (typeof step === "number" ? `[${step}]` : i > 0 ? `.${step}` : step));
    return dataError(`${place.join("").slice(0, 200)}: ${message}`);
  }

  /** `short` 0: there is no form with one byte of length. Those with four follow the one with two. */
  #length(count: number, short: number, medium: number): void {
    if (short) this.#number(1, count, short);
    else if (count < 0x1_0000) this.#number(2, count, medium);
    else this.#number(4, count, medium + 1);
  }

  #number(size: 1 | 2 | 4, value: number, opcode?: number): void {
    const at = opcode === undefined ? this.#room(size) : this.#opcode(opcode, size);
    if (size === 1) this.#bytes[at] = value;
    else if (size === 2) this.#view.setUint16(at, value);
    else this.#view.setUint32(at, value);
  }

  #wide(opcode: number, value: number | bigint): void {
    const at = this.#opcode(opcode, 8);
    if (typeof value === "bigint") this.#view.setBigInt64(at, value); // the bits are the same without a sign
    else this.#view.setFloat64(at, value);
  }

  #opcode(opcode: number, size: number): number {
    const at = this.#room(size + 1);
    this.#bytes[at] = opcode;
    return at + 1;
  }

  #room(size: number): number {
    const at = this.length;
    this.length += size;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const of = Object.getPrototypeOf(value) as object | null; // of another realm perhaps: so not compared with ours
  return of === null || Object.getPrototypeOf(of) === null;
}
