//! Patterns over the customer's words: rules that lead to a person, and cues for short answers.
//!
//! Patterns see normalised text, so that a curly quote or a capital letter hides nothing from
//! them. What a hit leads to is decided in `escalation` and `reading`.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Text as patterns and comparisons see it: NFKC, straight quotes, lower case, one blank
/// between words, no invisible characters.
#[must_use]
pub fn normalise(text: &str) -> String {
    // Quotes before NFKC, which would take an acute accent apart; again after it, because it
    // makes new ones; and NFKC once more after lower case, which can leave parts uncomposed.
    let folded: String = straight(text.chars()).nfkc().collect();
    let lower: String = straight(folded.chars()).flat_map(char::to_lowercase).nfkc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn straight(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.filter(|sign| !matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')).map(|sign| {
        match sign {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{60}' | '\u{b4}' => '\'',
            '\u{201c}' | '\u{201d}' | '\u{201f}' | '\u{2033}' => '"',
            '\u{2010}'..='\u{2015}' => '-',
            other => other,
        }
    })
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RuleAction {
    /// Hands over at once.
    #[default]
    Handoff,
    /// Offers a person, and hands over if it goes on.
    Offer,
}

/// What a cue stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cue {
    /// Yes.
    Affirm,
    /// No.
    Deny,
    /// Yes, where the bot has just offered a person.
    Accept,
    /// No, where the bot has just offered a person.
    Decline,
    /// The last answer did not help.
    Unhelpful,
    /// The first of the two things just asked about.
    First,
    /// The second of the two things just asked about.
    Second,
}

/// Patterns of which one must match, unless one of the others does.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    any: Vec<Regex>,
    unless: Vec<Regex>,
}

impl Patterns {
    /// The part of the (normalised) text that matched.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let hit = self.any.iter().find_map(|pattern| pattern.find(text))?;
        let excused = self.unless.iter().any(|pattern| pattern.is_match(text));
        (!excused).then(|| hit.as_str())
    }

    pub(super) fn new(any: Vec<Regex>, unless: Vec<Regex>) -> Self {
        Self { any, unless }
    }
}

/// Compiles one pattern of the prompts. They are lower case by rule, and matched without case
/// all the same; the size limit keeps a slip such as `\w{9999}` from taking the memory.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).case_insensitive(true).size_limit(1 << 20).build();
    let regex = built.map_err(|error| format!("bad pattern: {}", last_line(&error.to_string())))?;
    if regex.is_match("") {
        return Err("the pattern matches an empty text".to_owned());
    }
    Ok(regex)
}

fn last_line(message: &str) -> &str {
    message.lines().last().unwrap_or(message).trim().trim_start_matches("error: ")
}

/// One entry of `rules.toml`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) reason: String,
    pub(super) action: RuleAction,
    pub(super) patterns: Patterns,
}

/// All of `rules.toml`.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) cues: Vec<(Cue, Patterns)>,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hit {
    /// Position of the rule in `rules.toml`, from 1.
    pub(super) rule: usize,
    pub(super) reason: String,
    pub(super) action: RuleAction,
    /// The customer's words that matched.
    pub(super) words: String,
}

impl Rules {
    /// Every rule that matches a normalised text, in file order.
    pub(super) fn hits(&self, text: &str) -> Vec<Hit> {
        let hit = |(index, rule): (usize, &Rule)| {
            rule.patterns.find(text).map(|words| Hit {
                rule: index + 1,
                reason: rule.reason.clone(),
                action: rule.action,
                words: words.to_owned(),
            })
        };
        self.rules.iter().enumerate().filter_map(hit).collect()
    }

    /// Every cue that matches a normalised text, in file order.
    pub(super) fn cues(&self, text: &str) -> Vec<Cue> {
        self.cues.iter().filter(|(_, patterns)| patterns.find(text).is_some()).map(|(cue, _)| *cue).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normalising_straightens_what_keyboards_bend() {
        assert_eq!(normalise("  I don\u{2019}t\u{a0}\tWANT\nthis \u{201c}bot\u{201d} "), "i don't want this \"bot\"");
        assert_eq!(normalise("Ｈｅｌｐ"), "help", "full-width letters are letters");
        assert_eq!(normalise("hu\u{200b}man"), "human", "an invisible blank hides nothing");
    }

    #[test]
    fn unless_wins_over_patterns() {
        let list = |patterns: &[&str]| patterns.iter().map(|pattern| compile(pattern).unwrap()).collect::<Vec<_>>();
        let patterns = Patterns::new(list(&[r"\bhuman\b"]), list(&["are you a human"]));
        assert_eq!(patterns.find("a human, please"), Some("human"));
        assert_eq!(patterns.find("are you a human?"), None);
    }

    #[test]
    fn a_pattern_that_matches_everything_is_refused() {
        assert!(compile("(yes)?").is_err());
        assert!(compile("(").unwrap_err().contains("unclosed"));
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "(?s).{0,60}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
