// Labelled fields, and forms that show what the server found wrong beside the field it means.
// Must not know what a form is for.

import { h, replace } from "./dom.js";

let lastId = 0;

/** A labelled input. `name` is also the name the server uses in its field errors. */
export function field(name, label, { hint = null, tag = "input", options = null, ...props } = {}) {
  const id = `field-${(lastId += 1)}`;
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const control = h(options ? "select" : tag, { id, name, class: "input", "aria-describedby": described, ...props },
    options?.map(([value, text]) => h("option", { value }, text)));
  const element = h("div", { class: "field" }, h("label", { for: id }, label), control, hint && h("p", { class: "field-hint", id: `${id}-hint` }, hint), error);
  element.fail = (text) => {
    error.textContent = text ?? "";
    error.hidden = !text;
    control.setAttribute("aria-invalid", String(Boolean(text)));
    if (text) control.focus();
  };
  element.control = control;
  return element;
}

/** A form over `fields`; `submit(values)` may throw an ApiError, which is shown in its place. */
export function form({ fields, action, submit, extra = null }) {
  const problem = h("p", { class: "form-problem", role: "alert", hidden: true });
  const button = h("button", { class: "button primary", type: "submit" }, h("span", { class: "button-label" }, action));
  const element = h("form", { class: "form", novalidate: true }, problem, fields, h("div", { class: "form-foot" }, button, extra));

  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    let complete = true;
    for (const one of [...fields].reverse()) {
      const wrong = one.control.validity.valid ? null : one.control.validationMessage;
      one.fail(wrong);
      if (wrong) complete = false;
    }
    if (!complete) return;
    button.disabled = true;
    try {
      await submit(Object.fromEntries(new FormData(element)));
    } catch (error) {
      showProblem(error, fields, problem);
    } finally {
      button.disabled = false;
    }
  });
  return element;
}

function showProblem(error, fields, problem) {
  const known = fields.filter((one) => error.fields?.[one.control.name]);
  for (const one of [...known].reverse()) one.fail(error.fields[one.control.name]);
  if (known.length) return;
  replace(problem, h("strong", null, error.title ?? "That did not work"), " ", error.detail || "");
  problem.hidden = false;
}

/**
 * A button that asks once more in its own place before it acts: `label`, then `sure`. Falls back
 * after a few seconds, so that a later stray click does nothing.
 */
export function twoStep(label, sure, run, { kind = "" } = {}) {
  let armed = 0;
  const text = h("span", { class: "button-label" }, label);
  const button = h("button", { class: `button ${kind}`.trim() }, text);
  const disarm = () => {
    clearTimeout(armed);
    armed = 0;
    text.textContent = label;
    button.classList.remove("danger");
  };
  button.addEventListener("blur", disarm);
  button.addEventListener("click", async () => {
    if (!armed) {
      text.textContent = sure;
      button.classList.add("danger");
      armed = setTimeout(disarm, 5000);
      return;
    }
    disarm();
    button.disabled = true;
    try {
      await run();
    } finally {
      button.disabled = false;
    }
  });
  return button;
}
