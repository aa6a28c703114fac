// The head of a frame, the same in both forms:
// u8 type | u16 session_len | session utf-8 | u64 timestamp_us | u32 payload_len | payload
import { dataError, shown, WireError } from "./error.ts";
import { isWhole, kindOf } from "./fields.ts";
import { fromUtf8, toUtf8, utf8Fault } from "./utf8.ts";
import { integer } from "./value.ts";

export const OWN_FORM = 0x80; // this bit of the type byte says: our form
export const ALIGNMENT = 64; // bytes: the widest vector load, and a cache line
export const MAX_MAP = 16 * 2 ** 20; // bytes; bounds what nested values can grow to when they are decoded
const HEAD_SIZE = 15; // of a frame without a session name
const MAX_SESSION = 0xffff; // bytes of UTF-8
const MAX_PAYLOAD = 0xffff_ffff;
const LAST_PLAIN = 8; // types above have our form only

export interface Head {
  code: number;
  session: string;
  timestampUs: number | bigint;
  /** Where the payload starts. */
  start: number;
}

/** The bytes of one frame, with the view that its numbers are read through. */
export interface Source {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView;
}

export function readHead({ bytes, view }: Source): Head {
  const size = bytes.length;
  if (size === 0) throw new WireError("the frame is empty", "type", 0);
  const code = bytes[0]!;
  const known = kindOf(code & ~OWN_FORM);
  if (!known || code > LAST_PLAIN && code < OWN_FORM) {
    const hex = (byte: number) => `0x${byte.toString(16).padStart(2, "0")}`;
    const own = known ? `${known.type} has no plain form; its type byte is ${hex(code | OWN_FORM)}` : "";
    throw new WireError(own || `no frame has type ${hex(code)}`, "type", 0);
  }
  const sessionLen = size < 3 ? 0 : view.getUint16(1, true);
  const end = 3 + sessionLen;
  const parts = [["session_len", 1, 3], ["session", 3, end], ["timestamp_us", end, end + 8],
    ["payload_len", end + 8, end + 12]] as const;
  for (const [field, from, to] of parts) {
    if (size < to) throw new WireError(`cut short: ${size - from} of ${to - from} bytes`, field, from);
  }
  const fault = utf8Fault(bytes, 3, end);
  if (fault >= 0) throw new WireError("not UTF-8", "session", fault);
  const start = HEAD_SIZE + sessionLen;
  const payloadLen = view.getUint32(end + 8, true);
  if (size - start !== payloadLen) {
    const message = size - start < payloadLen ? "cut short" : "bytes after the frame";
    throw new WireError(`${message}: ${payloadLen} announced, ${size - start} are there`, "payload_len", start - 4);
  }
  return { code, session: fromUtf8(bytes, 3, end), timestampUs: integer(view.getBigUint64(end, true)), start };
}

/** A frame of the right size, its payload still zero. The payload's size depends on where it starts. */
export function writeHead(
  code: number, session: string, timestampUs: number | bigint, payloadLen: (start: number) => number,
): Source & { start: number } {
  if (!session.isWellFormed()) throw dataError("session is not valid Unicode");
  const name = toUtf8(session);
  if (name.length > MAX_SESSION) throw dataError(`a session name has at most ${MAX_SESSION} bytes, not ${name.length}`);
  if (!isWhole(timestampUs) || timestampUs < 0 || timestampUs >= 2n ** 64n) {
    throw dataError(`timestampUs must be a whole number from 0 to 2**64 - 1, not ${shown(timestampUs)}`);
  }
  const start = HEAD_SIZE + name.length;
  const length = payloadLen(start);
  if (length > MAX_PAYLOAD) {
    throw dataError(`a payload has at most ${MAX_PAYLOAD} bytes, not ${length}: send it in parts`);
  }
  const bytes = new Uint8Array(start + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = code;
  view.setUint16(1, name.length, true);
  bytes.set(name, 3);
  view.setBigUint64(start - 12, BigInt(timestampUs), true);
  view.setUint32(start - 4, length, true);
  return { bytes, view, start };
}

interface ArrayOf<A> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, start: number, length: number): A;
}

/** The elements that fill the bytes: a view where they are aligned, else a copy. */
export function elements<A>(kind: ArrayOf<A>, bytes: Uint8Array<ArrayBuffer>): A {
  const { buffer, byteOffset } = bytes.byteOffset % kind.BYTES_PER_ELEMENT ? bytes.slice() : bytes;
  return new kind(buffer, byteOffset, bytes.length / kind.BYTES_PER_ELEMENT);
}
