// The forms at the foot of the panel: rating a closed conversation, leaving a message when nobody is there, and
// asking once more before something is deleted.
//
// It knows: their fields, labels and what is asked before they are sent.
// It must not know: sockets. Each gets a function that resolves when it is stored.
import { make } from "./dom.js";

const COMMENT_LENGTH = 1_000;
const TEXT_LENGTH = 4_000;

// The scores of each survey, and the texts of its ends where the scores have no words of their own.
const SCALES = { csat: [1, 5], ces: [1, 7, "hard", "easy"], nps: [0, 10, "unlikely", "likely"] };

/** A score and an optional comment. `survey` says which, and what is asked; `rate(score, comment)`, `skip()`. */
export function ratingForm(texts, { survey, rate, skip }) {
  const [least, most, low, high] = SCALES[survey.kind] ?? SCALES.csat;
  const problem = make("p", { class: "problem", role: "alert" });
  const comment = make("textarea", { id: "comment", rows: 2, maxlength: COMMENT_LENGTH, dir: "auto" });
  const send = make("button", { class: "primary", type: "submit" }, texts.say("sendRating"));
  const more = make("div", { class: "field", hidden: true },
    make("label", { for: "comment" }, texts.say("comment")), comment);
  const choose = () => {
    more.hidden = false;
    send.hidden = false;
    // The form grows: keep its end in view.
    send.scrollIntoView({ block: "nearest" });
  };
  const scores = Array.from({ length: most - least + 1 }, (_, index) => {
    const score = least + index;
    const end = { [least]: low, [most]: high }[score];
    const word = low ? end && texts.say(end) : texts.score(score);
    const name = word ? texts.say("scoreName", { score, most, word }) : texts.say("scoreOf", { score, most });
    return make("label", { class: "score" },
      make("input", { type: "radio", name: "score", value: score, onchange: choose, "aria-label": name }),
      make("span", { class: "score-face", "aria-hidden": "true" }, make("b", {}, String(score)), low ? null : make("span", {}, word)));
  });
  const ends = low && make("p", { class: "score-ends", "aria-hidden": "true" }, make("span", {}, texts.say(low)), make("span", {}, texts.say(high)));
  send.hidden = true;
  const form = make("form", { class: "form rating", novalidate: true },
    make("fieldset", { class: "scores", role: "radiogroup", "aria-labelledby": "rate-title" },
      make("legend", { id: "rate-title", class: "form-title" }, survey.question || texts.say("rateTitle")),
      make("div", { class: `score-row ${survey.kind}` }, scores), ends),
    more, problem,
    make("div", { class: "buttons" },
      make("button", { class: "quiet", type: "button", onclick: skip }, texts.say("skipRating")), send));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { value } = form.elements.score;
    if (value === "") return;
    const score = Number(value);
    await submit(send, problem, () => texts.say("ratingFailed"), () => rate(score, comment.value.trim()));
  });
  return form;
}

/** Email (optional) and text. `leave(text, email)`, `later()`; `draft` fills the text. */
export function leaveForm(texts, { leave, later, draft }) {
  const problem = make("p", { class: "problem", role: "alert" });
  const email = make("input", { id: "email", type: "email", autocomplete: "email", inputmode: "email", maxlength: 254 });
  const text = make("textarea", { id: "left-text", rows: 2, maxlength: TEXT_LENGTH, required: true, dir: "auto" });
  text.value = draft;
  const send = make("button", { class: "primary", type: "submit" }, texts.say("leaveSend"));
  const form = make("form", { class: "form leave", novalidate: true, "aria-labelledby": "leave-title" },
    make("h3", { id: "leave-title", class: "form-title" }, texts.say("leaveTitle")),
    make("p", { class: "hint" }, texts.say("leaveIntro")),
    make("div", { class: "field" }, make("label", { for: "left-text" }, texts.say("leaveText")), text),
    make("div", { class: "field" }, make("label", { for: "email" }, texts.say("leaveEmail")), email),
    problem,
    make("div", { class: "buttons" },
      make("button", { class: "quiet", type: "button", onclick: later }, texts.say("leaveLater")), send));
  const refuse = (field, message) => {
    problem.textContent = message;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const field of [text, email]) field.removeAttribute("aria-invalid");
    if (!text.value.trim()) return refuse(text, texts.say("leaveEmpty"));
    if (!email.validity.valid) return refuse(email, texts.say("leaveEmailWrong"));
    await submit(send, problem, (code) => texts.say(code === "invalid" ? "leaveEmailWrong" : "leaveFailed"), () => leave(text.value.trim(), email.value.trim()));
  });
  return form;
}

