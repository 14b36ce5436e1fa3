// The manager's first figures, each with its definition one click away.
// Must not compute what the server counted; only shares of two counts are made here.

import { figures } from "./api.js";
import { barList, dayColumns } from "./bars.js";
import { demoBanner } from "./demo-banner.js";
import { h } from "./dom.js";
import { count, day, plural, share, span } from "./format.js";
import { icon } from "./icons.js";
import { invitationsPart } from "./invitations.js";
import { dataPage } from "./page-data.js";

const RANGES = [["1", "1 day"], ["7", "7 days"], ["30", "30 days"], ["90", "90 days"]];

/** The figures of the range that `query` (URLSearchParams) names. */
export function figuresView(query) {
  const days = RANGES.some(([value]) => value === query.get("days")) ? query.get("days") : "7";
  const data = dataPage((signal) => figures(days, signal), draw);
  return h(
    "div",
    { class: "page-body" },
    h("header", { class: "page-head" }, h("h1", null, "Figures"),
      h("nav", { class: "ranges", "aria-label": "Range" }, RANGES.map(([value, label]) => h("a", { class: "range", href: `#/figures?days=${value}`, "aria-current": value === days ? "true" : "false" }, label)))),
    demoBanner(() => data.reload()),
    data,
    invitationsPart(days),
  );
}

function draw(data) {
  const { definitions = {} } = data;
  const csat = data.csat ?? {};
  const tiles = [
    tile("Conversations", count(data.conversations), `${count(data.open_now)} open now`, definitions.conversations),
    tile("Contained by the bot", share(data.contained, data.conversations), plural(data.contained, "conversation"), definitions.contained),
    tile("Handed to a person", share(data.handed_over, data.conversations), `${plural(data.handed_over, "conversation")}, ${count(data.offered)} offered`, definitions.handed_over),
    tile("First response, bot", span(data.first_response_ms?.bot_median), "median", definitions.first_response_ms),
    tile("First response, person", span(data.first_response_ms?.person_median), "median from waiting to first reply", definitions.first_response_ms),
    tile("CSAT", csat.count ? Number(csat.mean).toFixed(1) : "–", csat.count ? `of 5, from ${plural(csat.count, "answer")}` : "nobody has rated yet", definitions.csat),
  ];
  return h(
    "div",
    { class: "figures" },
    h("p", { class: "quiet-text" }, `${day(data.from)} to ${day(data.to - 1).toLowerCase()}`),
    h("div", { class: "tiles" }, tiles),
    h("div", { class: "figure-columns" },
      h("section", { class: "card figure-wide" }, head("Conversations by day", definitions.by_day, data.by_day?.length ? columns(data.by_day) : nothing())),
      h("section", { class: "card" }, head("Why people were brought in", definitions.reasons, data.reasons?.length ? reasons(data.reasons) : nothing("Nobody was offered or brought in."))),
      h("section", { class: "card" }, head("CSAT answers", definitions.csat, csat.count ? scores(csat) : nothing("Customers are asked when a conversation is closed.")))),
  );
}

function tile(name, value, note, definition) {
  return h("section", { class: "tile" }, head(name, definition, h("p", { class: "tile-value" }, value), h("p", { class: "tile-note" }, note)));
}

// The heading with its definition's switch, what stands under it, and the definition at the end.
function head(name, definition, ...body) {
  if (!definition) return [h("div", { class: "tile-head" }, h("h2", null, name)), body];
  const text = h("p", { class: "definition", hidden: true }, definition);
  const toggle = h("button", {
    class: "button quiet round tiny",
    "aria-expanded": "false",
    "aria-label": `What “${name}” means`,
    onclick: () => {
      text.hidden = !text.hidden;
      toggle.setAttribute("aria-expanded", String(!text.hidden));
    },
  }, icon("info"));
  return [h("div", { class: "tile-head" }, h("h2", null, name), toggle), body, text];
}

// What is neither contained nor handed over has a series only where there is such a thing.
function columns(byDay) {
  const days = byDay.map((day) => ({
    label: new Date(`${day.day}T12:00:00Z`).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" }),
    values: [day.contained, day.handed_over, Math.max(0, day.conversations - day.contained - day.handed_over)],
  }));
  const series = [{ name: "Contained by the bot", tone: "accent" }, { name: "Handed to a person", tone: "warm" }, { name: "Neither yet", tone: "quiet" }];
  return dayColumns(days, days.some((one) => one.values[2] > 0) ? series : series.slice(0, 2));
}

function reasons(list) {
  const total = list.reduce((sum, reason) => sum + reason.count, 0);
  return barList(list.map((reason) => ({ label: reason.label, value: reason.count, note: share(reason.count, total) })), { tone: "warm" });
}

function scores({ by_score: byScore = [] }) {
  return barList([5, 4, 3, 2, 1].map((score) => ({ label: `${score} of 5`, value: byScore[score - 1] ?? 0 })));
}

const nothing = (text = "Nothing in this range.") => h("p", { class: "quiet-text" }, text);
