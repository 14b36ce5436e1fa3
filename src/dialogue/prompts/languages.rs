//! `languages.toml`: which languages the bot speaks, and the little it can say in others.

use super::intents::is_code;
use super::source::{Faults, Source};
use super::template::{Constants, fixed, label};
use crate::dialogue::language::{Language, Languages, Said};
use crate::dialogue::pattern::Pattern;
use crate::dialogue::prefilter::Literals;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Names within names go no deeper than this, so that a name within itself is found out.
const DEPTH: usize = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLanguages {
    supported: Spanned<Vec<Spanned<String>>>,
    bot_intent: Spanned<String>,
    #[serde(default)]
    words: Words,
    #[serde(default)]
    language: BTreeMap<Spanned<String>, RawLanguage>,
}

type Words = BTreeMap<String, Spanned<String>>;
type List = Vec<Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLanguage {
    name: Spanned<String>,
    sentence: Option<Spanned<String>>,
    yes: Option<Spanned<String>>,
    no: Option<Spanned<String>>,
    bot_answer: Option<Spanned<String>>,
    #[serde(default)]
    ask: List,
    #[serde(default)]
    bot: List,
    #[serde(default)]
    other: List,
    #[serde(default)]
    accept: List,
    #[serde(default)]
    decline: List,
    #[serde(default)]
    slips: List,
    #[serde(default)]
    words: Words,
}

impl RawLanguages {
    /// Checks the file. `intents` are the names of all intents that have an answer.
    pub(super) fn check(
        &self,
        source: Source<'_>,
        intents: &[&str],
        constants: &Constants,
        faults: &mut Faults,
    ) -> Option<Languages> {
        if self.supported.get_ref().is_empty() {
            faults.add(source, &self.supported.span(), "at least one language is needed");
        }
        for code in
            self.supported.get_ref().iter().chain(self.language.keys()).filter(|code| !is_language(code.get_ref()))
        {
            faults.add(source, &code.span(), format!("`{}` is no ISO 639-1 code: two small letters", code.get_ref()));
        }
        if !intents.contains(&self.bot_intent.get_ref().as_str()) {
            let reason = format!("there is no intent `{}` with an answer", self.bot_intent.get_ref());
            faults.add(source, &self.bot_intent.span(), reason);
        }
        let supported: Vec<String> = self.supported.get_ref().iter().map(|code| code.get_ref().clone()).collect();
        let mut literals = Literals::default();
        let mut list = Vec::new();
        for (code, raw) in &self.language {
            let mut reader = Reader { source, shared: &self.words, literals: &mut literals, constants, faults };
            list.push(reader.language(code, raw, supported.contains(code.get_ref())));
        }
        let finder = literals.finder().map_err(|error| faults.add_file(source.file, error.to_string())).ok()?;
        Some(Languages { supported, bot_intent: self.bot_intent.get_ref().clone(), list, finder })
    }
}

fn is_language(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase())
}

struct Reader<'a, 's> {
    source: Source<'s>,
    shared: &'a Words,
    literals: &'a mut Literals,
    constants: &'a Constants,
    faults: &'a mut Faults,
}

impl Reader<'_, '_> {
    fn language(&mut self, code: &Spanned<String>, raw: &RawLanguage, supported: bool) -> Language {
        let said = match (&raw.sentence, &raw.yes, &raw.no) {
            (Some(sentence), Some(yes), Some(no)) if !supported => Some(Said {
                sentence: fixed(self.source, sentence, self.constants, self.faults),
                yes: label(self.source, yes, self.faults),
                no: label(self.source, no, self.faults),
            }),
            (None, None, None) if supported => None,
            _ => {
                let reason = "a language needs `sentence`, `yes` and `no`, and a supported one has none of them";
                self.faults.add(self.source, &code.span(), reason);
                None
            }
        };
        // A supported language answers by the intent.
        let answers = !supported && !raw.bot.is_empty();
        if raw.bot_answer.is_some() != answers {
            let reason = "`bot` needs `bot_answer` and the other way round; a supported language has no `bot_answer`";
            self.faults.add(self.source, &code.span(), reason);
        }
        for name in raw.words.keys().filter(|name| !is_code(name)) {
            self.faults.add(
                self.source,
                &code.span(),
                format!("`{name}` is not a name: a-z, 0-9 and _ only, a letter first"),
            );
        }
        Language {
            code: code.get_ref().clone(),
            name: label(self.source, &raw.name, self.faults),
            said,
            bot_answer: raw.bot_answer.as_ref().map(|text| fixed(self.source, text, self.constants, self.faults)),
            ask: self.patterns(&raw.ask, &raw.words),
            bot: self.patterns(&raw.bot, &raw.words),
            other: self.patterns(&raw.other, &raw.words),
            accept: self.patterns(&raw.accept, &raw.words),
            decline: self.patterns(&raw.decline, &raw.words),
            slips: raw.slips.iter().map(|word| word.get_ref().clone()).collect(),
        }
    }

    fn patterns(&mut self, list: &List, words: &Words) -> Vec<Pattern> {
        let mut checked = Vec::new();
        for raw in list {
            let whole = expand(raw.get_ref(), &[words, self.shared]);
            match whole.and_then(|whole| Pattern::new(&whole, self.literals)) {
                Ok(pattern) => checked.push(pattern),
                Err(reason) => self.faults.add(self.source, &raw.span(), reason),
            }
        }
        checked
    }
}

/// A pattern with every `<name>` in the words of that name.
fn expand(pattern: &str, words: &[&Words]) -> Result<String, String> {
    let mut whole = pattern.to_owned();
    for _ in 0..DEPTH {
        let mut next = String::with_capacity(whole.len());
        let mut rest = whole.as_str();
        let mut any = false;
        while let Some((before, after)) = rest.split_once('<') {
            let (name, tail) = after.split_once('>').filter(|(name, _)| is_code(name)).ok_or("a stray `<`")?;
            let found = words.iter().find_map(|words| words.get(name));
            let found = found.ok_or_else(|| format!("there are no words `{name}`"))?;
            next.extend([before, "(?:", found.get_ref(), ")"]);
            (rest, any) = (tail, true);
        }
        if !any {
            return Ok(whole);
        }
        next.push_str(rest);
        whole = next;
    }
    Err("words within words go too deep".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_their_words() {
        let words = |name: &str, text: &str| (name.to_owned(), Spanned::new(0..0, text.to_owned()));
        let own = Words::from([words("who", "<one>|two"), words("one", "a")]);
        let shared = Words::from([words("loop", "<loop>")]);
        assert_eq!(expand("x <who>$", &[&own, &shared]).unwrap(), "x (?:(?:a)|two)$");
        for wrong in ["<nobody>", "<loop>", "a < b", "(?<name>a)"] {
            assert!(expand(wrong, &[&own, &shared]).is_err(), "{wrong}");
        }
    }
}
