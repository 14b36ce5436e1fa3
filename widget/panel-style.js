// The look of the chat in its frame: the panel, and the parts inside it.
//
// It knows: the class names that view.js, entries.js, composer.js and forms.js use.
// It must not know: colours of its own; they come from style.js.
import { sheet } from "./sheet.js";

/** Header, strip, log, foot. `phone` is on the body where the frame fills the window of a small screen. */
export const panelSheet = sheet(`
html, body { height: 100%; margin: 0; overflow: hidden; }
body { background: var(--canvas); }
.panel {
  height: 100%;
  display: flex;
  flex-direction: column;
  overflow: hidden;
  background: var(--canvas);
}
/* The panel and its foot only carry the focus for a moment; what can be used has the ring. */
.panel:focus-visible, .foot:focus-visible { outline: none; }

.header, .strip, .banner { flex: none; }
.header {
  display: flex;
  align-items: center;
  gap: 12px;
  padding-block: 14px;
  padding-inline: 16px 12px;
  background: var(--surface);
  border-block-end: 1px solid var(--line);
}
.avatar {
  flex: none;
  width: 40px;
  height: 40px;
  border-radius: 50%;
  display: grid;
  place-items: center;
  color: var(--on-accent);
  background: var(--accent);
}
.heading { flex: 1; min-width: 0; }
.title { font-weight: 650; font-size: 16px; line-height: 1.3; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.who { font-size: 13px; line-height: 1.4; color: var(--ink-soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.icon-button { flex: none; width: 40px; height: 40px; border-radius: 10px; display: grid; place-items: center; color: var(--ink-soft); }
.icon-button:hover { background: var(--canvas); color: var(--ink); }
.menu-place { position: relative; flex: none; margin-inline-end: -8px; }
.menu {
  position: absolute;
  z-index: 2;
  inset-block-start: 100%;
  inset-inline-end: 0;
  width: max-content;
  max-width: min(290px, 80vw);
  max-height: calc(100vh - 84px);
  overflow-y: auto;
  margin-block-start: 4px;
  padding: 6px;
  border: 1px solid var(--line-strong);
  border-radius: 14px;
  background: var(--surface);
  box-shadow: 0 10px 30px rgb(0 0 0 / .22);
}
.menu-item {
  display: flex;
  align-items: center;
  gap: 8px;
  width: 100%;
  min-height: 40px;
  padding: 8px 14px 8px 8px;
  padding-inline: 8px 14px;
  border-radius: 9px;
  font-size: 14px;
  line-height: 1.35;
  text-align: start;
}
.menu-item:hover, .menu-item:focus { background: var(--tint); }
.menu-item:focus-visible { outline-offset: -2px; }
.menu-mark { flex: none; width: 16px; height: 16px; color: var(--accent-ink); }
.news { flex: none; padding: 8px 16px; font-size: 13px; line-height: 1.4; background: var(--tint); border-block-end: 1px solid var(--line); }
.news:empty { padding: 0; border: 0; }

.strip {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 6px 12px;
  flex-wrap: wrap;
  min-height: 46px;
  padding: 6px 16px;
  background: var(--surface);
  border-block-end: 1px solid var(--line);
  font-size: 13px;
  color: var(--ink-soft);
}
.strip[data-owner="queued"], .strip[data-owner="assigned"] { background: var(--tint); color: var(--ink); }
.strip-text { flex: 1 1 auto; overflow-wrap: anywhere; }
.strip[data-owner="queued"] .strip-text::before {
  content: "";
  display: inline-block;
  width: 8px;
  height: 8px;
  margin-inline-end: 9px;
  border-radius: 50%;
  background: var(--accent-ink);
  animation: pulse 1.8s ease-in-out infinite;
}
@keyframes pulse { 50% { opacity: .3; } }
.human {
  display: inline-flex;
  align-items: center;
  gap: 6px;
  min-height: 32px;
  padding: 4px 12px;
  padding-inline-start: 10px;
  border: 1px solid var(--accent-ink);
  border-radius: 16px;
  font-weight: 600;
  line-height: 1.3;
  color: var(--accent-ink);
  background: var(--surface);
}
.human:hover { background: var(--tint); }
.human[aria-disabled="true"] { opacity: .75; cursor: default; }

.banner {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 12px;
  padding: 8px 16px;
  font-size: 13px;
  line-height: 1.4;
  background: var(--warn-tint);
  color: var(--warn-ink);
  border-block-end: 1px solid var(--line);
}
.try { flex: none; min-height: 28px; padding: 2px 6px; font-weight: 650; text-decoration: underline; text-underline-offset: 3px; }
.try:focus-visible { outline-color: currentColor; }

.middle { position: relative; flex: 1; min-height: 0; display: flex; }
.log {
  flex: 1;
  min-width: 0;
  overflow-x: hidden;
  overflow-y: auto;
  overscroll-behavior: contain;
  scrollbar-width: thin;
  padding: 16px 16px 20px;
}
.log:focus-visible { outline-offset: -3px; }
.jump {
  position: absolute;
  inset-block-end: 10px;
  inset-inline: 0;
  margin-inline: auto;
  width: fit-content;
  min-height: 32px;
  display: flex;
  align-items: center;
  gap: 6px;
  padding: 4px 14px;
  padding-inline-start: 10px;
  border-radius: 16px;
  font-size: 13px;
  font-weight: 600;
  background: var(--ink);
  color: var(--surface);
  box-shadow: 0 4px 14px rgb(0 0 0 / .25);
}

.foot { flex: none; max-height: 70%; overflow-y: auto; background: var(--surface); border-block-start: 1px solid var(--line); }
.composer { padding: 10px 12px 12px; }
.composer-row {
  display: flex;
  align-items: flex-end;
  gap: 6px;
  padding: 4px;
  border: 1px solid var(--line-strong);
  border-radius: 24px;
  background: var(--surface);
}
.composer-row:focus-within { border-color: var(--accent-ink); box-shadow: inset 0 0 0 1px var(--accent-ink); }
.composer-field {
  flex: 1;
  max-height: 128px;
  padding: 7px 4px 7px 12px;
  padding-inline: 12px 4px;
  resize: none;
  overflow-y: auto;
  line-height: 1.45;
  overflow-wrap: anywhere;
}
.composer-field:focus-visible { outline: none; }
.composer-field::placeholder { color: var(--ink-soft); opacity: 1; }
.composer-field:disabled { cursor: progress; }
.attach { flex: none; width: 38px; height: 38px; border-radius: 50%; display: grid; place-items: center; color: var(--ink-soft); }
.attach:not([hidden]) ~ .composer-field { padding-inline-start: 4px; }
.file { display: flex; align-items: center; gap: 8px; min-height: 28px; text-align: start; overflow-wrap: anywhere; }
.file svg { flex: none; }
.file bdi { text-decoration: underline; }
.file[aria-disabled="true"] { cursor: default; }
.file[aria-disabled="true"] bdi { text-decoration: none; }
.file .size { flex: none; font-size: 12px; }
.send { flex: none; width: 38px; height: 38px; border-radius: 50%; display: grid; place-items: center; color: var(--on-accent); background: var(--accent); }
.send[aria-disabled="true"] { color: var(--ink-soft); background: var(--canvas); cursor: default; }
.count { padding: 4px 12px 0; font-size: 12px; color: var(--ink-soft); }
.count:empty { display: none; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.phone .panel { background: var(--surface); }
.phone .log { background: var(--canvas); }
.phone .icon-button { width: 44px; height: 44px; }
.phone .human { min-height: 36px; border-radius: 18px; }
/* Below 16 px a phone zooms into the field. */
.phone :is(.composer-field, .field input, .field textarea, .field select) { font-size: 16px; }
@media (max-height: 420px) {
  .header { padding-block: 6px; }
  .avatar { width: 32px; height: 32px; }
  .strip { padding-block: 4px; }
  .foot .composer { padding-block: 6px; }
  /* Above a screen keyboard there may be next to nothing left: then the panel scrolls. */
  .panel { overflow-y: auto; }
  .middle { min-height: 110px; }
}
@media (max-height: 320px) {
  /* A small window at high zoom: everything scrolls together, so that nothing is squeezed away. */
  .middle { flex: 1 0 auto; }
  .log { overflow: visible; }
  .foot { max-height: none; overflow: visible; }
}
@media (forced-colors: active) {
  .menu-item:focus { background: Highlight; color: HighlightText; }
  .human, .jump, .send, .avatar { border: 1px solid ButtonText; }
  .strip[data-owner="queued"] .strip-text::before { background: CanvasText; forced-color-adjust: none; }
}
`);

