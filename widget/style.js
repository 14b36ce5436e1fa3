// The colours and measures of the whole widget, and the plain state of its elements.
//
// It knows: custom properties for light, dark and the site's accent.
// It must not know: any part of the widget.

import { sheet } from "./sheet.js";

/** For a tree whose outermost element has the class `widget`. */
export const baseSheet = sheet(`
.widget {
  --accent: #1f6a58;
  --on-accent: #fff;
  --accent-ink-light: #1f6a58;
  --accent-ink-dark: #7fd0b8;
  --accent-ink: var(--accent-ink-light);
  --surface: #fff;
  --canvas: #f5f7f6;
  --ink: #18211e;
  --ink-soft: #56635e;
  --line: #dfe6e3;
  --line-strong: #84918c;
  --tint: color-mix(in srgb, var(--accent) 12%, var(--surface));
  --danger: #a3231b;
  --danger-tint: #fdecea;
  --warn-tint: #fff4dc;
  --warn-ink: #6a4a00;
  --shadow: 0 2px 6px rgb(16 32 26 / .08), 0 16px 48px rgb(16 32 26 / .20);
  --edge: 20px;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif;
  font: 400 15px/1.5 var(--font);
  color: var(--ink);
  text-align: start;
  -webkit-text-size-adjust: 100%;
}
@media (prefers-color-scheme: dark) {
  .widget {
    --accent-ink: var(--accent-ink-dark);
    --surface: #202624;
    --canvas: #171c1a;
    --ink: #e9efec;
    --ink-soft: #a9b6b0;
    --line: #343d39;
    --line-strong: #7f8c86;
    --tint: color-mix(in srgb, var(--accent) 30%, var(--surface));
    --danger: #ffb0a8;
    --danger-tint: #45211e;
    --warn-tint: #3b3118;
    --warn-ink: #f6d892;
    --shadow: 0 2px 6px rgb(0 0 0 / .4), 0 16px 48px rgb(0 0 0 / .55);
  }
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, input, textarea, fieldset, legend, h2, h3, p, ul { font: inherit; color: inherit; margin: 0; padding: 0; border: 0; background: none; min-width: 0; letter-spacing: inherit; }
button { cursor: pointer; touch-action: manipulation; -webkit-tap-highlight-color: transparent; }
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
  :focus-visible { outline-color: Highlight; }
}
`);
