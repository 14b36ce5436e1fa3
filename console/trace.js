// Reads a stored decision (a turn's `trace`) into the parts that the screen has a place for. The
// only place that knows the trace's names, with changes.js for what would have changed it. Must not
// draw, and must not decide anything again.

import { score } from "./format.js";

/** What settled the action: the trace's `by` as a sentence. */
const BY = {
  button: "The button for a person decides by itself: nothing was read.",
  hard_rule: "A rule that always brings in a person decided.",
  offer_accepted: "The customer accepted the offer of a person.",
  intent: "The intent is one that leads to a person.",
  intent_after_offer: "After the offer, such an intent once more brought in a person.",
  soft_reasons: "The evidence reached a threshold.",
  answer: "Nothing called for a person, so the bot went on.",
  owner: "A person had the conversation, so nothing was decided.",
};

const HOW = {
  label: "the words of a button",
  cue: "a fixed phrase",
  choice: "the answer to “did you mean”",
  gates: "its scores",
};

const REST = {
  returned: "Soft reasons rested: a person had just given the conversation back.",
  declined: "Soft reasons rested: the customer had just declined an offer.",
};

/** The parts of `turn.trace`; empty where a turn was stored without them. */
export function readTrace(turn) {
  const trace = turn.trace ?? {};
  const { analysis = {}, figures = {}, rules = {}, meaning = {} } = trace;
  return {
    by: BY[trace.by] ?? null,
    how: HOW[meaning.how] ?? null,
    unread: isUnread(turn),
    rest: REST[figures.rest] ?? null,
    intents: analysis.intents ?? [],
    emotions: analysis.emotions ?? [],
    hits: rules.hits ?? [],
    checkedRules: rules.checked ?? null,
    checks: checks(trace, turn),
    weights: weights(figures),
    language: analysis.language ?? null,
    model: analysis.version ?? null,
    prompts: trace.prompts ?? null,
  };
}

/** True for a press of the button for a person: decided, but there was no text to read. */
export const isUnread = (turn) => turn.trace?.button === true;

/** The frustration threshold that the newest turn was held against, or null. */
export function frustrationThreshold(turns) {
  for (const turn of [...turns].reverse()) {
    const value = turn.trace?.figures?.limits?.turn ?? turn.trace?.thresholds?.frustration?.turn;
    if (typeof value === "number") return value;
  }
  return null;
}

/** Turns of the conversation with an insult, as the newest decided turn counted them. */
export const abusiveTurns = (turns) => turns.findLast((turn) => turn.trace?.figures)?.trace.figures.abusive_turns ?? 0;

const LOWERED = { repeat_contact: "repeated contact", vip: "a customer served first", vulnerable: "a vulnerable customer" };

// What was added to the reading and what lowered its limit, as sentences; none where nothing was.
function weights({ frustration, added = {}, weighed, limits = {}, lowered = [], loudness = {} }) {
  const parts = [
    added.shouting > 0 && `+ ${score(added.shouting)} shouting (${Math.round((loudness.capitals ?? 0) * 100)} % capitals, ${loudness.marks ?? 0} marks)`,
    added.abuse > 0 && `+ ${score(added.abuse)} insult`,
  ].filter(Boolean);
  const lines = [];
  if (parts.length) lines.push(`Frustration ${score(frustration)} as read ${parts.join(" ")} = ${score(weighed)}.`);
  if (lowered.length) lines.push(`Limit ${score(limits.turn)}: lowered by ${lowered.map(({ by, amount }) => `${score(amount)} (${LOWERED[by] ?? by})`).join(" and ")}.`);
  return lines;
}

// What was compared with what: [{name, value, threshold}], only where both were stored.
function checks({ analysis = {}, figures = {}, thresholds = {} }, turn) {
  const gates = (turn.source === "rules" ? thresholds.intent_rules : thresholds.intent) ?? {};
  const { frustration: limits = {}, failures = {}, abuse = {}, repeat_contact: repeat = {} } = thresholds;
  const [best, second] = analysis.intents ?? [];
  return [
    ["Probability of the best intent", best?.probability, gates.accept_probability],
    ["Its likeness to the nearest example", best?.similarity, gates.accept_similarity],
    ["Its lead over the second", best && second ? best.probability - second.probability : null, gates.margin],
    ["Frustration of this turn", figures.weighed ?? figures.frustration, figures.limits?.turn ?? limits.turn],
    ["Frustration that is enough by itself", figures.weighed ?? figures.frustration, figures.limits?.single ?? limits.single],
    ["Hostility", figures.hostility, limits.hostility],
    ["Frustrated turns in a row", figures.frustrated_in_a_row, limits.consecutive],
    ["Rise over three turns", figures.rise, limits.rise],
    ["Failures of the bot in a row", figures.failures_in_a_row, failures.in_a_row],
    ["Turns with an insult", figures.abusive_turns, abuse.offer],
    ["Contacts within 24 hours, for lower limits", figures.contacts, repeat.lower_from + 1],
  ]
    .filter(([, value, threshold]) => typeof value === "number" && typeof threshold === "number")
    .map(([name, value, threshold]) => ({ name, value, threshold }));
}
