// Puts into words what would have changed a decision: the trace's `would_change`. Pure text in, text
// out; the server found the changes by deciding again, nothing is computed here.

import { score } from "./format.js";

const THRESHOLDS = {
  "intent.hard_probability": "the probability that hands over",
  "intent_rules.hard_probability": "the probability that hands over",
  "frustration.turn": "the limit of a frustrated turn",
  "frustration.consecutive": "the number of frustrated turns in a row",
  "frustration.hostility": "the least hostility",
  "frustration.single": "the limit of one turn that is enough",
  "frustration.single_hostility": "the hostility of one turn that is enough",
  "frustration.rise": "the rise over three turns",
  "frustration.rise_step": "the step of a rise",
  "frustration.rise_end": "the end of a rise",
  "shouting.capitals": "the share of capitals that is shouting",
  "shouting.letters": "the letters that a shout needs",
  "shouting.marks": "the marks that a shout needs",
  "abuse.offer": "the insults that offer a person",
  "abuse.handoff": "the insults that hand over",
  "failures.in_a_row": "the failures in a row",
  "failures.ask_tries": "the tries to ask for a value",
  "repeat_contact.lower_from": "the contacts that lower the limits",
  "repeat_contact.first_sign_from": "the contacts from which one sign is enough",
  "repeat_contact.offer_from": "the contacts from which a person is offered at once",
  "cooldown.after_return": "the rest after a return",
  "cooldown.after_decline": "the rest after a declined offer",
};

const BY = {
  button: "Nothing would have: the customer pressed the button.",
  hard_rule: "No number would have: words that always bring in a person were said.",
  offer_accepted: "No number would have: the customer accepted.",
};

const more = (turns) => (turns === 1 ? "one more such turn" : `${turns} more such turns`);
const value = (number) => (Number.isInteger(number) && number > 1 ? String(number) : score4(number));
// A limit that was only just passed needs its last digits.
const score4 = (number) => (Math.abs(number * 100 - Math.round(number * 100)) < 1e-6 ? score(number) : Number(number).toFixed(4));

/** One sentence for the smallest change; null where the trace has none. */
export function changeLine(turn) {
  const changes = turn.trace?.would_change;
  if (!changes) return null;
  const { any = [], all = [], sufficient = [] } = changes;
  if (sufficient.length === 0) return any.length ? missing(any[0]) : null;
  const several = sufficient.length > 1 && !BY[turn.trace.by] ? `Each of ${sufficient.length} reasons was enough by itself. ` : "";
  if (any.length) return `${several}${raised(any[0])}`;
  if (all.length) return `${several}Only together: ${all.map((change) => `${name(change)} ${to(change)}`).join("; ")}.`;
  return BY[turn.trace.by] ?? `${several}No raised threshold would have changed it: the words or the answer itself decided.`;
}

/** Every change, as a sentence each, for the manager. */
export function changeLines(turn) {
  const { any = [], all = [], sufficient = [] } = turn.trace?.would_change ?? {};
  if (sufficient.length === 0) return any.map(missing);
  if (!any.length && !all.length) return [changeLine(turn)].filter(Boolean);
  return any.length ? any.map(raised) : [changeLine(turn)];
}

// What a turn on which the bot went on was short of.
function missing(change) {
  const leads = change.leads_to === "handoff" ? "handed it over" : "offered a person";
  const turns = change.more_turns > 0 ? more(change.more_turns) : null;
  switch (change.name) {
    case "frustration":
      if (change.to <= change.from) return `${capital(turns ?? "more")} would have ${leads}.`;
      return `Frustration ${value(change.from)} of ${value(change.to)} needed${turns ? `, and ${turns},` : ""} would have ${leads}.`;
    case "hostility":
      return `Hostility ${value(change.from)} of ${value(change.to)} needed would have ${leads}.`;
    case "failures_in_a_row":
      return `${capital(change.more_turns === 1 ? "one more failure" : `${change.more_turns} more failures`)} of the bot in a row would have ${leads}.`;
    case "abusive_turns":
      return `${capital(change.more_turns === 1 ? "one more insult" : `${change.more_turns} more insults`)} would have ${leads}.`;
    case "rest":
      return `Without the rest of soft reasons, this turn would have ${leads}.`;
    default:
      return `${change.name}: ${value(change.from)} of ${value(change.to)}.`;
  }
}

// What would have kept an offer or a hand-over from happening.
function raised(change) {
  const instead = change.leads_to === "offer" ? "only offered a person" : "let the bot go on";
  return `${capital(name(change))} ${to(change)} would have ${instead}.`;
}

const name = ({ name: path }) => THRESHOLDS[path] ?? path;
const to = (change) => `at ${value(change.to)} instead of ${value(change.from)}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
