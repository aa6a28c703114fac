// The wire: one frame for workers, sockets and recordings. docs/design/wire.md has the layouts and the reasons.
import type { Data, EndOfInput, Integer, Packet } from "../data.ts";
import { dataError, shown } from "./error.ts";
import { MAX_RATE } from "./fields.ts";
import { OWN_FORM, readHead, type Source } from "./frame.ts";
import { readPlain } from "./plain.ts";
import { readOwn } from "./read.ts";
import { writeOwn } from "./write.ts";

export { WireError } from "./error.ts";

export interface Decoded {
  session: string;
  /** When the packet entered the session, µs of UTC. */
  timestampUs: Integer;
  item: Packet | EndOfInput;
}

export interface DecodeOptions {
  /** Also read the oldest plain audio (mono samples and nothing else), at this rate, Hz. */
  bareAudioRate?: number;
}

/**
 * The frame of a packet, in our form, byte for byte as Python writes it.
 *
 * A number of JavaScript does not say whether it is 1 or 1.0: in metadata and values, whole numbers are written as
 * integers where they are exact (below 2**53), else as floats; -0 is a float. Members that are undefined are left out,
 * and keys that look like array indexes come first, for that is their order in an object.
 *
 * @throws RemoteMediaError with code "data" for a value that has no form on the wire; it names the place.
 */
export function encode(item: Packet | EndOfInput, session = ""): Uint8Array<ArrayBuffer> {
  return writeOwn(item, session);
}

/** The frame of data that is nobody's packet yet. */
export function encodeData(data: Data): Uint8Array<ArrayBuffer> {
  return writeOwn(
    { data, node: "", port: "", sequence: 0, subSequence: 0, generation: 0, timestampUs: Date.now() * 1000 }, "",
  );
}

/**
 * Reads exactly one frame, in our form or the plain one.
 *
 * Arrays become views of `bytes` where their elements are aligned (in our form always, when `bytes` starts at a
 * multiple of 8), else copies: later writes to `bytes` show, and to transfer its buffer takes them away. Shared memory is copied
 * first, for another thread could change it after its check. Integers are numbers where exact (below 2**53), else
 * BigInts. A picture whose width or height is beyond 2**53 is refused. From the plain form, node and port are empty.
 *
 * @throws WireError for bytes that are not one valid frame: names the field and its offset. Until then no more is
 * allocated than the frame has bytes; for JSON in the plain form, which has at most 1 MiB, some tens of times that.
 */
export function decode(bytes: Uint8Array | ArrayBuffer, options: DecodeOptions = {}): Decoded {
  const rate = options.bareAudioRate;
  if (rate !== undefined && !(Number.isInteger(rate) && rate > 0 && rate <= MAX_RATE)) {
    throw dataError(`bareAudioRate must be a whole number from 1 to ${MAX_RATE}, in Hz, not ${shown(rate)}`);
  }
  const source = sourceOf(bytes);
  const head = readHead(source);
  const item = head.code & OWN_FORM ? readOwn(source, head) : readPlain(source, head, rate);
  return { session: head.session, timestampUs: head.timestampUs, item };
}

function sourceOf(given: Uint8Array | ArrayBuffer): Source {
  let bytes: Uint8Array;
  if (ArrayBuffer.isView(given)) bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  else if (given instanceof ArrayBuffer) bytes = new Uint8Array(given);
  else throw dataError(`a frame is a Uint8Array or an ArrayBuffer, not ${shown(given)}`);
  const isShared = !(bytes.buffer instanceof ArrayBuffer);
  const own = (isShared ? bytes.slice() : bytes) as Uint8Array<ArrayBuffer>;
  return { bytes: own, view: new DataView(own.buffer, own.byteOffset, own.length) };
}
