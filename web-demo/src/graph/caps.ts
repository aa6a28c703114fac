// Caps in few characters: "audio(sample_rate=16000, channels=1, format=F32)" → "16 kHz · mono · F32".

const KNOWN = /^([a-z_]+)(?:\((.*)\))?$/;

/** For labels; the full text belongs beside it. What it does not know it leaves as it is. */
export function shortCaps(caps: string): string {
  const match = KNOWN.exec(caps.trim());
  if (!match) return caps;
  const [, media = "", inside] = match;
  if (inside === undefined) return media;
  const parts: string[] = [];
  // A comma inside brackets separates the values of a set, not fields.
  for (const field of inside.split(/,\s*(?=[a-z_]+=)/)) {
    const [name = "", value = ""] = field.split("=", 2);
    if (name === "sample_rate") parts.push(rate(value));
    else if (name === "channels") parts.push(value === "1" ? "mono" : value === "2" ? "stereo" : `${value} ch`);
    else if (name === "format") parts.push(value);
    else parts.push(field);
  }
  return parts.length ? parts.join(" · ") : media;
}

function rate(value: string): string {
  const kilo = (text: string) => String(Number(text) / 1000);
  const range = /^(\d+)\.\.(\d+)$/.exec(value);
  if (range) return `${kilo(range[1] ?? "")}–${kilo(range[2] ?? "")} kHz`;
  return /^\d+$/.test(value) ? `${kilo(value)} kHz` : value;
}
