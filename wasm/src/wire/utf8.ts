// Text: checked without making anything of it, so that an error knows its place and costs nothing.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true }); // a byte order mark is text like any other
const ENCODER = new TextEncoder();
const SHORT = 24; // bytes: below, one call into the decoder costs more than a loop

/** Where the first character starts that is not valid UTF-8; -1 when all is. */
export function utf8Fault(bytes: Uint8Array, start: number, end: number): number {
  for (let pos = start; pos < end; ) {
    const lead = bytes[pos]!;
    if (lead < 0x80) {
      pos++;
      continue;
    }
    const more = lead < 0xc2 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 0;
    if (more === 0 || pos + more >= end) return pos;
    // No longer form than needed, no surrogate, nothing beyond U+10FFFF.
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (bytes[pos + 1]! < low || bytes[pos + 1]! > high) return pos;
    for (let each = 2; each <= more; each++) if ((bytes[pos + each]! & 0xc0) !== 0x80) return pos;
    pos += more + 1;
  }
  return -1;
}

/** The text of bytes that `utf8Fault` has passed. */
export function fromUtf8(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  if (end - start <= SHORT) {
    let pos = start;
    while (pos < end && bytes[pos]! < 0x80) text += String.fromCharCode(bytes[pos++]!);
    if (pos === end) return text;
  }
  return DECODER.decode(bytes.subarray(start, end));
}

/** The bytes of a well-formed string. */
export function toUtf8(text: string): Uint8Array {
  return ENCODER.encode(text);
}
