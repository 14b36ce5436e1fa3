// The look of the launcher, and the colours and measures that the whole widget uses.
//
// It knows: custom properties for light, dark and the site's accent.
// It must not know: the panel (panel-style.js), which is loaded only when it is opened.

/** A constructable sheet: allowed under any style-src, shared by all elements. */
export function sheet(css) {
  const made = new CSSStyleSheet();
  made.replaceSync(css);
  return made;
}

// `!important` inside a shadow root beats the host page's, so that even
// `* { all: unset !important }` leaves the element where it is.
export const launcherSheet = sheet(`
:host {
  all: initial !important;
  display: block !important;
  position: fixed !important;
  inset: auto !important;
  width: 0 !important;
  height: 0 !important;
  z-index: 2147483000 !important;
  color-scheme: light dark !important;
}
:host([hidden]) { display: none !important; }
@media print { :host { display: none !important; } }

.frame {
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
  .frame {
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

.launcher {
  position: fixed;
  inset-block-end: calc(var(--edge) + env(safe-area-inset-bottom, 0px));
  inset-inline-end: calc(var(--edge) + env(safe-area-inset-right, 0px));
  width: 56px;
  height: 56px;
  border-radius: 50%;
  display: grid;
  place-items: center;
  color: var(--on-accent);
  background: var(--accent);
  border: 1px solid rgb(255 255 255 / .18);
  box-shadow: 0 1px 3px rgb(16 32 26 / .22), 0 8px 24px rgb(16 32 26 / .26);
  transition: transform .18s ease, box-shadow .18s ease;
}
.launcher:hover { transform: translateY(-2px); box-shadow: 0 2px 4px rgb(16 32 26 / .22), 0 12px 30px rgb(16 32 26 / .32); }
.launcher:active { transform: none; }
.launcher:focus-visible { outline-width: 3px; outline-offset: 3px; }
:host([position="left"]) .launcher { inset-inline: auto; left: calc(var(--edge) + env(safe-area-inset-left, 0px)); }
:host([position="right"]) .launcher { inset-inline: auto; right: calc(var(--edge) + env(safe-area-inset-right, 0px)); }
.face { display: grid; }
.face.opened, .open .face.closed { display: none; }
.open .face.opened { display: grid; }

.badge {
  position: absolute;
  inset-block-start: -4px;
  inset-inline-end: -4px;
  min-width: 22px;
  height: 22px;
  padding-inline: 6px;
  border-radius: 11px;
  background: #b3261e;
  color: #fff;
  border: 2px solid #fff;
  font: 700 12px/18px var(--font);
  text-align: center;
}
.notice {
  position: fixed;
  inset-block-end: calc(var(--edge) + 68px);
  inset-inline-end: var(--edge);
  max-width: min(280px, calc(100vw - 2 * var(--edge)));
  padding: 12px 16px;
  border-radius: 12px;
  background: var(--surface);
  border: 1px solid var(--line);
  box-shadow: var(--shadow);
}
:host([position="left"]) .notice { inset-inline: auto; left: var(--edge); }

@media (max-width: 480px), (max-height: 420px) {
  .frame { --edge: 16px; }
  .open .launcher { display: none; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
  .launcher, .badge { border: 2px solid ButtonText; }
  :focus-visible { outline-color: Highlight; }
}
`);
