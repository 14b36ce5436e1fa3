// All colours that follow from a site's accent: the ground of texts, and how it must be shifted to serve as text
// itself on a light and on a dark panel.
//
// It knows: WCAG contrast. It must not know: where the colours are used.
import { BLACK, WHITE, groundProperties, measure, shift } from "./contrast.js";

const LIGHT_PANEL = [246, 248, 247];
const DARK_PANEL = [32, 38, 36];
const STRONG = 5.5; // links stand on tinted bubbles as well
const BRIGHT = 7; // on dark, a colour at the bare minimum looks switched off

/** The custom properties for an accent, measured on a connected element. An empty object when it is not a colour. */
export function accentProperties(accent, probe) {
  const rgb = measure(accent, probe);
  if (!rgb) return {};
  return {
    ...groundProperties(accent, probe),
    "--accent-ink-light": shift(rgb, BLACK, LIGHT_PANEL, STRONG),
    "--accent-ink-dark": shift(rgb, WHITE, DARK_PANEL, BRIGHT),
  };
}
