// The pages before the console: signing in, and the first manager's account from the one-time
// link. Must not know what follows; both hand the signed-in agent to `done(agent)`.

import { checkSetupToken, setUp, signIn } from "./api.js";
import { h, replace } from "./dom.js";
import { field, form } from "./form.js";
import { mark } from "./icons.js";

const PASSWORD_LEAST = 12;

/** The sign-in page. */
export function signInView(done, { notice = null } = {}) {
  return page(
    "Sign in",
    notice ?? "To the agent desk and the transcripts.",
    form({
      fields: [
        field("email", "E-mail", { type: "email", autocomplete: "username", required: true, autofocus: true }),
        field("password", "Password", { type: "password", autocomplete: "current-password", required: true }),
      ],
      action: "Sign in",
      submit: async ({ email, password }) => done(await signIn(email.trim(), password)),
    }),
  );
}

/** The page behind the one-time link that the server printed when it started. */
export function setUpView(token, done) {
  const body = h("div", null, h("p", { class: "quiet-text", role: "status" }, "Checking the link …"));
  checkSetupToken(token).then(
    () => replace(body, setUpForm(token, done)),
    (error) =>
      replace(
        body,
        h("p", { class: "form-problem" }, h("strong", null, "This link cannot be used. "), error.status === 404 ? "It was used already, or a newer start of the server has replaced it." : error.message),
        h("p", null, h("a", { href: "#/" }, "Go to the sign-in page")),
      ),
  );
  return page("Welcome to candor", "Create the first manager's account. It can add everybody else.", body);
}

function setUpForm(token, done) {
  return form({
    fields: [
      field("name", "Your name", { autocomplete: "name", required: true, maxlength: 80, hint: "Customers see this name when you answer them." }),
      field("email", "E-mail", { type: "email", autocomplete: "username", required: true }),
      passwordField(),
    ],
    action: "Create the account",
    submit: async (values) => done(await setUp({ token, ...values, email: values.email.trim() })),
  });
}

/** A field for a new password, with the server's rule as its hint. */
export const passwordField = (label = "Password") =>
  field("password", label, { type: "password", autocomplete: "new-password", required: true, minlength: PASSWORD_LEAST, maxlength: 128, hint: `At least ${PASSWORD_LEAST} characters; a few unrelated words are good.` });

function page(title, lead, ...body) {
  return h(
    "main",
    { class: "gate", id: "main" },
    h("div", { class: "gate-card" }, h("div", { class: "gate-brand" }, mark(), "candor"), h("h1", null, title), h("p", { class: "gate-lead" }, lead), body),
  );
}
