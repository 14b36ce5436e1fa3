// Every word of the widget that does not come from the server, one file per language.
//
// It knows: texts, plural forms, and how a wait or a time is written.
// It must not know: the DOM. It runs on the page too, so it takes nothing from Array.prototype: pages break that.

import { languageOf } from "./language.js";
import en from "./texts/en.js";

const SOON = 6 * 86_400_000;
/** The languages, each in a file of its own under texts/. Only the one that is needed is fetched; English comes along. */
const KNOWN = {
  en: 1, de: 1, fr: 1, es: 1, pt: 1, it: 1, nl: 1, pl: 1, cs: 1, sv: 1, da: 1, nb: 1, fi: 1, ro: 1, el: 1, tr: 1, uk: 1, ar: 1, he: 1, ja: 1,
};
export const LANGUAGES = Object.keys(KNOWN);

/** The texts of a locale and its formats. */
export class Texts {
  #texts;
  #plural;
  #number;
  #time;
  #day;
  #soon;
  #far;
  #date;

  /** The texts of `locale`, in English if its file cannot be fetched. */
  static async load(locale) {
    const language = languageOf(locale, KNOWN);
    if (language === "en") return new Texts(locale, en, language);
    try {
      const { default: texts } = await import(`./texts/${language}.js`);
      return new Texts(locale, texts, language);
    } catch (error) {
      console.error("candor: its texts could not be loaded.", error);
      return new Texts(locale, en, "en");
    }
  }

  /** @param {object} texts those of `language`; `Texts.load` finds both */
  constructor(locale, texts, language) {
    this.locale = language;
    this.#texts = texts;
    this.#plural = new Intl.PluralRules(language);
    this.#number = new Intl.NumberFormat(language, { useGrouping: false });
    // The customer's own language writes the clock, as long as the browser knows the tag.
    const wanted = String(locale || "en");
    const clock = supported(wanted) ? wanted : language;
    this.#time = new Intl.DateTimeFormat(clock, { hour: "numeric", minute: "2-digit" });
    this.#soon = new Intl.DateTimeFormat(clock, { weekday: "short", hour: "numeric", minute: "2-digit" });
    this.#far = new Intl.DateTimeFormat(clock, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
    this.#date = new Intl.DateTimeFormat(clock, { dateStyle: "long" });
    this.#day = new Intl.DateTimeFormat(this.locale, { weekday: "long", day: "numeric", month: "long" });
  }

  get direction() {
    return this.#texts.direction;
  }

  /** One text, filled in; `count`, or the range from `low` to `high`, chooses the plural form. */
  say(name, values = {}) {
    const text = this.#texts[name];
    const form = typeof text === "string" ? text : (text[this.#form(values)] ?? text.other);
    return form.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? this.#written(values[key]) : whole));
  }

  #form({ count, low, high }) {
    if (low === undefined) return this.#plural.select(count);
    return this.#plural.selectRange?.(low, high) ?? this.#plural.select(high);
  }

  #written(value) {
    return typeof value === "number" ? this.#number.format(value) : this.#isolate(String(value));
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

  /** So many bytes. */
  size(bytes) {
    const [unit, size] = bytes < 1e6 ? ["kilobyte", bytes / 1e3] : ["megabyte", bytes / 1e6];
    const digits = unit === "kilobyte" ? 0 : 1;
    return new Intl.NumberFormat(this.locale, { style: "unit", unit, maximumFractionDigits: digits }).format(Math.max(size, 10 ** -digits));
  }

  /** A date, written out. */
  date(at) {
    return this.#date.format(at);
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
