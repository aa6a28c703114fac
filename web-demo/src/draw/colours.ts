// Colours of the pictures, from the style sheet, so that they follow the theme.

export type Lane = "in" | "out";

export interface Colours {
  wave: string;
  /** RGBA of 256 shades, silence first. */
  ramp: Uint8ClampedArray;
}

export function coloursOf(element: Element, lane: Lane): Colours {
  const style = getComputedStyle(element);
  const colour = (name: string) => rgbOf(style.getPropertyValue(name));
  const stops = [colour("--sunk"), colour(`--${lane}`), colour(`--${lane}-hot`)];
  const ramp = new Uint8ClampedArray(256 * 4);
  for (let shade = 0; shade < 256; shade += 1) {
    const at = (shade / 255) * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(at));
    for (let part = 0; part < 3; part += 1) {
      const [a, b] = [stops[below]?.[part] ?? 0, stops[below + 1]?.[part] ?? 0];
      ramp[4 * shade + part] = a + (b - a) * (at - below);
    }
    ramp[4 * shade + 3] = 255;
  }
  return { wave: style.getPropertyValue(`--${lane}`).trim(), ramp };
}

/** Of `#rrggbb`. */
export function rgbOf(text: string): [number, number, number] {
  const value = Number.parseInt(text.trim().slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
