// Our form, reading: every length is checked before anything of that length is made.
import type { Data, EndOfInput, Packet } from "../data.ts";
import { WireError } from "./error.ts";
import { type Checked, type Field, type Kind, kindOf, MAX_DIMENSIONS, PLACE } from "./fields.ts";
import { ALIGNMENT, elements, type Head, MAX_MAP, OWN_FORM, type Source } from "./frame.ts";
import { Unpacker } from "./unpack.ts";

export type Values = Record<string, unknown>;

/** What fields and body make together; each has passed its checks. */
export function make(kind: Kind, fields: Values, body: Uint8Array<ArrayBuffer> = new Uint8Array()): Data {
  const data: Values = { type: kind.type, ...fields };
  if (kind.body !== null) {
    const array = elements<ArrayLike<unknown>>(kind.array(fields as unknown as Checked), body);
    data[kind.body] = array;
    if (kind.type === "audio") data["frames"] = array.length / (fields["channels"] as number);
  }
  return data as unknown as Data;
}

/** The checks across fields. `where` says how the form calls the field, and where it is. */
export function checkBody(
  kind: Kind, fields: Values, body: Uint8Array, where: (field: string) => readonly [string, number],
): void {
  const fault = kind.fault(fields as unknown as Checked, body);
  if (fault) throw new WireError(fault[1], ...where(fault[0]));
}

export function readOwn(source: Source, { code, timestampUs, start }: Head): Packet | EndOfInput {
  const { bytes, view } = source;
  const kind = kindOf(code & ~OWN_FORM)!;
  const base = start + 4;
  if (base > bytes.length) throw new WireError(`cut short: ${bytes.length - start} of 4 bytes`, "map_len", start);
  const mapLen = view.getUint32(start, true);
  const mapEnd = base + mapLen;
  if (mapEnd > bytes.length) {
    throw new WireError(`${mapLen} bytes are not there, ${bytes.length - base} are`, "map_len", start);
  }
  if (mapLen > MAX_MAP) throw new WireError(`${mapLen} bytes, at most ${MAX_MAP} are taken`, "map_len", start);

  const unpacker = new Unpacker(bytes, view, base, mapEnd);
  const places = unpacker.places();
  const values = readFields(kind, unpacker, places);
  for (const { name } of kind.fields) if (!places.has(name)) throw new WireError("the key is missing", name, base);
  const bodyStart = findBody(kind, bytes, mapEnd);
  const body = bytes.subarray(bodyStart);

  const place: Values = { timestampUs };
  for (const { prop } of kind.fields.slice(0, PLACE)) place[prop] = values[prop];
  if (kind.type === null) return place as unknown as EndOfInput;

  const nested = kind.fields.filter((field) => field.form === "nested");
  for (const { name, expected, accepts } of nested) {
    const at = places.get(name)!;
    // Looked at before it is made, for what is made here may be large.
    if (expected && !unpacker.isMap(at) && !accepts(unpacker.scalar(at))) {
      throw new WireError(`must be ${expected}`, name, at);
    }
  }
  checkBody(kind, values, body, (field) => [field, places.get(field) ?? bodyStart]);

  const fields: Values = {};
  for (const { prop } of kind.fields.slice(PLACE)) fields[prop] = values[prop];
  for (const { name, prop } of nested) fields[prop] = unpacker.value(places.get(name)!);
  return { data: make(kind, fields, body), ...place } as unknown as Packet;
}

/** All but what is nested. Unknown keys are left alone: a later version adds a field by adding a key. */
function readFields(kind: Kind, unpacker: Unpacker, places: ReadonlyMap<string, number>): Values {
  const values: Values = {};
  for (const [name, at] of places) {
    const field = kind.byName.get(name);
    if (field && field.form !== "nested") values[field.prop] = readField(field, unpacker, at);
  }
  return values;
}

function readField(field: Field, unpacker: Unpacker, at: number): unknown {
  const value = field.form === "shape" ? unpacker.scalars(at, MAX_DIMENSIONS) : unpacker.scalar(at);
  if (!field.accepts(value)) throw new WireError(`must be ${field.expected}`, field.name, at);
  return value;
}

function findBody(kind: Kind, bytes: Uint8Array, mapEnd: number): number {
  const end = bytes.length;
  if (kind.body === null) {
    if (mapEnd !== end) throw new WireError(`${end - mapEnd} bytes after the map of a type without`, "body", mapEnd);
    return end;
  }
  const start = Math.ceil(mapEnd / ALIGNMENT) * ALIGNMENT;
  if (start > end) throw new WireError(`cut short: ${end - mapEnd} of ${start - mapEnd} bytes`, "padding", mapEnd);
  if (bytes.subarray(mapEnd, start).some((byte) => byte !== 0)) throw new WireError("not zero", "padding", mapEnd);
  return start;
}
