// The manager's page of members of staff: who they are, adding one, roles, closing an account.
// Must not know sessions; a closed account's sessions end on the server.

import { addAgent, agents, changeAgent } from "./api.js";
import { h } from "./dom.js";
import { field, form, twoStep } from "./form.js";
import { PRESENCE, ROLES, shortTime } from "./format.js";
import { menu } from "./menu.js";
import { dataPage } from "./page-data.js";
import { passwordField } from "./session.js";
import { toast, toastError } from "./toast.js";

/** The page; `me` is the signed-in manager. */
export function peopleView(me) {
  const list = dataPage(agents, (people) => draw(people, me, () => list.reload()));
  return h(
    "div",
    { class: "page-body" },
    h("header", { class: "page-head" }, h("h1", null, "People")),
    h("div", { class: "people-columns" }, list, h("section", { class: "card add-person" }, h("h2", null, "Add a person"), addForm(() => list.reload()))),
  );
}

function draw(people, me, reload) {
  const order = (person) => (person.active ? 0 : 1);
  const sorted = [...people].sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name));
  return h("ul", { class: "people" }, sorted.map((person) => row(person, me, reload)));
}

function row(person, me, reload) {
  const self = person.id === me.id;
  const change = async (values, done) => {
    try {
      await changeAgent(person.id, values);
      toast(done);
      reload();
    } catch (error) {
      toastError(error);
    }
  };
  const other = person.role === "manager" ? "agent" : "manager";
  const password = h("div", { class: "person-password", hidden: true });
  const openPassword = () => {
    password.hidden = false;
    if (!password.firstChild) {
      password.append(form({ fields: [passwordField(`New password for ${person.name}`)], action: "Set the password", submit: async (values) => { await changeAgent(person.id, values); password.replaceChildren(); password.hidden = true; toast(`${person.name} has a new password.`); } }));
    }
    password.querySelector("input").focus();
  };
  return h(
    "li",
    { class: `card person${person.active ? "" : " closed"}` },
    h("span", { class: `avatar presence-${person.presence ?? "offline"}`, "aria-hidden": "true" }, initials(person.name)),
    h("div", { class: "person-text" },
      h("p", { class: "person-name" }, person.name, self && h("span", { class: "quiet-text" }, " (you)")),
      h("p", { class: "quiet-text break" }, person.email),
      h("p", { class: "row-chips" },
        h("span", { class: "chip" }, ROLES[person.role] ?? person.role),
        person.active ? h("span", { class: `chip presence-chip presence-${person.presence}` }, PRESENCE[person.presence] ?? "Offline") : h("span", { class: "chip" }, "Account closed"),
        h("span", { class: "quiet-text" }, `since ${shortTime(person.created_at)}`))),
    h("div", { class: "person-actions" },
      person.active && menu(`Change ${person.name}`, () => [
        !self && { label: `Make ${other === "agent" ? "an agent" : "a manager"}`, run: () => change({ role: other }, `${person.name} is now ${other === "agent" ? "an agent" : "a manager"}.`) },
        { label: "Set a new password", run: openPassword },
      ].filter(Boolean), { kind: "quiet round", hideLabel: true }),
      !self && person.active && twoStep("Close account", "Really close?", () => change({ active: false }, `${person.name}'s account is closed.`), { kind: "small" }),
      !person.active && h("button", { class: "button small", onclick: () => change({ active: true }, `${person.name}'s account is open again.`) }, "Open again")),
    password,
  );
}

const initials = (name) => name.split(/\s+/).slice(0, 2).map((word) => word.charAt(0)).join("").toUpperCase();

function addForm(reload) {
  const element = form({
    fields: [
      field("name", "Name", { required: true, maxlength: 80, autocomplete: "off", hint: "Customers see it." }),
      field("email", "E-mail", { type: "email", required: true, autocomplete: "off" }),
      field("role", "Role", { options: [["agent", "Agent: answers customers"], ["manager", "Manager: also reads transcripts and adds people"]] }),
      passwordField("First password"),
    ],
    action: "Add",
    submit: async (values) => {
      await addAgent({ ...values, email: values.email.trim() });
      toast(`${values.name} can sign in now.`);
      element.reset();
      reload();
    },
  });
  return element;
}
