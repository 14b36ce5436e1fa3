//! One pattern of the prompts: checked when they are loaded, compiled when a text first needs it.
//!
//! Compiling is most of what loading would cost, in time and in memory, and few patterns are ever needed, because few
//! texts hold their words ([`super::prefilter`]). What compiling alone would find out is told from the parsed form by
//! bounds that err on the safe side; where they do not settle it, the pattern is compiled at once. So what passes the
//! check does compile. Knows no rules and no languages.

use super::prefilter::{Literals, Need};
use super::rules::{SIZE_LIMIT, compile};
use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::sync::{Arc, OnceLock};

/// A checked pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Arc<str>,
    /// Shared by all copies. None inside would be a pattern that the check wrongly let pass: it matches nothing.
    compiled: Arc<OnceLock<Option<Regex>>>,
    /// What a text must hold to be worth searching.
    need: Option<Need>,
}

impl Pattern {
    /// Checks a pattern, and notes the literals that it needs among those of others.
    ///
    /// # Errors
    /// What is wrong with it, as [`compile`] says it.
    pub(super) fn new(text: &str, literals: &mut Literals) -> Result<Self, String> {
        let parsed = regex_syntax::parse(text).ok();
        let compiled = match &parsed {
            Some(parsed) if is_sound(parsed) => OnceLock::new(),
            _ => OnceLock::from(Some(compile(text)?)),
        };
        let need = parsed.and_then(|parsed| literals.needed(&parsed));
        Ok(Self { text: text.into(), compiled: Arc::new(compiled), need })
    }

    /// The pattern, ready to search a text that may match; `found` says of each literal whether the text holds it.
    pub(super) fn worth(&self, found: &[bool]) -> Option<&Regex> {
        let worth = self.need.as_ref().is_none_or(|need| need.is_met(found));
        worth.then(|| self.regex()).flatten()
    }

    /// The pattern, ready to search any text.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compile(&self.text).ok()).as_ref()
    }
}

/// Whether a pattern surely passes what [`compile`] checks: it matches no empty text, and is not too large.
fn is_sound(parsed: &Hir) -> bool {
    parsed.properties().minimum_len().is_some_and(|least| least > 0) && BASE + most_bytes(parsed) <= SIZE_LIMIT
}

/// What every automaton has.
const BASE: usize = 4_096;
/// A state, with what refers to it.
const STATE: usize = 64;
/// A letter in its two cases.
const LETTER: usize = 2 * STATE;
/// A letter with more forms than two, such as k with the sign for kelvin, or one that is no ASCII; per byte.
const WIDE_LETTER: usize = 4 * STATE;
/// States of one range of a class of letters: it falls into so many runs of bytes, four bytes long at most.
const RANGE: usize = 16 * STATE;
/// Classes of many ranges: those of Unicode share their states, and `\w` takes 50,048 bytes.
const LARGE_CLASS: usize = 64 * 1_024;

/// More bytes than an automaton of this takes, in any case of its letters and in either direction.
fn most_bytes(part: &Hir) -> usize {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => STATE,
        HirKind::Literal(literal) => literal.0.iter().map(letter_bytes).sum(),
        HirKind::Class(Class::Bytes(_)) => LARGE_CLASS,
        HirKind::Class(Class::Unicode(class)) => LARGE_CLASS.min(RANGE.saturating_mul(class.ranges().len() + 1)),
        HirKind::Capture(capture) => most_bytes(&capture.sub).saturating_add(4 * STATE),
        HirKind::Repetition(repeated) => {
            let copies = repeated.max.unwrap_or(repeated.min.saturating_add(1)).max(1) as usize;
            copies.saturating_mul(most_bytes(&repeated.sub).saturating_add(2 * STATE))
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(2 * STATE, |sum, part| sum.saturating_add(most_bytes(part)).saturating_add(STATE))
        }
    }
}

fn letter_bytes(byte: &u8) -> usize {
    if byte.is_ascii() && !b"kKsS".contains(byte) { LETTER } else { WIDE_LETTER }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_syntax::hir::HirKind;

    /// What a pattern is found to be by the check, and by compiling it.
    fn both(text: &str) -> (Result<bool, String>, Result<(), String>) {
        let pattern = Pattern::new(text, &mut Literals::default());
        (pattern.map(|pattern| pattern.compiled.get().is_some()), compile(text).map(|_| ()))
    }

    #[test]
    fn an_ordinary_pattern_waits_until_a_text_needs_it() {
        let mut literals = Literals::default();
        let pattern = Pattern::new(r"\b(?:talk|speak) to (?:a|an) (?:human|person)\b", &mut literals).unwrap();
        let finder = literals.finder().unwrap();
        assert!(pattern.worth(&finder.find("where is my parcel")).is_none() && pattern.compiled.get().is_none());
        assert!(pattern.worth(&finder.find("let me talk to a person")).unwrap().is_match("let me TALK to a person"));
        assert!(pattern.clone().compiled.get().is_some(), "copies share it");
    }

    #[test]
    fn what_compiling_refuses_is_refused_with_its_words() {
        for wrong in ["(", "(yes)?", r"\w{9999}", "[a-z]{99999}", "a{2,1}", r"\p{Nothing}", "^", "[^\\w\\W]?"] {
            let (checked, compiled) = both(wrong);
            assert_eq!(checked.unwrap_err(), compiled.unwrap_err(), "{wrong}");
        }
    }

    #[test]
    fn the_largest_classes_stay_within_their_bound() {
        for class in [
            r"\w",
            r"\W",
            r"\pL",
            r"\PL",
            r"\p{Alphabetic}",
            r"[\w\s--a-z]",
            r"[\w&&[^\d]]",
            r"\p{Lu}",
            r"\p{Cn}",
            "[^a-z]",
        ] {
            let parsed = regex_syntax::parse(class).unwrap();
            assert!(matches!(parsed.kind(), HirKind::Class(_)), "{class}");
            let bound = BASE + most_bytes(&parsed);
            let built = regex::RegexBuilder::new(class).case_insensitive(true).size_limit(bound).build();
            assert!(built.is_ok(), "{class} takes more than {bound}");
        }
    }

    proptest! {
        #[test]
        fn what_the_check_lets_pass_does_compile(
            parts in prop::collection::vec(
                "[a-zKéßσ\u{212a}ſ]{1,12}|(talk|speak)|\\\\w|\\\\w[+]|[^a-c]|\\\\b|[.]|[(][?]:a|b[)]|x?|[ks][{]3,9[}]|(sk){2,40}|\\\\d[{]1,200[}]",
                1..12,
            )
        ) {
            let text = parts.concat();
            let (checked, compiled) = both(&text);
            prop_assert_eq!(checked.is_ok(), compiled.is_ok(), "{}", &text);
            if let Ok(parsed) = regex_syntax::parse(&text) {
                let bound = (BASE + most_bytes(&parsed)).min(SIZE_LIMIT);
                let built = regex::RegexBuilder::new(&text).case_insensitive(true).size_limit(bound).build();
                prop_assert!(built.is_ok() || bound == SIZE_LIMIT, "{} takes more than {}", &text, bound);
            }
        }
    }
}