/** What the business asks before the first message. `answer(answers)`, `skip()`; it can be skipped if nothing is required. */
export function preChatForm(texts, { form: { intro, fields }, answer, skip }) {
  const problem = make("p", { class: "problem", role: "alert" });
  const send = make("button", { class: "primary", type: "submit" }, texts.say("preChatSend"));
  const inputs = fields.map(({ name, label, kind, required, options = [] }) => {
    const id = `asked-${name}`;
    const needed = required ? { required: true, "aria-required": "true" } : {};
    const input = kind === "choice"
      ? make("select", { id, ...needed }, make("option", { value: "" }, ""), options.map((option) => make("option", { value: option }, option)))
      : make("input", { id, type: kind === "email" ? "email" : "text", maxlength: 200, dir: "auto", autocomplete: { email: "email", name: "name" }[name] ?? "off", ...needed });
    return { name, input, node: make("div", { class: "field" }, make("label", { for: id }, label), input) };
  });
  const form = make("form", { class: "form pre-chat", novalidate: true, "aria-labelledby": "pre-chat-title" },
    make("p", { id: "pre-chat-title", class: "hint" }, intro), inputs.map(({ node }) => node), problem,
    make("div", { class: "buttons" },
      fields.some(({ required }) => required) ? null : make("button", { class: "quiet", type: "button", onclick: skip }, texts.say("skipRating")), send));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const { input } of inputs) input.removeAttribute("aria-invalid");
    const wrong = inputs.find(({ input }) => !input.validity.valid)?.input;
    if (wrong) {
      problem.textContent = texts.say(wrong.validity.typeMismatch ? "leaveEmailWrong" : "preChatMissing");
      wrong.setAttribute("aria-invalid", "true");
      wrong.focus();
      return;
    }
    const answers = Object.fromEntries(inputs.map(({ name, input }) => [name, input.value.trim()]).filter(([, said]) => said));
    if (Object.keys(answers).length === 0) return skip();
    await submit(send, problem, () => texts.say("notDone"), () => answer(answers));
  });
  return form;
}

/** Asks before the conversation is deleted. `erase()` resolves when it is; `cancel()`. The first button is the safe one. */
export function eraseForm(texts, { erase, cancel }) {
  const problem = make("p", { class: "problem", role: "alert" });
  const confirm = make("button", { class: "primary danger", type: "button" }, texts.say("eraseYes"));
  confirm.addEventListener("click", () => submit(confirm, problem, () => texts.say("notDone"), erase));
  const question = make("div", { class: "form", role: "alertdialog", "aria-labelledby": "erase-title", "aria-describedby": "erase-hint" },
    make("h3", { id: "erase-title", class: "form-title" }, texts.say("eraseChat")),
    make("p", { id: "erase-hint", class: "hint" }, texts.say("eraseHint")),
    problem,
    make("div", { class: "buttons" }, make("button", { class: "quiet", type: "button", onclick: cancel }, texts.say("cancel")), confirm));
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    cancel();
  });
  return question;
}

// Off while it is stored; on again, with the reason, when that failed.
// `aria-disabled`, because a disabled button would drop the focus.
async function submit(button, problem, failure, store) {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  problem.textContent = "";
  try {
    await store();
  } catch (error) {
    problem.textContent = failure(error.code);
  } finally {
    button.ariaDisabled = "false";
  }
}
