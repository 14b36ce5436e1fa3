//! Which of many patterns can match a text at all, told by one pass over the text.
//!
//! Nearly every pattern needs words that a message does not hold. They are read off the pattern when
//! the prompts are loaded, as RE2's `FilteredRE2` does; those of all patterns are then looked for
//! together, and only a pattern whose words are there is run. This changes what a turn costs, never
//! what matches: where nothing can be told, the pattern is run.

use aho_corasick::{AhoCorasick, BuildError};
use regex_syntax::hir::{Hir, HirKind};
use std::collections::BTreeMap;

/// Shorter literals are in nearly every text.
const LEAST: usize = 2;

/// What a text must hold for a pattern to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A literal, by its number.
    Literal(usize),
    /// All of these.
    All(Vec<Need>),
    /// One of these.
    Any(Vec<Need>),
}

impl Need {
    /// Whether a text holds it; `found` says of each literal whether the text does.
    pub(super) fn is_met(&self, found: &[bool]) -> bool {
        match self {
            Self::Literal(number) => found[*number],
            Self::All(needs) => needs.iter().all(|need| need.is_met(found)),
            Self::Any(needs) => needs.iter().any(|need| need.is_met(found)),
        }
    }
}

/// The literals of the patterns so far, numbered.
#[derive(Debug, Default)]
pub(super) struct Literals(BTreeMap<String, usize>);

impl Literals {
    /// What a normalised text must hold for this parsed pattern to match, with or without case; none if that
    /// cannot be told.
    pub(super) fn needed(&mut self, part: &Hir) -> Option<Need> {
        match part.kind() {
            HirKind::Literal(literal) => self.literal(&literal.0),
            HirKind::Capture(capture) => self.needed(&capture.sub),
            HirKind::Repetition(repeated) if repeated.min > 0 => self.needed(&repeated.sub),
            HirKind::Concat(parts) => {
                let needs: Vec<Need> = parts.iter().filter_map(|part| self.needed(part)).collect();
                (!needs.is_empty()).then_some(Need::All(needs))
            }
            HirKind::Alternation(ways) => ways.iter().map(|way| self.needed(way)).collect::<Option<_>>().map(Need::Any),
            HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
        }
    }

    /// The longest piece of ASCII: other letters may have several small forms. Normalised texts hold no
    /// other form of an ASCII letter than its capital.
    fn literal(&mut self, bytes: &[u8]) -> Option<Need> {
        let piece = bytes.split(|byte| !byte.is_ascii()).max_by_key(|piece| piece.len())?;
        let text = std::str::from_utf8(piece).ok().filter(|text| text.len() >= LEAST)?;
        let next = self.0.len();
        Some(Need::Literal(*self.0.entry(text.to_ascii_lowercase()).or_insert(next)))
    }

    /// What looks for all of them.
    ///
    /// # Errors
    /// If they are too many.
    pub(super) fn finder(self) -> Result<Finder, BuildError> {
        let mut literals: Vec<(String, usize)> = self.0.into_iter().collect();
        literals.sort_by_key(|(_, number)| *number);
        let automaton =
            AhoCorasick::builder().ascii_case_insensitive(true).build(literals.iter().map(|(text, _)| text))?;
        Ok(Finder(automaton))
    }
}

/// Looks for literals.
#[derive(Clone, Debug)]
pub(super) struct Finder(AhoCorasick);

impl Finder {
    /// Of each literal whether a text holds it.
    pub(super) fn find(&self, text: &str) -> Vec<bool> {
        let mut found = vec![false; self.0.patterns_len()];
        for hit in self.0.find_overlapping_iter(text) {
            found[hit.pattern().as_usize()] = true;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::normalise;
    use crate::dialogue::rules::compile;
    use proptest::prelude::*;

    const PATTERNS: [&str; 7] = [
        r"\b(talk|speak|chat)( now)? (to|with) (a |an )?(human|person)s?\b",
        r"\bs(k|ue)\b|^no[.! ]*$",
        r"(?:très|être humain|tres)+ bon",
        r"\w+ again\b|[kq]uit(?i:SEK)",
        r"^yes",
        r"(ask ){2,}|\d{3}",
        r"(no|)t",
    ];

    /// For each pattern whether a text may match it.
    fn may_match(text: &str) -> Vec<bool> {
        let mut literals = Literals::default();
        let needs = PATTERNS.map(|pattern| literals.needed(&regex_syntax::parse(pattern).unwrap()));
        let found = literals.finder().unwrap().find(text);
        needs.iter().map(|need| need.as_ref().is_none_or(|need| need.is_met(&found))).collect()
    }

    #[test]
    fn a_text_without_the_words_of_a_pattern_is_not_searched() {
        assert_eq!(may_match("may i speak to a person"), [true, true, false, false, false, true, true]);
        assert_eq!(may_match("may i speak to nobody, yes"), [false, true, false, false, true, true, true]);
        assert_eq!(Literals::default().needed(&regex_syntax::parse("(no|)t").unwrap()), None);
    }

    proptest! {
        #[test]
        fn what_matches_is_searched(
            words in prop::collection::vec(
                "talk|SPEAK|now|to|with|a|human|Persons|s\u{212a}|\u{17f}ue|no|t|tr[eè]s|ÊTRE|humain|bon|again|quit|sek|yes|ask|1234|[a-zK\u{17f} ]{0,4}",
                0..8,
            )
        ) {
            let text = normalise(&words.join(" "));
            for (pattern, may_match) in PATTERNS.iter().zip(may_match(&text)) {
                prop_assert!(may_match || !compile(pattern).unwrap().is_match(&text), "{} in {:?}", pattern, text);
            }
        }
    }
}