/** What is inside: messages, system lines, options, forms. */
export const partsSheet = sheet(`
.list { display: flex; flex-direction: column; gap: 18px; }
.disclosure {
  display: flex;
  gap: 10px;
  padding: 12px 14px;
  border-radius: 12px;
  background: var(--tint);
  font-size: 13.5px;
  line-height: 1.5;
}
.disclosure svg { flex: none; margin-block-start: 1px; color: var(--accent-ink); }
.disclosure-text { min-width: 0; overflow-wrap: anywhere; }

.message { display: flex; flex-direction: column; align-items: flex-start; max-width: 88%; animation: appear .16s ease-out; }
.message.own { align-self: flex-end; align-items: flex-end; }
@keyframes appear { from { opacity: 0; transform: translateY(4px); } }
.from { display: flex; align-items: center; flex-wrap: wrap; gap: 4px 7px; margin: 0 0 5px 2px; font-size: 12.5px; line-height: 1.4; color: var(--ink-soft); max-width: 100%; overflow-wrap: anywhere; }
.name { font-weight: 650; color: var(--ink); }
.chip { padding: 1px 8px; border-radius: 9px; font-size: 11.5px; font-weight: 600; line-height: 1.5; color: var(--ink-soft); border: 1px solid var(--line-strong); }
.agent .chip { color: var(--on-accent); background: var(--accent); border-color: transparent; }
.bubble {
  max-width: 100%;
  padding: 10px 14px;
  border: 1px solid var(--line);
  border-radius: 16px;
  border-start-start-radius: 5px;
  background: var(--surface);
  overflow-wrap: anywhere;
  text-wrap: pretty;
  unicode-bidi: isolate;
}
.agent .bubble { background: var(--tint); border-color: color-mix(in srgb, var(--accent) 35%, var(--surface)); }
.own .bubble { color: var(--on-accent); background: var(--accent); border-color: transparent; border-radius: 16px; border-end-end-radius: 5px; }
.own.pending .bubble { border: 1px dashed color-mix(in srgb, var(--on-accent) 70%, transparent); }
.own.failed .bubble { color: var(--ink); background: var(--danger-tint); border-color: var(--danger); }
.bubble > * + *, .system > * + *, .disclosure-text > * + * { margin-block-start: 8px; }
.bubble ul, .system ul, .disclosure-text ul { padding-inline-start: 20px; }
.bubble li + li { margin-block-start: 3px; }
strong { font-weight: 650; }
a { color: var(--accent-ink); text-decoration: underline; text-underline-offset: 2px; border-radius: 3px; }
.own a { color: inherit; }
.own a:focus-visible { outline-color: currentColor; }
.small { font-size: 13px; }
.meta { display: flex; align-items: center; flex-wrap: wrap; gap: 4px 8px; min-height: 20px; margin: 4px 4px 0; font-size: 12px; line-height: 1.4; color: var(--ink-soft); }
.meta:empty { display: none; }
.own .meta { justify-content: flex-end; }
.failed time { display: none; }
.sending { display: inline-flex; align-items: center; gap: 4px; }
.sending:empty { display: none; }
.failed .sending { color: var(--danger); font-weight: 600; }
.retry { min-height: 24px; padding: 0 4px; font-weight: 650; color: var(--accent-ink); text-decoration: underline; text-underline-offset: 2px; }
.thumbs { display: inline-flex; align-items: center; gap: 2px; }
.thumb { width: 28px; height: 26px; border-radius: 7px; display: grid; place-items: center; color: var(--ink-soft); }
.thumb:hover { color: var(--accent-ink); background: var(--tint); }
.thumb[aria-pressed="true"] { color: var(--accent-ink); background: var(--tint); }
.thumb[aria-pressed="true"] svg path { fill: color-mix(in srgb, currentColor 25%, transparent); }
.thanks { margin-inline-start: 4px; }

.options { display: flex; flex-wrap: wrap; gap: 8px; margin-block-start: 8px; }
.option {
  min-height: 38px;
  padding: 7px 15px;
  border: 1px solid var(--accent-ink);
  border-radius: 19px;
  font-size: 14px;
  font-weight: 600;
  line-height: 1.35;
  text-align: start;
  color: var(--accent-ink);
  background: var(--surface);
  overflow-wrap: anywhere;
}
.option:hover { background: var(--tint); }

.system { align-self: center; max-width: 92%; padding-inline: 8px; text-align: center; text-wrap: balance; font-size: 13px; line-height: 1.5; color: var(--ink-soft); overflow-wrap: anywhere; }
.system > * + * { margin-block-start: 2px; }
.typing { margin-block-start: 18px; }
.dots { display: flex; gap: 5px; padding: 14px 16px; }
.dots i { width: 7px; height: 7px; border-radius: 50%; background: var(--ink-soft); animation: dot 1.2s ease-in-out infinite; }
.dots i:nth-child(2) { animation-delay: .16s; }
.dots i:nth-child(3) { animation-delay: .32s; }
@keyframes dot { 0%, 60%, 100% { opacity: .3; transform: none; } 30% { opacity: 1; transform: translateY(-3px); } }

.form { display: flex; flex-direction: column; gap: 12px; padding: 16px; }
.form-title { font-weight: 650; font-size: 15px; line-height: 1.4; }
legend.form-title { margin-block-end: 10px; }
.hint { font-size: 13.5px; line-height: 1.5; color: var(--ink-soft); overflow-wrap: anywhere; }
.field { display: flex; flex-direction: column; gap: 5px; }
.field label { font-size: 13px; font-weight: 600; }
.field :is(input, textarea, select) { width: 100%; padding: 9px 12px; border: 1px solid var(--line-strong); border-radius: 10px; background: var(--surface); resize: none; color-scheme: light dark; }
.field :is(input, textarea, select):focus-visible { outline-offset: 0; border-color: var(--accent-ink); }
.field [aria-invalid="true"] { border-color: var(--danger); }
.problem { font-size: 13.5px; color: var(--danger); font-weight: 600; }
.problem:empty { display: none; }
.buttons { display: flex; justify-content: flex-end; flex-wrap: wrap; gap: 8px; }
.primary { min-height: 40px; padding: 8px 18px; border-radius: 20px; font-weight: 650; color: var(--on-accent); background: var(--accent); }
.primary[aria-disabled="true"] { opacity: .6; cursor: progress; }
.wide { width: 100%; }
.primary.danger { color: var(--surface); background: var(--danger); }
.quiet { min-height: 40px; padding: 8px 14px; border-radius: 20px; font-weight: 600; color: var(--ink-soft); }
.quiet:hover { color: var(--ink); background: var(--canvas); }

.score-row { display: grid; grid-template-columns: repeat(5, 1fr); gap: 6px; }
.score-row.ces { grid-template-columns: repeat(7, 1fr); }
.score-row.nps { grid-template-columns: repeat(auto-fit, minmax(40px, 1fr)); }
.score-row:not(.csat) .score-face { min-height: 44px; justify-content: center; }
.score-ends { display: flex; justify-content: space-between; gap: 16px; margin-block-start: 6px; font-size: 12px; line-height: 1.35; color: var(--ink-soft); }
.score-ends span:last-child { text-align: end; }
.score { position: relative; display: block; cursor: pointer; }
.score input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer; appearance: none; }
.score-face { height: 100%; display: flex; flex-direction: column; align-items: center; gap: 1px; min-height: 58px; padding: 8px 2px 7px; border: 1px solid var(--line-strong); border-radius: 12px; text-align: center; background: var(--surface); }
.score-face b { font-size: 17px; font-weight: 650; line-height: 1.3; }
.score-face span { max-width: 100%; font-size: 11.5px; line-height: 1.25; overflow-wrap: anywhere; color: var(--ink-soft); }
@media (hover: hover) { .score input:hover + .score-face { background: var(--tint); } }
.score input:checked + .score-face { color: var(--on-accent); background: var(--accent); border-color: var(--accent); }
.score input:checked + .score-face span { color: inherit; }
.score input:focus-visible + .score-face { outline: 2px solid var(--accent-ink); outline-offset: 2px; }

@media (forced-colors: active) {
  .own .bubble, .agent .chip, .option, .primary, .score-face { border: 1px solid ButtonText; }
  .score input:checked + .score-face, .thumb[aria-pressed="true"] { forced-color-adjust: none; background: Highlight; color: HighlightText; }
  .dots i { background: CanvasText; }
}
`);
