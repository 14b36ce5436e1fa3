// The look of the launcher and its notice.
//
// It knows: the class names of launcher.js. It must not know: the frame (stage.js) and what is inside it.
import { sheet } from "./sheet.js";

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
  z-index: 2147483647 !important;
  color-scheme: light dark !important;
}
:host([hidden]) { display: none !important; }
@media print { :host { display: none !important; } }
[hidden] { display: none !important; }
.widget { --edge: 20px; font: 400 15px/1.5 system-ui, sans-serif; }
.launcher {
  all: unset;
  position: fixed;
  inset-block-end: calc(var(--edge) + env(safe-area-inset-bottom, 0px));
  inset-inline-end: calc(var(--edge) + env(safe-area-inset-right, 0px));
  box-sizing: border-box;
  width: 56px;
  height: 56px;
  border-radius: 50%;
  display: grid;
  place-items: center;
  cursor: pointer;
  color: var(--on-accent, #fff);
  background: var(--accent, #1f6a58);
  border: 1px solid rgb(255 255 255 / .18);
  box-shadow: 0 4px 20px rgb(16 32 26 / .3);
}
.launcher:hover { filter: brightness(1.08); }
/* Two rings: one of them stands out on any page. */
.launcher:focus-visible { outline: 3px solid #fff; box-shadow: 0 0 0 6px #18211e; }
:host([position="left"]) .launcher { inset-inline: auto; left: calc(var(--edge) + env(safe-area-inset-left, 0px)); }
:host([position="right"]) .launcher { inset-inline: auto; right: calc(var(--edge) + env(safe-area-inset-right, 0px)); }
.launcher svg { width: 26px; height: 26px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.notice {
  position: fixed;
  inset-block-end: calc(var(--edge) + 68px);
  inset-inline-end: var(--edge);
  max-width: 280px;
  box-sizing: border-box;
  margin: 0;
  padding: 12px 16px;
  border: 1px solid;
  border-radius: 12px;
  background: Canvas;
  color: CanvasText;
}
:host([position="left"]) .notice { inset-inline: auto; left: var(--edge); }
@media (max-width: 480px), (max-height: 420px) { .widget { --edge: 16px; } }
`);
