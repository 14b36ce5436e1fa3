// Every word of the widget that does not come from the server, one object per locale.
//
// It knows: texts, plural forms, and how a wait or a time is written.
// It must not know: the DOM.

const en = {
  direction: "ltr", // of the text; the panel is laid out by it
  openChat: "Open chat",
  openChatUnread: { one: "Open chat, {count} unread message", other: "Open chat, {count} unread messages" },
  closeChat: "Close chat",
  invitation: "Invitation to chat",
  invitationClose: "Close the invitation",
  invitationNever: "Don’t show again",
  loadFailed: "The chat could not be loaded. Please try again.",
  chat: "Chat",
  chatWith: "Chat with {business}",
  conversation: "Conversation",
  connecting: "Connecting…",

  aiAssistant: "AI assistant",
  person: "Person",
  personSuffix: "person",
  you: "You",
  aboutThisChat: "About this chat",
  stripBot: "You are talking to an AI.",
  stripPerson: "You are talking to {agent}, a person.",
  stripQueue: "Waiting for a person",
  stripNobody: "Nobody is here right now",
  stripNobodyUntil: "Nobody is here right now · back {when}",
  talkToPerson: "Talk to a person",
  askingPerson: "Asking…",
  position: "Number {position} in line",
  nextInLine: "You are next in line",
  waitUnderMinute: "less than a minute",
  waitAbout: { one: "about {count} minute", other: "about {count} minutes" },
  waitRange: "about {low} to {high} minutes",
  waitLong: "more than an hour",
  headerQueue: "Waiting for a person",
  headerClosed: "Conversation closed",

  passedOn: "Handed over. A person will join you here.",
  passedOnNobody: "Handed over. Nobody is here right now.",
  joined: "{agent} joined. {agent} is a person.",
  joinedNameless: "A person joined.",
  returned: "You are back with the AI assistant.",
  returnedToQueue: "You are waiting for a person again.",
  closed: "This conversation is closed.",
  typing: "{name} is typing",
  typingNameless: "Typing",

  placeholder: "Write a message",
  placeholderQueue: "Add something while you wait",
  send: "Send",
  sendHint: "Enter sends, Shift and Enter starts a new line.",
  charactersLeft: { one: "{count} character left", other: "{count} characters left" },
  sending: "Sending…",
  waitingToSend: "Waits for the connection",
  sent: "Sent",
  failed: "Not sent",
  failedTooLong: "Not sent: too long",
  retry: "Send again",
  newMessages: "New messages",

  offline: "No connection. What you write is kept and sent as soon as it is back.",
  reconnecting: "Reconnecting… Nothing is lost.",
  unreachable: "The chat cannot be reached at the moment. It keeps trying.",
  refused: "The chat is not available on this page.",
  tryNow: "Try now",

  wasHelpful: "Was this helpful?",
  helpful: "Helpful",
  notHelpful: "Not helpful",
  thanksFeedback: "Thank you",

  rateTitle: "How was this conversation?",
  scores: ["Very poor", "Poor", "Okay", "Good", "Very good"],
  scoreName: "{score} of 5, {word}",
  comment: "Anything you would like to add? (optional)",
  sendRating: "Send rating",
  skipRating: "Skip",
  rated: "Thank you. You rated this conversation {score} of 5: {word}.",
  ratingFailed: "The rating could not be saved. Please try again.",
  newConversation: "Start a new conversation",

  leaveTitle: "Leave a message",
  leaveIntro: "With an email address the answer can reach you after you have left this page.",
  leaveEmail: "Email (optional)",
  leaveText: "Your message",
  leaveSend: "Leave message",
  leaveLater: "Back to the chat",
  leaveEmpty: "Please write a message first.",
  leaveEmailWrong: "This email address does not look complete.",
  leaveFailed: "The message could not be saved. Please try again.",
  leftLabel: "Message left",
  leftReply: "Answer to {email}",
  today: "Today",
};

const SOON = 6 * 86_400_000;
const LOCALES = { en };

/** The texts of a locale ("de-AT" falls back to "de", then to English) and its formats. */
export class Texts {
  #texts;
  #plural;
  #time;
  #day;
  #soon;
  #far;

  constructor(locale) {
    const wanted = String(locale || "en");
    const found = LOCALES[wanted] ? wanted : wanted.split("-")[0];
    this.locale = LOCALES[found] ? found : "en";
    this.#texts = LOCALES[this.locale];
    this.#plural = new Intl.PluralRules(this.locale);
    // The customer's own language writes the clock, as long as the browser knows the tag.
    const clock = supported(wanted) ? wanted : this.locale;
    this.#time = new Intl.DateTimeFormat(clock, { hour: "numeric", minute: "2-digit" });
    this.#soon = new Intl.DateTimeFormat(clock, { weekday: "short", hour: "numeric", minute: "2-digit" });
    this.#far = new Intl.DateTimeFormat(clock, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
    this.#day = new Intl.DateTimeFormat(this.locale, { weekday: "long", day: "numeric", month: "long" });
  }

  get direction() {
    return this.#texts.direction;
  }

  /** One text, filled in; `count` chooses the plural form. */
  say(name, values = {}) {
    const text = this.#texts[name];
    const form = typeof text === "string" ? text : (text[this.#plural.select(values.count)] ?? text.other);
    return form.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? this.#isolate(String(values[key])) : whole));
  }

  // A name in the other direction must not turn the sentence around it.
  #isolate(value) {
    const other = this.direction === "rtl" ? /[A-Za-z]/ : /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;
    const bare = value.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
    return other.test(bare) ? `\u2068${bare}\u2069` : bare;
  }

  /** The word for a satisfaction score from 1 to 5. */
  score(score) {
    return this.#texts.scores[score - 1] ?? String(score);
  }

  /** `at` in milliseconds as hours and minutes. */
  time(at) {
    return this.#time.format(at);
  }

  /** A moment to come: `09:00` today, `Mon, 09:00` within a week, else with the date. */
  moment(at, now = Date.now()) {
    if (new Date(now).toDateString() === new Date(at).toDateString()) return this.time(at);
    return (at - now < SOON ? this.#soon : this.#far).format(at);
  }

  day(at) {
    const today = new Date().toDateString() === new Date(at).toDateString();
    return today ? this.#texts.today : this.#day.format(at);
  }

  /** A range of seconds as words, or an empty string when it is not known. */
  wait(wait) {
    if (!wait || !(wait.high_s > 0)) return "";
    const low = Math.max(1, Math.floor((wait.low_s || 0) / 60));
    const high = Math.ceil(wait.high_s / 60);
    if (wait.high_s < 60) return this.say("waitUnderMinute");
    if (low > 60) return this.say("waitLong");
    if (low >= high) return this.say("waitAbout", { count: high });
    return this.say("waitRange", { low, high });
  }
}

function supported(locale) {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(locale).length > 0;
  } catch {
    return false;
  }
}
