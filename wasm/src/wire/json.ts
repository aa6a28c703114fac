// JSON as the plain form has it. Not JSON.parse alone: its integers lose what is beyond 2**53.
import { WireError } from "./error.ts";
import { fromUtf8, utf8Fault } from "./utf8.ts";
import { integer, put } from "./value.ts";

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]|[^\s,:"[\]{}]+/g;
const MAX_DIGITS = 4300; // what Python takes; a BigInt of many more takes long

/** The value, nested at most `limit` deep, and which members of the outermost object are written as floats. */
export function readJson(
  bytes: Uint8Array, start: number, end: number, limit: number, field: string,
): { value: unknown; floats: ReadonlySet<string> } {
  const fault = utf8Fault(bytes, start, end);
  if (fault >= 0) throw new WireError("not UTF-8", field, fault);
  checkDepth(bytes, start, end, limit, field); // first, for all that follows recurses
  const floats = new Set<string>();
  try {
    return { value: parse(fromUtf8(bytes, start, end), floats), floats };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new WireError(error.message, field, start);
  }
}

function checkDepth(bytes: Uint8Array, start: number, end: number, limit: number, field: string): void {
  let depth = 0;
  let inString = false;
  for (let pos = start; pos < end; pos++) {
    const byte = bytes[pos];
    if (byte === 0x22) inString = !inString;
    else if (inString) pos += byte === 0x5c ? 1 : 0;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) throw new WireError(`nested deeper than ${limit}`, field, pos);
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

function parse(text: string, floats: Set<string>): unknown {
  JSON.parse(text); // so the syntax is right, and the tokens are all that is left to look at
  const tokens = text.match(TOKENS)!;
  let at = 0;
  const next = (depth: number): unknown => {
    const token = tokens[at++]!;
    if (token === "[") {
      const list: unknown[] = [];
      while (tokens[at] !== "]") list.push(next(depth + 1));
      at++;
      return list;
    }
    if (token !== "{") return scalar(token);
    const object: Record<string, unknown> = {};
    while (tokens[at] !== "}") {
      const key = scalar(tokens[at++]!) as string;
      if (depth === 0) floats[/^-?\d.*[.eE]/.test(tokens[at]!) ? "add" : "delete"](key);
      put(object, key, next(depth + 1)); // the last of two equal keys wins
    }
    at++;
    return object;
  };
  return next(0);
}

function scalar(token: string): unknown {
  if (/^-?\d+$/.test(token) && token !== "-0") {
    if (token.length > MAX_DIGITS) throw new SyntaxError("an integer out of range");
    return integer(BigInt(token));
  }
  const value = JSON.parse(token) as unknown;
  const isGood = typeof value === "string" ? value.isWellFormed() : typeof value !== "number" || Number.isFinite(value);
  if (!isGood) throw new SyntaxError(`${token.slice(0, 20)} is no valid Unicode, or out of range`);
  return token === "-0" ? 0 : value;
}
