// What an agent has written and the server has not confirmed, and what they said of themselves, kept for this tab over
// a reload.
// Must not know sockets: it is handed messages and gives them back.

const KEY = "candor.outbox.";
const STATUS = "candor.status";

/** Keeps `online`, `away` or `offline`, so that a reload makes nobody available. */
export function keepStatus(agent, status) {
  try {
    sessionStorage.setItem(STATUS, JSON.stringify({ agent, status }));
  } catch {
    // Full or forbidden: a reload makes them available.
  }
}

/** What this agent had said of themselves before the reload, if anything. */
export function keptStatus(agent) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STATUS) ?? "null");
    return kept?.agent === agent ? kept.status : undefined;
  } catch {
    return undefined;
  }
}

/** Whoever signs in is there. */
export function forgetStatus() {
  sessionStorage.removeItem(STATUS);
}

/** Removes all of it, at sign-out: the next person at this machine must not send or see it. */
export function forgetOutbox() {
  forgetStatus();
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(KEY)) sessionStorage.removeItem(key);
}

export class Outbox {
  /**
   * Keeps `messages` ({conversation, id, kind, text, failed}) of this agent in place of theirs that were kept; those of
   * others, whose session ended in this tab, stay theirs. `failed` says why the server refused one.
   */
  keep(agent, messages) {
    try {
      const kept = messages.map(({ conversation, id, kind, text, failed }) => ({ conversation, id, kind, text, failed }));
      if (kept.length) sessionStorage.setItem(KEY + agent, JSON.stringify(kept));
      else sessionStorage.removeItem(KEY + agent);
    } catch {
      // Full or forbidden: they are sent from memory.
    }
  }

  /** What this agent had written before the reload; nothing of anybody else. */
  load(agent) {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY + agent) ?? "null");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }
}
