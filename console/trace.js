// Reads a stored decision (a turn's `trace`) into the parts that the screen has a place for. The
// only place that knows the trace's names. Must not draw, and must not decide anything again.

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
    const value = turn.trace?.thresholds?.frustration?.turn;
    if (typeof value === "number") return value;
  }
  return null;
}

// What was compared with what: [{name, value, threshold}], only where both were stored.
function checks({ analysis = {}, figures = {}, thresholds = {} }, turn) {
  const gates = (turn.source === "rules" ? thresholds.intent_rules : thresholds.intent) ?? {};
  const { frustration: limits = {}, failures = {} } = thresholds;
  const [best, second] = analysis.intents ?? [];
  return [
    ["Probability of the best intent", best?.probability, gates.accept_probability],
    ["Its likeness to the nearest example", best?.similarity, gates.accept_similarity],
    ["Its lead over the second", best && second ? best.probability - second.probability : null, gates.margin],
    ["Frustration of this turn", figures.frustration, limits.turn],
    ["Frustration that is enough by itself", figures.frustration, limits.single],
    ["Frustrated turns in a row", figures.frustrated_in_a_row, limits.consecutive],
    ["Rise over three turns", figures.rise, limits.rise],
    ["Failures of the bot in a row", figures.failures_in_a_row, failures.in_a_row],
  ]
    .filter(([, value, threshold]) => typeof value === "number" && typeof threshold === "number")
    .map(([name, value, threshold]) => ({ name, value, threshold }));
}
