// The part of msgpack that frames use, reading: no binary, no extension types, no NaN.
import { WireError } from "./error.ts";
import { fromUtf8, utf8Fault } from "./utf8.ts";
import { integer, MAX_DEPTH, put } from "./value.ts";

const MAX_KEYS = 64; // of a frame's own map: all known ones, and room for those of later versions

// Bytes after the opcodes 0xC0 to 0xD3, for those that are nil, a bool or a number.
const SCALARS = [0, , 0, 0, , , , , , , 4, 8, 1, 2, 4, 8, 1, 2, 4, 8];

/** Reads msgpack: `places` first, which checks everything and makes nothing; then values, which check no more. */
export class Unpacker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #pos: number;
  #field = "map";

  /** `start` and `end` count from the start of the frame, as do the offsets of errors. */
  constructor(bytes: Uint8Array, view: DataView, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#pos = start;
    this.#end = end;
  }

  /** Where the value of each key of a frame's own map starts. */
  places(): Map<string, number> {
    const start = this.#pos;
    const opcode = start < this.#end ? this.#bytes[start]! : 0;
    if ((opcode & 0xf0) !== 0x80 && opcode !== 0xde && opcode !== 0xdf) this.#fault("not a msgpack map");
    const count = this.#count(opcode);
    if (count > MAX_KEYS) this.#fault(`${count} keys, at most ${MAX_KEYS} are taken`, start);
    const places = new Map<string, number>();
    for (let each = 0; each < count; each++) {
      const at = this.#pos;
      this.#field = "map";
      if (at >= this.#end) this.#fault("cut short: a key is missing");
      const from = this.#string(true);
      const name = fromUtf8(this.#bytes, from, this.#pos);
      if (places.has(name)) throw new WireError("the key is there twice", name, at);
      places.set(name, this.#pos);
      this.#field = name.slice(0, 64);
      this.#read(MAX_DEPTH, false);
    }
    this.#field = "map";
    if (this.#pos !== this.#end) this.#fault(`${this.#end - this.#pos} bytes after the map's end`);
    return places;
  }

  /** The value at `place`. */
  value(place: number): unknown {
    this.#pos = place;
    return this.#read(MAX_DEPTH, true);
  }

  /** The value at `place`, where it is text, an integer, a bool or nil; undefined for all others. */
  scalar(place: number): unknown {
    const opcode = this.#bytes[place]!;
    const other = (opcode & 0xe0) === 0x80 || opcode === 0xca || opcode === 0xcb || (opcode >= 0xdc && opcode < 0xe0);
    return other ? undefined : this.value(place);
  }

  /** The list of at most `limit` scalars at `place`; undefined for all else. */
  scalars(place: number, limit: number): unknown {
    const opcode = this.#bytes[place]!;
    if ((opcode & 0xf0) !== 0x90 && opcode !== 0xdc && opcode !== 0xdd) return undefined;
    this.#pos = place;
    const count = this.#count(opcode);
    return count > limit ? undefined : Array.from({ length: count }, () => this.scalar(this.#pos));
  }

  isMap(place: number): boolean {
    const opcode = this.#bytes[place]!;
    return (opcode & 0xf0) === 0x80 || opcode === 0xde || opcode === 0xdf;
  }

  #read(depth: number, build: boolean): unknown {
    const at = this.#pos;
    if (at >= this.#end) this.#fault("cut short: a value is missing");
    const opcode = this.#bytes[at]!;
    if (opcode < 0x80 || opcode >= 0xe0) {
      this.#pos++;
      return opcode < 0x80 ? opcode : opcode - 0x100;
    }
    const size = SCALARS[opcode - 0xc0];
    if (size !== undefined) {
      if (at + 1 + size > this.#end) this.#fault("cut short inside a number");
      this.#pos += 1 + size;
      return this.#scalar(opcode, at + 1);
    }
    if (isString(opcode)) {
      const from = this.#string(!build);
      return build ? fromUtf8(this.#bytes, from, this.#pos) : undefined;
    }
    const pairs = this.isMap(at);
    if (!pairs && (opcode & 0xf0) !== 0x90 && opcode !== 0xdc && opcode !== 0xdd) {
      this.#fault(`msgpack 0x${opcode.toString(16)} (binary or extension) is not taken`);
    }
    const count = this.#count(opcode);
    const left = this.#end - this.#pos;
    if (depth === 0) this.#fault(`nested deeper than ${MAX_DEPTH}`, at);
    // Every item has at least one byte.
    if ((pairs ? 2 * count : count) > left) this.#fault(`${count} items cannot be in ${left} bytes`, at);
    const list: unknown[] | undefined = build && !pairs ? [] : undefined;
    const map: Record<string, unknown> | undefined = build && pairs ? {} : undefined;
    for (let each = 0; each < count; each++) {
      if (pairs && this.#pos >= this.#end) this.#fault("cut short: a value is missing");
      const from = pairs ? this.#string(!build) : 0;
      const key = map === undefined ? "" : fromUtf8(this.#bytes, from, this.#pos);
      const value = this.#read(depth - 1, build);
      if (map !== undefined) put(map, key, value); // the last of two equal keys wins, as in JSON
      else list?.push(value);
    }
    return map ?? list;
  }

  #scalar(opcode: number, at: number): unknown {
    const view = this.#view;
    switch (opcode) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xca: return this.#finite(view.getFloat32(at), at);
      case 0xcb: return this.#finite(view.getFloat64(at), at);
      case 0xcc: return view.getUint8(at);
      case 0xcd: return view.getUint16(at);
      case 0xce: return view.getUint32(at);
      case 0xcf: return integer(view.getBigUint64(at));
      case 0xd0: return view.getInt8(at);
      case 0xd1: return view.getInt16(at);
      case 0xd2: return view.getInt32(at);
      default: return integer(view.getBigInt64(at));
    }
  }

  #finite(number: number, at: number): number {
    if (!Number.isFinite(number)) this.#fault(`${number} is not JSON`, at - 1);
    return number;
  }

  /** Where the text of the string starts that is next; what follows it is next then. */
  #string(check: boolean): number {
    const at = this.#pos;
    const opcode = this.#bytes[at]!;
    if (!isString(opcode)) this.#fault("a key is not a string");
    const count = this.#count(opcode);
    const from = this.#pos;
    const end = from + count;
    if (end > this.#end) this.#fault(`cut short: ${this.#end - from} of ${count} bytes of text`, at);
    const fault = check ? utf8Fault(this.#bytes, from, end) : -1;
    if (fault >= 0) this.#fault("not UTF-8", fault);
    this.#pos = end;
    return from;
  }

  /** The length of a string, list or map; what follows it is next then. */
  #count(opcode: number): number {
    const at = this.#pos;
    if (opcode < 0xc0) {
      this.#pos++;
      return opcode & (opcode < 0xa0 ? 0x0f : 0x1f);
    }
    const width = opcode === 0xd9 ? 1 : opcode === 0xda || opcode === 0xdc || opcode === 0xde ? 2 : 4;
    if (at + 1 + width > this.#end) this.#fault("cut short inside a length");
    this.#pos += 1 + width;
    if (width === 1) return this.#view.getUint8(at + 1);
    return width === 2 ? this.#view.getUint16(at + 1) : this.#view.getUint32(at + 1);
  }

  #fault(message: string, at = this.#pos): never {
    throw new WireError(message, this.#field, at);
  }
}

function isString(opcode: number): boolean {
  return (opcode & 0xe0) === 0xa0 || (opcode >= 0xd9 && opcode <= 0xdb);
}
