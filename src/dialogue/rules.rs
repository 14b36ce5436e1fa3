//! Patterns over the customer's words: rules that lead to a person, and cues for short answers.
//!
//! Patterns see normalised text, so that a curly quote or a capital letter hides nothing from
//! them. What a hit leads to is decided in `escalation` and `reading`.

use super::pattern::Pattern;
use super::prefilter::Finder;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Text as patterns and comparisons see it: NFKC, straight quotes, lower case, one blank
/// between words, no invisible characters.
#[must_use]
pub fn normalise(text: &str) -> String {
    if text.is_ascii() {
        return normalise_ascii(text);
    }
    // Quotes before NFKC, which would take an acute accent apart; again after it, because it
    // makes new ones; and NFKC once more after lower case, which can leave parts uncomposed.
    let folded: String = straight(text.chars()).nfkc().collect();
    let lower: String = straight(folded.chars()).flat_map(char::to_lowercase).nfkc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same for texts that need no composing, which are most: ten times as fast.
fn normalise_ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
    }
    plain.make_ascii_lowercase();
    if plain.contains('`') { plain.replace('`', "'") } else { plain }
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
    /// Counts as an insult: evidence beside the mood, and a reason of its own when it goes on.
    Evidence,
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
    /// Leaves what is open, where something is: a task, or a value that was asked for.
    Cancel,
    /// Something said before was wrong; it counts where the right value follows.
    Correct,
    /// The message asks the same about something else: "and to Canada?".
    FollowUp,
    /// The message leans on what was said before it: "is that free?".
    Refers,
    /// The message asks something. It counts in the middle of a task, where a statement may be a value.
    Question,
}

/// A text, and which literals of all patterns it holds.
struct Searched<'t> {
    text: &'t str,
    found: Vec<bool>,
}

impl<'t> Searched<'t> {
    /// The first part of the text that the pattern matches.
    fn first(&self, pattern: &Pattern) -> Option<&'t str> {
        pattern.worth(&self.found)?.find(self.text).map(|hit| hit.as_str())
    }
}

/// Patterns of which one must match, unless one of the others does.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    pub(super) any: Vec<Pattern>,
    pub(super) unless: Vec<Pattern>,
}

impl Patterns {
    /// The part of the text that matched.
    fn find<'t>(&self, searched: &Searched<'t>) -> Option<&'t str> {
        let hit = self.any.iter().find_map(|pattern| searched.first(pattern))?;
        let excused = self.unless.iter().any(|pattern| searched.first(pattern).is_some());
        (!excused).then_some(hit)
    }
}

/// Most bytes of a compiled pattern.
pub(super) const SIZE_LIMIT: usize = 1 << 20;

/// Compiles one pattern of the prompts. They are lower case by rule, and matched without case
/// all the same; the size limit keeps a slip such as `\w{9999}` from taking the memory.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).case_insensitive(true).size_limit(SIZE_LIMIT).build();
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
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) cues: Vec<(Cue, Patterns)>,
    /// Looks for the literals of all patterns above.
    pub(super) finder: Finder,
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
    /// Every rule and every cue that matches a normalised text, in file order.
    pub(super) fn search(&self, text: &str) -> (Vec<Hit>, Vec<Cue>) {
        let searched = Searched { text, found: self.finder.find(text) };
        let hit = |(index, rule): (usize, &Rule)| {
            rule.patterns.find(&searched).map(|words| Hit {
                rule: index + 1,
                reason: rule.reason.clone(),
                action: rule.action,
                words: words.to_owned(),
            })
        };
        let cues = self.cues.iter().filter(|(_, patterns)| patterns.find(&searched).is_some());
        (self.rules.iter().enumerate().filter_map(hit).collect(), cues.map(|(cue, _)| *cue).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::prefilter::Literals;
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
        let mut literals = Literals::default();
        let mut list = |pattern| vec![Pattern::new(pattern, &mut literals).unwrap()];
        let patterns = Patterns { any: list(r"\bhuman\b"), unless: list("are you a human") };
        let finder = literals.finder().unwrap();
        let find = |text| patterns.find(&Searched { text, found: finder.find(text) });
        assert_eq!(find("a human, please"), Some("human"));
        assert_eq!(find("are you a human?"), None);
    }

    #[test]
    fn a_pattern_that_matches_everything_is_refused() {
        assert!(compile("(yes)?").is_err());
        assert!(compile("(").unwrap_err().contains("unclosed"));
    }

    proptest! {
        #[test]
        fn plain_letters_are_normalised_as_all_others(text in "[\\x00-\\x7f]{0,60}") {
            // A letter that is no ASCII takes the long way and stays apart.
            let long_way = normalise(&format!("{text} é"));
            prop_assert_eq!(long_way.trim_end_matches('é').trim_end(), normalise(&text));
        }

        #[test]
        fn normalising_twice_changes_nothing(text in "(?s).{0,60}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
