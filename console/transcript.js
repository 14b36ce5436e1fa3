// One transcript for the manager: facts, the mood line, the whole log, and under each customer
// turn how it was read and why it was decided so. Must not change anything.

import { transcript } from "./api.js";
import { csatChip, moodChip, reasonChip, sampleChip, stateChip, verifiedMark } from "./chips.js";
import { churnPart } from "./churn.js";
import { breakable, h } from "./dom.js";
import { ACTIONS_SHORT, fullTime, plural, span, title } from "./format.js";
import { icon } from "./icons.js";
import { ConversationLog } from "./log.js";
import { moodLine } from "./mood-line.js";
import { dataPage } from "./page-data.js";
import { listAddress } from "./transcripts.js";
import { frustrationThreshold, isUnread } from "./trace.js";
import { turnTrace } from "./turn.js";

/** The page of the conversation `id`. */
export function transcriptView(id) {
  return dataPage((signal) => transcript(id, signal), draw);
}

function draw({ conversation, events, turns }) {
  const customer = conversation.customer ?? "Customer";
  const log = new ConversationLog({ drawTurn: fold, customer: () => customer });
  for (const event of events) log.add(event);
  for (const turn of turns) log.addTurn(turn);
  const csat = events.findLast((event) => event.kind === "rating" && event.survey === "csat")?.score;
  const live = conversation.state !== "closed";
  return h(
    "div",
    { class: "page-body transcript" },
    h("a", { class: "back-link", href: listAddress() }, icon("back"), "All transcripts"),
    h("header", { class: "page-head" },
      h("div", null,
        h("h1", null, customer, verifiedMark(conversation.verified)),
        h("p", { class: "row-chips" }, stateChip(conversation.state), reasonChip(conversation.reason), moodChip(turns.findLast((turn) => !isUnread(turn))?.mood), csatChip(csat), sampleChip(conversation.demo))),
      live && h("a", { class: "button", href: `#/desk/${encodeURIComponent(conversation.conversation)}` }, "Open on the desk")),
    h("div", { class: "transcript-columns" },
      h("div", { class: "transcript-main" },
        turns.length > 0 && h("section", { class: "card" }, h("h2", null, "Mood over the conversation"), moodLine(turns, { threshold: frustrationThreshold(turns), unread: isUnread })),
        h("section", { class: "card transcript-log" },
          h("div", { class: "card-head" }, h("h2", null, "Conversation"), turns.length > 0 && foldAll(log.list)),
          log.list)),
      h("aside", { class: "card transcript-facts", "aria-label": "Facts" }, h("h2", null, "Facts"), facts(conversation, events, turns), churnPart(turns, { open: true }))),
  );
}

function fold(turn) {
  const done = [ACTIONS_SHORT[turn.action] || "With a person", turn.intent && title(turn.intent)].filter(Boolean).join(" · ");
  return h("details", { class: "fold reading decision" }, h("summary", null, !isUnread(turn) && moodChip(turn.mood), h("span", { class: "reading-line" }, done)), turnTrace(turn));
}

function foldAll(scope) {
  let open = false;
  const button = h("button", { class: "button small" }, "Open every decision");
  button.addEventListener("click", () => {
    open = !open;
    for (const one of scope.querySelectorAll("details.decision")) one.open = open;
    button.textContent = open ? "Fold every decision" : "Open every decision";
  });
  return button;
}

function facts(conversation, events, turns) {
  const start = conversation.created_at ?? events[0]?.at;
  const end = conversation.closed_at ?? events.at(-1)?.at;
  const person = events.find((event) => event.kind === "message" && event.from?.role === "agent");
  const queued = events.find((event) => event.kind === "state" && event.state === "queued");
  const rows = [
    ["Started", start && fullTime(start)],
    [conversation.closed_at ? "Closed" : "Last entry", end && fullTime(end)],
    ["Lasted", start && end && span(end - start)],
    ["Customer turns", plural(turns.length, "turn")],
    ["Person", conversation.agent?.name ?? person?.from.name],
    ["Waited for a person", queued && person && person.at > queued.at && span(person.at - queued.at)],
    ["Language", conversation.locale],
    ["Page", conversation.page && breakable(conversation.page)],
    ["Conversation", h("code", { class: "break" }, conversation.conversation)],
  ].filter(([, value]) => value);
  return h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}
