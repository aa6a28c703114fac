// Values inside frames: what JSON can say, and integers of 64 bits.
export const MAX_DEPTH = 64;
const MIN_64 = -(2n ** 63n);
const END_64 = 2n ** 64n;

/** A number where it is exact as one, else a BigInt. */
export function integer(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** True for what 64 bits can say, with a sign or without. */
export function fits64(value: bigint): boolean {
  return value >= MIN_64 && value < END_64;
}

/** Sets an own property, `__proto__` being a key like any other. */
export function put(target: Record<string, unknown>, key: string, value: unknown): void {
  const own = { value, writable: true, enumerable: true, configurable: true };
  if (key in target) Object.defineProperty(target, key, own);
  else target[key] = value;
}
