// One customer turn as it was read and decided, for people: a fold of one line on the desk, the
// whole decision in a transcript. `readTrace` is the only place that knows the trace's names.
// Must not decide anything: it shows what the server stored.

import { h } from "./dom.js";
import { ACTIONS, ACTIONS_SHORT, reasonLabel, score, title } from "./format.js";
import { moodChip } from "./chips.js";

/** The parts of a stored trace that have a place of their own on the screen. */
export function readTrace(turn) {
  const trace = turn.trace ?? {};
  return {
    intents: trace.intents ?? trace.analysis?.intents ?? [],
    emotions: trace.emotions ?? trace.analysis?.emotions ?? [],
    rules: trace.rules ?? [],
    checks: trace.checks ?? [],
    thresholds: trace.thresholds ?? {},
    language: trace.language ?? trace.analysis?.language ?? null,
    model: trace.model_version ?? trace.analysis?.version ?? null,
    prompts: trace.prompts_version ?? null,
    took: trace.took_ms ?? null,
  };
}

/** The frustration threshold that the newest turn with one was held against, or null. */
export function frustrationThreshold(turns) {
  for (const turn of [...turns].reverse()) {
    const { thresholds, checks } = readTrace(turn);
    const found =
      thresholds["frustration.turn"] ??
      thresholds.frustration?.turn ??
      checks.find((check) => check.name === "frustration.turn")?.threshold ??
      turn.reasons?.find((reason) => reason.code === "frustration")?.threshold;
    if (typeof found === "number") return found;
  }
  return null;
}

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
          (reason.value <= 1
            ? meter("Measured", reason.value, { threshold: reason.threshold ?? null, tone: "bad" })
            : h("p", { class: "evidence" }, `Measured ${reason.value}${reason.threshold ? `, threshold ${reason.threshold}` : ""}`)),
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
    h("summary", null, moodChip(turn.mood), h("span", { class: "reading-line" }, done || "Details")),
    h(
      "div",
      { class: "reading-body" },
      h("p", null, `${ACTIONS[turn.action] ?? title(turn.action)}${intent ? `, understood as “${intent}”` : ""}.`),
      turn.reasons?.length > 0 && reasonList(turn.reasons),
      scores(turn),
      turn.source === "rules" && h("p", { class: "quiet-text" }, "Read by keyword rules: the model was not available."),
    ),
  );
}

/** Everything that is known about a turn's decision, for the transcript. */
export function turnTrace(turn) {
  const { intents, emotions, rules, checks, language, model, prompts, took } = readTrace(turn);
  const versions = [model && `model ${model}`, prompts && `prompts ${prompts}`, language && `language ${language}`, took !== null && `${Math.round(took)} ms`];
  return h(
    "section",
    { class: "trace", "aria-label": "How this turn was read and decided" },
    h("p", { class: "trace-decision" }, moodChip(turn.mood), h("strong", null, ACTIONS[turn.action] ?? title(turn.action))),
    h("p", { class: "trace-intent" }, turn.intent ? `Understood as “${title(turn.intent)}”.` : "No intent was accepted."),
    turn.reasons?.length > 0 && reasonList(turn.reasons),
    h(
      "div",
      { class: "trace-columns" },
      h("div", null, h("h4", null, "Scores"), scores(turn)),
      intents.length > 0 &&
        h("div", null, h("h4", null, "Likeliest intents"), intents.slice(0, 4).map((intent) => meter(intent.title ?? title(intent.name), intent.probability))),
      topEmotions(emotions),
    ),
    rules.length > 0 && h("p", { class: "trace-rules" }, "Rules that matched: ", rules.map((rule, index) => [index > 0 && ", ", h("code", null, ruleText(rule))])),
    checks.length > 0 && checkTable(checks),
    h("p", { class: "quiet-text" }, [turn.source === "rules" ? "Read by keyword rules" : "Read by the model", ...versions.filter(Boolean)].join(" · ")),
    h(
      "details",
      { class: "fold" },
      h("summary", null, "Everything that was stored"),
      h("pre", { class: "raw", tabindex: "0" }, JSON.stringify(turn, null, 2)),
    ),
  );
}

const ruleText = (rule) => (typeof rule === "string" ? rule : [rule.reason && reasonLabel(rule.reason), rule.pattern].filter(Boolean).join(": "));

function topEmotions(emotions) {
  const named = Array.isArray(emotions) ? emotions.filter((emotion) => emotion?.name) : Object.entries(emotions).map(([name, probability]) => ({ name, probability }));
  const top = named.sort((a, b) => b.probability - a.probability).slice(0, 3);
  if (top.length === 0) return null;
  return h("div", null, h("h4", null, "Emotions"), top.map((emotion) => meter(title(emotion.name), emotion.probability)));
}

function checkTable(checks) {
  return h(
    "details",
    { class: "fold" },
    h("summary", null, `${checks.length} checks against the policy`),
    h("div", { class: "scroll-x" }, h(
      "table",
      { class: "plain" },
      h("thead", null, h("tr", null, ["Check", "Value", "Threshold", "Result"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, checks.map((check) => h(
        "tr",
        null,
        h("td", null, title(check.name)),
        h("td", null, score(check.value)),
        h("td", null, score(check.threshold)),
        h("td", null, check.passed ? "met" : "not met"),
      ))),
    )),
  );
}
