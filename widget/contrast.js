// Makes any accent colour readable as the ground of a text.
//
// It knows: WCAG contrast. It must not know: where the colours are used.
// It is part of the loader, so it takes nothing from Array.prototype: pages break that.

export const WHITE = [255, 255, 255];
export const BLACK = [0, 0, 0];
const INK = [18, 24, 22];
const READABLE = 4.6; // AA asks for 4.5; the rest is for rounding

/**
 * The custom properties of the ground and what stands on it, for an accent such as "#2f5d50" or "teal",
 * measured on a connected element. An empty object when it is not a colour.
 */
export function groundProperties(accent, probe) {
  const rgb = measure(accent, probe);
  if (!rgb) return {};
  const text = contrast(rgb, WHITE) < READABLE && contrast(rgb, INK) >= READABLE ? INK : WHITE;
  // A middling accent that neither white nor ink can stand on is darkened until white can.
  return { "--accent": shift(rgb, BLACK, text, READABLE), "--on-accent": css(text) };
}

/** Red, green and blue from 0 to 255, or null. */
export function measure(accent, probe) {
  if (!CSS.supports("color", accent)) return null;
  const before = probe.style.color;
  probe.style.color = accent;
  const parts = /^rgba?\((\d+)\D+(\d+)\D+(\d+)/.exec(getComputedStyle(probe).color);
  probe.style.color = before;
  return parts && [+parts[1], +parts[2], +parts[3]];
}

/** In twenty steps towards another colour, until it stands out against a third. */
export function shift(from, towards, against, enough) {
  const part = (index, step) => from[index] + ((towards[index] - from[index]) * step) / 20;
  for (let step = 0; step < 20; step += 1) {
    const colour = [part(0, step), part(1, step), part(2, step)];
    if (contrast(colour, against) >= enough) return css(colour);
  }
  return css(towards);
}

/** Contrast of two colours by WCAG 2.2: 1 to 21. */
export function contrast(one, other) {
  const a = luminance(one);
  const b = luminance(other);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(rgb) {
  const linear = (part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
}

function css(rgb) {
  return `rgb(${Math.round(rgb[0])} ${Math.round(rgb[1])} ${Math.round(rgb[2])})`;
}
