// How the chat looks on a page: colour, side, language, and whether it is there at once; what follows for the snippet,
// and a page with it to look at. Must not store anything: the snippet is all there is to it.

import { contrast, groundProperties, measure } from "../widget/contrast.js";
import { LANGUAGES } from "../widget/texts.js";
import { h, replace, setText } from "./dom.js";
import { field } from "./form.js";
import { CHOICES } from "./snippet.js";

const ENOUGH = 4.5; // WCAG 2.2, 1.4.3: contrast of a text
const WIDTHS = [["phone", "Phone", 390], ["desktop", "Desktop", null]];

/** The form with its preview. `changed(choices)` is called with each choice. */
export function looks(changed) {
  const choices = { ...CHOICES };
  const accent = field("accent", "Colour", { hint: "Any colour that CSS knows, such as #2f5d50 or teal. Without one, the chat’s own green.", autocomplete: "off", spellcheck: "false", maxlength: 60 });
  const picker = h("input", { type: "color", class: "colour-picker", "aria-label": "Choose the colour", value: "#1f6a58" });
  const said = h("p", { class: "quiet-text", role: "status" });
  const position = field("position", "Side", { options: [["", "Where a line of text ends"], ["left", "Left"], ["right", "Right"]] });
  const names = LANGUAGES.map((code) => [code, new Intl.DisplayNames(code, { type: "language" }).of(code)]);
  const locale = field("locale", "Language", { options: [["", "The page’s own"], ...names], hint: "Of the chat’s own words. The bot answers in the language of its prompts." });
  const hidden = check("Hidden until the page calls candor.show()");
  const quiet = check("No invitations");
  const frame = h("iframe", { class: "preview-frame", title: "Preview of the chat on a page" });

  const show = () => {
    frame.src = `/desk/preview/?${new URLSearchParams(Object.entries(choices).filter(([name, value]) => ["accent", "position", "locale"].includes(name) && value))}`;
  };
  const set = (change) => {
    Object.assign(choices, change);
    changed({ ...choices });
  };
  const colour = (value) => {
    const typed = value.trim();
    const rgb = typed && measure(typed, said);
    accent.fail(typed && !rgb ? "This is no colour." : null);
    if (typed && !rgb) return;
    if (rgb) picker.value = `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
    setText(said, typed ? readable(typed, rgb, said) : "");
    set({ accent: typed });
    show();
  };
  accent.control.addEventListener("change", () => colour(accent.control.value));
  picker.addEventListener("change", () => {
    accent.control.value = picker.value;
    colour(picker.value);
  });
  for (const one of [position, locale]) {
    one.control.addEventListener("change", () => {
      set({ [one.control.name]: one.control.value });
      show();
    });
  }
  hidden.control.addEventListener("change", () => set({ hidden: hidden.control.checked }));
  quiet.control.addEventListener("change", () => set({ quiet: quiet.control.checked }));
  show();

  const place = h("div", { class: "preview-place", "data-width": "desktop" }, frame);
  const widths = h("div", { class: "ranges", role: "group", "aria-label": "Width of the preview" }, WIDTHS.map(([name, label]) =>
    h("button", { class: "range", "aria-pressed": String(name === "desktop"), onclick: ({ currentTarget }) => {
      place.dataset.width = name;
      for (const other of widths.children) other.setAttribute("aria-pressed", String(other === currentTarget));
    } }, label)));
  return [
    h("div", { class: "looks" }, h("div", { class: "colour-row" }, accent, picker), said, position, locale, hidden.element, quiet.element),
    h("div", { class: "card-head" }, h("h3", null, "Preview"), widths),
    place,
    h("p", { class: "quiet-text" }, "A chat that is opened here is a real one: your desk sees what is said in it."),
  ];
}

/** What the chat makes of a colour, with the figures that it goes by. */
function readable(colour, rgb, probe) {
  const { "--accent": ground, "--on-accent": text } = groundProperties(colour, probe);
  const used = measure(ground, probe);
  const ratio = contrast(used, measure(text, probe)).toFixed(1);
  const name = text.includes("255 255 255") ? "white" : "dark";
  const same = used.every((part, index) => part === rgb[index]);
  const changed = same ? "The colour is used as it is" : "Neither white nor dark text is readable on it, so it is darkened";
  return `${changed}: ${name} text on it has a contrast of ${ratio} : 1 (${ENOUGH} is enough). Links are shifted until they are readable too.`;
}

function check(label) {
  const control = h("input", { type: "checkbox" });
  return { control, element: replace(h("label", { class: "check" }), control, label) };
}
