// One customer turn as it was read and decided, for people: a fold of one line on the desk, the
// whole decision in a transcript. Must not decide anything: it shows what the server stored.

import { h, tableBox } from "./dom.js";
import { ACTIONS, ACTIONS_SHORT, plural, reasonLabel, score, title } from "./format.js";
import { moodChip } from "./chips.js";
import { changeLine, changeLines } from "./changes.js";
import { frustrationThreshold, isUnread, readTrace } from "./trace.js";

/** A value between 0 and 1 as a bar, with a tick where its threshold lies. */
export function meter(name, value, { threshold = null, tone = "" } = {}) {
  const bar = h("span", { class: `meter-fill ${tone}`.trim() });
  bar.style.inlineSize = `${Math.round(Math.min(1, Math.max(0, value ?? 0)) * 100)}%`;
  let tick = null;
  if (threshold !== null && threshold <= 1) {
    tick = h("span", { class: "meter-tick" });
    tick.style.insetInlineStart = `${Math.round(threshold * 100)}%`;
  }
  return h(
    "div",
    { class: "meter" },
    h("span", { class: "meter-name" }, name),
    h("span", { class: "meter-track", "aria-hidden": "true" }, bar, tick),
    h("span", { class: "meter-value" }, score(value), threshold !== null && h("span", { class: "meter-threshold" }, ` / ${score(threshold)}`)),
  );
}

/**
 * Why a person was offered or brought in: each reason with its evidence and figures. The label of
 * the reason `said` is left out, where it stands above the list already.
 */
export function reasonList(reasons, { said = null } = {}) {
  return h(
    "ul",
    { class: "reason-list" },
    reasons.map((reason) =>
      h(
        "li",
        null,
        reason.code !== said && h("strong", null, reasonLabel(reason.code)),
        reason.evidence && h("p", { class: "evidence" }, reason.evidence),
        typeof reason.value === "number" &&
          (!Number.isInteger(reason.threshold ?? 0.5)
            ? meter("Measured", reason.value, { threshold: reason.threshold ?? null, tone: "bad" })
            : h("p", { class: "evidence" }, `Counted ${reason.value}, limit ${reason.threshold}`)),
      ),
    ),
  );
}

function scores(turn) {
  return [
    meter("Frustration", turn.frustration, { threshold: frustrationThreshold([turn]), tone: "bad" }),
    meter("Negative", turn.negative, { tone: "warm" }),
    meter("Positive", turn.positive, { tone: "good" }),
  ];
}

/** The line under a customer's message on the desk; opens to action, intent, scores, evidence. */
export function turnFold(turn) {
  const intent = turn.intent ? title(turn.intent) : null;
  const done = [ACTIONS_SHORT[turn.action], intent].filter(Boolean).join(" · ");
  return h(
    "details",
    { class: "fold reading" },
    h("summary", null, !isUnread(turn) && moodChip(turn.mood), h("span", { class: "reading-line" }, done || "Details")),
    h(
      "div",
      { class: "reading-body" },
      h("p", null, `${ACTIONS[turn.action] ?? title(turn.action)}${intent ? `, understood as “${intent}”` : ""}.`),
      turn.reasons?.length > 0 && reasonList(turn.reasons),
      changeLine(turn) && h("p", { class: "evidence" }, changeLine(turn)),
      !isUnread(turn) && scores(turn),
      turn.source === "rules" && !isUnread(turn) && h("p", { class: "quiet-text" }, "Read by keyword rules: the model was not available."),
    ),
  );
}

/** Everything that is known about a turn's decision, for the transcript. */
export function turnTrace(turn) {
  const { by, how, rest, unread, intents, emotions, hits, checkedRules, checks, weights, language, model, prompts } = readTrace(turn);
  const changes = changeLines(turn);
  const understood = turn.intent ? `Understood as “${title(turn.intent)}”${how ? `, by ${how}` : ""}. ` : unread ? "" : "No intent was accepted. ";
  const made = [!unread && (turn.source === "rules" ? "Read by keyword rules" : "Read by the model"), !unread && model, language && `language ${language}`, prompts && `prompts ${prompts}`];
  return h(
    "div",
    { class: "trace" },
    h("p", { class: "trace-decision" }, !unread && moodChip(turn.mood), h("strong", null, ACTIONS[turn.action] ?? title(turn.action))),
    h("p", null, understood, by, rest && ` ${rest}`),
    turn.reasons?.length > 0 && reasonList(turn.reasons),
    changes.length > 0 && h("div", { class: "trace-changes" }, h("h3", null, "What would have changed it"), h("ul", null, changes.map((line) => h("li", null, line)))),
    weights.length > 0 && weights.map((line) => h("p", { class: "evidence" }, line)),
    !unread && h(
      "div",
      { class: "trace-columns" },
      h("div", null, h("h3", null, "Scores"), scores(turn)),
      intents.length > 0 &&
        h("div", null, h("h3", null, "Likeliest intents"), intents.slice(0, 4).map((intent) => meter(title(intent.name), intent.probability))),
      emotions.length > 0 &&
        h("div", null, h("h3", null, "Emotions"), emotions.slice(0, 3).map((emotion) => meter(title(emotion.name), emotion.probability))),
    ),
    hits.length > 0
      ? h("ul", { class: "trace-rules" }, hits.map((hit) => h("li", null, `Rule ${hit.rule} (${reasonLabel(hit.reason)}) matched `, h("q", null, hit.words))))
      : checkedRules !== null && !unread && h("p", { class: "quiet-text" }, `None of ${plural(checkedRules, "rule")} matched.`),
    checks.length > 0 && !unread && checkTable(checks),
    h("p", { class: "quiet-text" }, made.filter(Boolean).join(" · ")),
    h(
      "details",
      { class: "fold" },
      h("summary", null, "Everything that was stored"),
      h("pre", { class: "raw", tabindex: "0" }, JSON.stringify(turn, null, 2)),
    ),
  );
}

function checkTable(checks) {
  return h(
    "details",
    { class: "fold" },
    h("summary", null, "Figures and thresholds"),
    tableBox("Figures and thresholds", h(
      "table",
      { class: "plain" },
      h("thead", null, h("tr", null, ["Figure", "Value", "Threshold", "Result"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, checks.map(({ name, value, threshold }) => h(
        "tr",
        null,
        h("th", { scope: "row" }, name),
        h("td", null, Number.isInteger(threshold) ? value : score(value)),
        h("td", null, Number.isInteger(threshold) ? threshold : score(threshold)),
        h("td", null, value >= threshold ? "reached" : "below"),
      ))),
    )),
  );
}
