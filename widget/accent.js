// Makes any accent colour readable: which text goes on it, and how it must be
// shifted to serve as text itself on a light and on a dark panel.
//
// It knows: WCAG contrast. It must not know: where the colours are used.

const WHITE = [255, 255, 255];
const INK = [18, 24, 22];
const LIGHT_PANEL = [246, 248, 247];
const DARK_PANEL = [32, 38, 36];
const READABLE = 4.6; // AA asks for 4.5; the rest is for rounding
const STRONG = 5.5; // links stand on tinted bubbles as well
const BRIGHT = 7; // on dark, a colour at the bare minimum looks switched off

/**
 * The custom properties for an accent such as "#2f5d50" or "teal", measured on
 * a connected element. An empty object when it is not a colour.
 */
export function accentProperties(accent, probe) {
  if (!CSS.supports("color", accent)) return {};
  const rgb = measure(accent, probe);
  if (!rgb) return {};
  const text = contrast(rgb, WHITE) >= READABLE ? WHITE : contrast(rgb, INK) >= READABLE ? INK : WHITE;
  // A middling accent that neither white nor ink can stand on is darkened until white can.
  const fill = shift(rgb, [0, 0, 0], (colour) => contrast(colour, text) >= READABLE);
  return {
    "--accent": css(fill),
    "--on-accent": css(text),
    "--accent-ink-light": css(shift(rgb, [0, 0, 0], (colour) => contrast(colour, LIGHT_PANEL) >= STRONG)),
    "--accent-ink-dark": css(shift(rgb, WHITE, (colour) => contrast(colour, DARK_PANEL) >= BRIGHT)),
  };
}

function measure(accent, probe) {
  const before = probe.style.color;
  probe.style.color = accent;
  const [r, g, b] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(Number);
  const named = getComputedStyle(probe).color.startsWith("rgb");
  probe.style.color = before;
  return named && b !== undefined ? [r, g, b] : null;
}

function shift(from, towards, enough) {
  for (let step = 0; step <= 20; step += 1) {
    const colour = from.map((part, index) => part + ((towards[index] - part) * step) / 20);
    if (enough(colour)) return colour;
  }
  return towards;
}

function contrast(one, other) {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((part) => {
    const value = part / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function css(rgb) {
  return `rgb(${rgb.map(Math.round).join(" ")})`;
}
