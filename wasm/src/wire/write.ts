// Our form, writing: `u32 map_len | msgpack map | zero padding | body`, canonical.
import type { EndOfInput, Packet } from "../data.ts";
import { dataError } from "./error.ts";
import { checkData, checkField, KIND_OF, PLACE } from "./fields.ts";
import { ALIGNMENT, MAX_MAP, OWN_FORM, writeHead } from "./frame.ts";
import { Packer } from "./pack.ts";

export function writeOwn(item: Packet | EndOfInput, session: string): Uint8Array<ArrayBuffer> {
  const data = item.data;
  const body = data === undefined ? null : checkData(data);
  const kind = KIND_OF.get(data === undefined ? null : data.type)!;
  const packer = new Packer();
  packer.map(kind.fields.length);
  kind.fields.forEach((field, index) => {
    const values = (index < PLACE ? item : data) as unknown as Record<string, unknown>;
    const value = values[field.prop] ?? null;
    packer.raw(field.key);
    if (field.form === "nested") return packer.value(value, field.prop);
    if (index < PLACE) checkField(field, values, "");
    packer.field(value);
  });
  const mapLen = packer.length;
  if (mapLen > MAX_MAP) {
    throw dataError(
      `the fields of a frame have at most ${MAX_MAP} bytes, not ${mapLen}: send a large value in parts, or as binary`,
    );
  }
  let at = 0;
  const { bytes, view, start } = writeHead(kind.code | OWN_FORM, session, item.timestampUs, (from) => {
    at = from + 4 + mapLen;
    if (body !== null) at = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
    return at - from + (body?.length ?? 0);
  });
  view.setUint32(start, mapLen, true);
  bytes.set(packer.bytes, start + 4);
  if (body !== null) bytes.set(body, at);
  return bytes;
}
