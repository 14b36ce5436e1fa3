// Which of the languages that there are a locale is served in.
//
// It knows: how locales are written. It must not know: the texts.

// What browsers call some of them besides.
const ALIASES = { no: "nb", nn: "nb", iw: "he" };

/** "de-AT" in "de", if `known` has it; one that is not spoken here in English. `known` is an object by language. */
export function languageOf(locale, known) {
  const base = /^[a-z]*/.exec(String(locale || "en").toLowerCase())[0];
  const language = ALIASES[base] || base;
  return Object.hasOwn(known, language) ? language : "en";
}
