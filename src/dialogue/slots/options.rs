//! Options that a lookup lists: which there are, and which of them a customer means.

use crate::dialogue::prompts::Lookup;
use crate::dialogue::prompts::personal::plain;
use crate::dialogue::render::LookupOutcome;
use crate::dialogue::rules::normalise;
use std::collections::BTreeSet;

/// What a lookup listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dialogue) enum Offered {
    /// These, each one line that fits on a button, none twice.
    Options(Vec<String>),
    /// There is nothing to choose.
    Nothing,
    /// It does not know the value it was asked with, or says no to it.
    Refused,
    /// It did not work.
    Failed,
}

/// Reads the options out of what a lookup brought.
pub(in crate::dialogue) fn offered(lookup: &Lookup, outcome: Option<&LookupOutcome>) -> Offered {
    let body = match outcome {
        Some(LookupOutcome::Found(body)) => body,
        Some(LookupOutcome::NotFound | LookupOutcome::Refused) => return Offered::Refused,
        Some(LookupOutcome::TimedOut | LookupOutcome::Failed) | None => return Offered::Failed,
    };
    let mut options: Vec<String> = Vec::new();
    for option in lookup.offered(body) {
        // A button's words go to the lookup as they are, so an option that had to be changed is none.
        if plain(option) == option && !options.iter().any(|known| known == option) {
            options.push(option.to_owned());
        }
    }
    if options.is_empty() { Offered::Nothing } else { Offered::Options(options) }
}

/// The one option that a normalised text names: all of it, or by words that no other option has.
pub(in crate::dialogue) fn pick<'o>(text: &str, options: &'o [String]) -> Option<&'o str> {
    if let Some(whole) = options.iter().find(|option| normalise(option) == text) {
        return Some(whole);
    }
    let said = telling(text);
    let words: Vec<BTreeSet<String>> = options.iter().map(|option| telling(&normalise(option))).collect();
    let shared = |word: &String| words.len() > 1 && words.iter().all(|option| option.contains(word));
    let score = |option: &BTreeSet<String>| option.iter().filter(|word| said.contains(*word) && !shared(word)).count();
    let scores: Vec<usize> = words.iter().map(score).collect();
    let best = scores.iter().copied().max().filter(|best| *best > 0)?;
    let mut winners = options.iter().zip(&scores).filter(|(_, score)| **score == best);
    match (winners.next(), winners.next()) {
        (Some((option, _)), None) => Some(option),
        _ => None,
    }
}

/// Words that can tell options apart: longer ones and sizes, without the plural's s.
fn telling(text: &str) -> BTreeSet<String> {
    let words = text.split(|sign: char| !sign.is_alphanumeric());
    let long = words.filter(|word| word.chars().count() > 2 && !COMMON.contains(word));
    long.map(|word| word.trim_end_matches('s').to_owned()).collect()
}

/// Words that options and everything else have.
const COMMON: [&str; 8] = ["and", "the", "size", "pack", "with", "one", "for", "not"];

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn an_option_is_named_by_the_words_that_only_it_has() {
        let options = ["Linen shirt in sage, size M".to_owned(), "Wool socks, pack of 2".to_owned()];
        assert_eq!(pick("linen shirt in sage, size m", &options), Some(options[0].as_str()));
        assert_eq!(pick("the shirt please", &options), Some(options[0].as_str()));
        assert_eq!(pick("just a sock", &options), Some(options[1].as_str()));
        assert_eq!(pick("the shirt and the socks", &options), None, "two are not one");
        assert_eq!(pick("the size", &options), None);
        assert_eq!(pick("how long does it take", &options), None);
        let alike = ["Jumper in oat".to_owned(), "Jumper in grey".to_owned()];
        assert_eq!(pick("the jumper", &alike), None);
        assert_eq!(pick("the grey jumper", &alike), Some(alike[1].as_str()));
        assert_eq!(pick("anything", &[]), None);
    }
}
