// The widget's words in every language: none missing, none invented, each plural form that can occur.
//
// It knows: the files of widget/texts and the class that says them. It needs no browser.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { load } from "./helpers/fake.mjs";

const FOLDER = new URL("../../widget/texts/", import.meta.url);
const { default: en } = await load("widget/texts/en.js");
const { LANGUAGES, Texts } = await load("widget/texts.js");
const { languageOf } = await load("widget/language.js");
// Words that other languages have from English, or write alike.
const ALIKE = new Set(["direction", "chat", "leaveEmail"]);
const RIGHT_TO_LEFT = new Set(["ar", "he"]);

const everyForm = (text) => (typeof text === "string" ? [text] : Object.values(text));
const placeholders = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const categories = (language) => {
  const rules = new Intl.PluralRules(language);
  return new Set(Array.from({ length: 201 }, (_, count) => rules.select(count)));
};

test("each file is listed, and each language has a file", async () => {
  const files = (await readdir(FOLDER)).map((name) => name.replace(/\.js$/, ""));
  assert.deepEqual(files.sort(), [...LANGUAGES].sort());
});

test("the loader can read the launcher's words of each", async () => {
  for (const language of LANGUAGES) {
    const text = await readFile(new URL(`${language}.js`, FOLDER), "utf8");
    const words = JSON.parse(/^export const launcher = (.*);$/m.exec(text)?.[1] ?? "null");
    const { default: texts } = await load(`widget/texts/${language}.js`);
    assert.deepEqual(words, [texts.openChat, texts.unavailable], language);
  }
});

for (const language of LANGUAGES) {
  test(`${language} says everything`, async () => {
    const { default: texts } = await load(`widget/texts/${language}.js`);
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(en).sort());
    assert.equal(texts.direction, RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr");
    assert.equal(texts.scores.length, 5);
    const wanted = categories(language);
    for (const [name, text] of Object.entries(texts)) {
      const forms = everyForm(text);
      for (const form of forms) {
        assert.ok(form.trim() === form && form !== "", `${name} is empty or has blanks at its ends`);
        assert.ok(!/[<>]/.test(form), `${name} has a tag`);
      }
      if (name === "scores") {
        assert.equal(new Set(text).size, 5, "two scores have the same word");
        continue;
      }
      // A form for one or two may say the number as a word; a range says both its ends.
      const asked = placeholders(everyForm(en[name]).at(-1));
      for (const [category, form] of typeof text === "string" ? [["other", text]] : Object.entries(text)) {
        const given = placeholders(form);
        const mayLack = ["zero", "one", "two"].includes(category) ? ["count"] : [];
        assert.deepEqual(given.filter((key) => !asked.includes(key)), [], `${name}.${category}: unknown`);
        assert.deepEqual(asked.filter((key) => !given.includes(key) && !mayLack.includes(key)), [], `${name}.${category}: missing`);
      }
      if (typeof text === "string") {
        assert.ok(typeof en[name] === "string" || wanted.size === 1 || name === "waitRange", `${name} needs plural forms`);
        if (language !== "en" && !ALIKE.has(name)) assert.notEqual(text, en[name], `${name} is in English`);
      } else {
        const needed = name === "waitRange" ? new Set(["other"]) : wanted;
        assert.deepEqual([...needed].filter((category) => !(category in text)), [], `${name}: missing`);
        assert.deepEqual(Object.keys(text).filter((category) => !wanted.has(category) && category !== "other"), [], `${name}: never used`);
      }
    }
    const said = await Texts.load(language);
    assert.equal(said.locale, language);
    const values = { business: "B", agent: "A", most: 7, low: 2, high: 5, position: 3, score: 4, word: "W", when: "N", name: "N", email: "E" };
    for (const name of Object.keys(en).filter((name) => name !== "scores")) {
      for (const count of [0, 1, 2, 5, 11, 21]) {
        const { low, high, ...others } = values;
        const filled = said.say(name, name === "waitRange" ? { low, high } : { count, ...others });
        assert.ok(!/[{}]|undefined/.test(filled), `${name}: ${filled}`);
      }
    }
  });
}

test("nothing is translated that nothing says", async () => {
  const folder = new URL("../../widget/", import.meta.url);
  const modules = (await readdir(folder)).filter((name) => name.endsWith(".js"));
  const sources = (await Promise.all(modules.map((name) => readFile(new URL(name, folder), "utf8")))).join("\n");
  const said = (name) => sources.includes(`"${name}"`) || new RegExp(`\\.${name}\\b`).test(sources);
  // The loader says this one out of its own list.
  assert.deepEqual(Object.keys(en).filter((name) => !said(name)), ["unavailable"]);
});

test("a locale is served in its language, or in English", () => {
  const served = { "de-AT": "de", de: "de", "pt-BR": "pt", no: "nb", "nn-NO": "nb", iw: "he", "zh-Hans": "en", "": "en", EN_gb: "en", "fr_CA": "fr" };
  const known = Object.fromEntries(LANGUAGES.map((language) => [language, true]));
  for (const [locale, language] of Object.entries(served)) assert.equal(languageOf(locale, known), language, locale);
  assert.equal(languageOf(undefined, known), "en");
});

test("numbers are written as the language does, and long ones without a separator", async () => {
  const arabic = await Texts.load("ar-EG");
  const shown = arabic.say("position", { position: 12 });
  assert.ok(shown.includes(new Intl.NumberFormat("ar", { useGrouping: false }).format(12)), shown);
  assert.equal((await Texts.load("en")).say("position", { position: 1200 }), "Number 1200 in line");
});
