// What invitations to chat brought: a table by trigger, shown against held out.
// Must not compute what the server counted, nor judge what it found too few to tell.

import { invitations } from "./api.js";
import { h, tableBox } from "./dom.js";
import { count, share } from "./format.js";
import { dataPage } from "./page-data.js";

/** The part of the figures page about the last `days` days. */
export function invitationsPart(days) {
  return dataPage((signal) => invitations(days, signal), draw);
}

function draw({ triggers, definition }) {
  return h(
    "section",
    { class: "card" },
    h("h2", null, "Invitations to chat"),
    triggers.length === 0
      ? h("p", { class: "quiet-text" }, "No trigger is set up: nobody is invited.")
      : [tableBox("Invitations by trigger", table(triggers)), h("p", { class: "quiet-text" }, definition)],
  );
}

const COLUMNS = ["Trigger", "Shown", "Accepted", "Chats when shown", "Held out", "Chats when held out", "Difference", "To a person", "CSAT"];

function table(triggers) {
  return h(
    "table",
    { class: "plain" },
    h("thead", null, h("tr", null, COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, triggers.map(({ name, text, shown, held_out: heldOut, effect }) => h(
      "tr",
      null,
      h("th", { scope: "row", title: text ?? "No longer in triggers.toml" }, name),
      h("td", null, count(shown.visits)),
      h("td", null, count(shown.accepted)),
      h("td", null, rate(shown)),
      h("td", null, count(heldOut.visits)),
      h("td", null, rate(heldOut)),
      h("td", null, effect ? difference(effect) : "too few to tell"),
      h("td", null, count(shown.handed_over)),
      h("td", null, shown.csat === undefined ? "–" : `${shown.csat.toFixed(1)} (${count(shown.rated)})`),
    ))),
  );
}

const rate = ({ conversations, visits }) => (visits > 0 ? `${count(conversations)} (${share(conversations, visits)})` : "–");

const difference = ({ value, low, high }) => `${points(value)} points (${points(low)} to ${points(high)})`;

const points = (number) => `${number < 0 ? "−" : "+"}${Math.abs(100 * number).toFixed(1)}`;
