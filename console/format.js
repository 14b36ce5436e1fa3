// Words for values: times, durations, percentages, states, moods and actions.
// Pure text in, text out: must not touch the DOM or the network.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dateWithYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const number = new Intl.NumberFormat();

export const timeOfDay = (ms) => clock.format(ms);
export const fullTime = (ms) => full.format(ms);
export const count = (value) => number.format(value);

/** `14:05` today, `21 Nov` this year, `21 Nov 2025` before. */
export function shortTime(ms, now = Date.now()) {
  const then = new Date(ms);
  const today = new Date(now);
  if (then.toDateString() === today.toDateString()) return clock.format(ms);
  return then.getFullYear() === today.getFullYear() ? date.format(ms) : dateWithYear.format(ms);
}

/** `Today`, or the day with its month. */
export function day(ms, now = Date.now()) {
  if (new Date(ms).toDateString() === new Date(now).toDateString()) return "Today";
  if (new Date(ms).toDateString() === new Date(now - 86_400_000).toDateString()) return "Yesterday";
  return shortTime(ms, now);
}

/** A running wait: `0:42`, `12:05`, `2 h 14 m`, `3 d`. */
export function wait(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${Math.floor((seconds % 3600) / 60)} m`;
  return `${Math.floor(hours / 24)} d`;
}

/** A measured span: `480 ms`, `2.1 s`, `4 min 10 s`. */
export function span(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return pair(ms / 1000, 60, "min", "s");
  return pair(ms / 60_000, 60, "h", "min");
}

function pair(value, size, large, small) {
  const whole = Math.round(value);
  const rest = whole % size;
  return `${Math.floor(whole / size)} ${large}${rest ? ` ${rest} ${small}` : ""}`;
}

/** A probability with two digits, as it is written in the policy file. */
export const score = (value) => (value === null || value === undefined ? "–" : Number(value).toFixed(2));

/** A share of a whole, `–` where there is no whole. */
export const share = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "–");

export const plural = (n, one, many = `${one}s`) => `${number.format(n)} ${n === 1 ? one : many}`;

/** `delivery_time` as people write it: `Delivery time`. */
export function title(code) {
  const words = String(code).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const MOODS = { positive: "Positive", neutral: "Neutral", negative: "Negative", frustrated: "Frustrated" };
export const STATES = { bot: "With the bot", offered: "Person offered", queued: "Waiting", assigned: "With a person", closed: "Closed" };
export const PRESENCE = { online: "Online", away: "Away", offline: "Offline" };
export const ROLES = { agent: "Agent", manager: "Manager" };
export const ACTIONS = {
  reply: "The bot answered",
  clarify: "The bot asked which of two was meant",
  fallback: "The bot did not understand",
  offer: "The bot offered a person",
  handoff: "Handed to a person",
  silent: "The bot kept silent: a person has the conversation",
};
export const ACTIONS_SHORT = {
  reply: "Answered",
  clarify: "Asked back",
  fallback: "Not understood",
  offer: "Offered a person",
  handoff: "Handed over",
  silent: "",
};

const reasonLabels = new Map();

/** Learns what the business calls each hand-over reason: [{code, label}]. */
export function learnReasons(reasons) {
  for (const { code, label } of reasons) reasonLabels.set(code, label);
}

/** The label of a reason's code. */
export const reasonLabel = (code) => reasonLabels.get(code) ?? title(code);

/**
 * One sentence for a state event of the log. `holder` is the person who had the conversation until
 * now, or null: only they can hand it on, give it back or close it.
 */
export function stateLine(event, holder) {
  const agent = event.agent?.name ?? "A person";
  const own = { ended: "The customer ended the conversation", erased: "The customer deleted the conversation", reopened: "The customer went on with the conversation" };
  if (own[event.reason]) return own[event.reason];
  switch (event.state) {
    case "bot":
      return holder ? `${holder} gave the conversation back to the bot` : "The bot answers";
    case "offered":
      return `A person was offered${because(event)}`;
    case "queued":
      return holder ? `${holder} put it back into the queue` : `Waiting for a person${because(event)}`;
    case "assigned":
      return holder ? `${holder} handed the conversation to ${agent}` : `${agent} joined the conversation`;
    case "closed":
      return holder ? `${holder} closed the conversation` : "The conversation was closed";
    default:
      return title(event.state ?? "state changed");
  }
}

const because = (event) => (event.reason ? ` · ${reasonLabel(event.reason)}` : "");
