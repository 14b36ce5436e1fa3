//! Values that a lookup or a task needs, recognised in the customer's words and brought to one form.
//!
//! Says what a text holds; whether it was asked for, and what follows, is decided in `answering`.

mod date;
mod email;
mod options;

pub(super) use options::{Offered, offered, pick};

use super::rules::normalise;
use regex::Regex;
use std::borrow::Cow;
use std::ops::Range;

/// One value that can be recognised, asked for and kept.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Name, as lookups and tasks use it.
    pub name: String,
    /// Said when the value is needed.
    pub(super) ask: String,
    /// Said when the answer held no value.
    pub(super) ask_again: String,
    /// Said when the answer held a value that cannot be; [`Slot::ask_again`] if there is none.
    pub(super) invalid: Option<String>,
    /// The intent of a message that holds nothing but this value.
    pub(super) intent: Option<String>,
    /// The customer means another value than the one given before.
    pub(super) other: Option<Regex>,
    /// Words right before a value that take it back: "not 1042".
    pub(super) negated: Option<Regex>,
    pub(super) kind: Kind,
}

/// How a value is recognised.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// By patterns.
    Pattern {
        /// A form that nothing else has.
        sure: Regex,
        /// A form that counts only where the value is expected.
        loose: Option<Regex>,
        /// The form to bring it to.
        form: String,
    },
    /// An address for e-mail.
    Email,
    /// A day of the calendar.
    Date,
    /// One of a few.
    Choice(Vec<Choice>),
    /// One of those that a lookup lists.
    Listed(ListedBy),
}

/// One of the values of a choice.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// As lookups get it.
    pub(super) value: String,
    /// As buttons and texts show it.
    pub(super) label: String,
    /// The words for it, in a normalised text.
    pub(super) words: Regex,
}

/// Where the options of a slot come from.
#[derive(Clone, Debug)]
pub(super) struct ListedBy {
    /// The lookup that lists them.
    pub(super) lookup: String,
    /// Said after the lookup's own answer where it lists nothing.
    pub(super) otherwise: String,
}

/// What a text holds of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A value, in its form.
    Value(String),
    /// What looks like one and cannot be one.
    Impossible,
    /// Nothing.
    Nothing,
}

impl Found {
    pub(super) fn value(self) -> Option<String> {
        match self {
            Self::Value(value) => Some(value),
            Self::Impossible | Self::Nothing => None,
        }
    }
}

/// A place in a text, and the value that stands there; none for one that cannot be.
type Place = (Range<usize>, Option<String>);

impl Slot {
    /// The value in any message: only the form that nothing else has.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<String> {
        let text = &*self.view(text);
        self.choose(text, &self.places(text)).value()
    }

    /// The value in a message that is expected to hold one: the sure form first, then the loose.
    #[must_use]
    pub fn find_expected(&self, text: &str) -> Option<String> {
        self.read_expected(text).value()
    }

    /// The same, telling nothing from what cannot be.
    pub(super) fn read_expected(&self, text: &str) -> Found {
        let text = &*self.view(text);
        match (self.choose(text, &self.places(text)), &self.kind) {
            (Found::Nothing, Kind::Pattern { loose: Some(loose), form, .. }) => {
                self.choose(text, &expanded(loose, form, text))
            }
            (found, _) => found,
        }
    }

    /// True when the customer means another value than the one given before, or takes a value back.
    #[must_use]
    pub fn means_other(&self, text: &str) -> bool {
        let takes_back = || {
            let text = &*self.view(text);
            let places = self.places(text);
            !places.is_empty() && places.iter().all(|place| self.is_negated(text, place))
        };
        self.other.as_ref().is_some_and(|pattern| pattern.is_match(text)) || takes_back()
    }

    /// True when a message holds the value and hardly a word besides it.
    #[must_use]
    pub fn is_alone(&self, text: &str) -> bool {
        let Some((found, _)) = self.places(text).into_iter().next() else {
            return false;
        };
        let words = |part: &str| part.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
        let before = text.get(..found.start).map_or(0, words);
        let after = text.get(found.end..).map_or(0, words);
        before + after <= MOST_WORDS_BESIDE
    }

    /// True for a value that is worth keeping from any message: the words of a choice say nothing by
    /// themselves, and a day may be any day.
    pub(super) fn is_telling(&self) -> bool {
        matches!(self.kind, Kind::Pattern { .. } | Kind::Email)
    }

    /// Where its options come from, if a lookup lists them.
    pub(super) fn listed_by(&self) -> Option<&ListedBy> {
        match &self.kind {
            Kind::Listed(by) => Some(by),
            _ => None,
        }
    }

    /// A value as a person reads it.
    pub(super) fn label<'a>(&'a self, value: &'a str) -> &'a str {
        match &self.kind {
            Kind::Choice(choices) => {
                choices.iter().find(|choice| choice.value == value).map_or(value, |choice| &choice.label)
            }
            _ => value,
        }
    }

    /// The text as its patterns see it: the words of a choice stand in one form, a value in its own.
    fn view<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.kind {
            Kind::Choice(_) => Cow::Owned(normalise(text)),
            _ => Cow::Borrowed(text),
        }
    }

    /// Where values stand in their sure form, in the order of the text.
    fn places(&self, text: &str) -> Vec<Place> {
        match &self.kind {
            Kind::Pattern { sure, form, .. } => expanded(sure, form, text),
            Kind::Email => email::find(text),
            Kind::Date => date::find(text),
            Kind::Choice(choices) => {
                let of = |choice: &Choice| -> Vec<Place> {
                    choice.words.find_iter(text).map(|hit| (hit.range(), Some(choice.value.clone()))).collect()
                };
                let mut places: Vec<Place> = choices.iter().flat_map(of).collect();
                // Of two that overlap the longer one was meant: "not as big as described".
                places.sort_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)));
                let mut end = 0;
                places.retain(|(place, _)| {
                    let free = place.start >= end;
                    end = end.max(place.end);
                    free
                });
                places
            }
            Kind::Listed(_) => Vec::new(),
        }
    }

    /// The last value that was not taken back: who corrects themselves says the right one last.
    fn choose(&self, text: &str, places: &[Place]) -> Found {
        let kept = places.iter().filter(|place| !self.is_negated(text, place));
        let mut impossible = false;
        for (_, value) in kept.rev() {
            match value {
                Some(value) => return Found::Value(value.clone()),
                None => impossible = true,
            }
        }
        if impossible { Found::Impossible } else { Found::Nothing }
    }

    fn is_negated(&self, text: &str, (place, _): &Place) -> bool {
        let before = text.get(..place.start).unwrap_or_default();
        self.negated.as_ref().is_some_and(|pattern| pattern.is_match(before))
    }
}

fn expanded(pattern: &Regex, form: &str, text: &str) -> Vec<Place> {
    let place = |captures: regex::Captures<'_>| {
        let mut value = String::new();
        captures.expand(form, &mut value);
        captures.get(0).map(|whole| (whole.range(), Some(value)))
    };
    pattern.captures_iter(text).filter_map(place).collect()
}

/// The words of a choice as one pattern over a normalised text; none if no word is left.
///
/// # Errors
/// If they are too many for one pattern.
pub(super) fn choice_words(words: &[&str]) -> Result<Regex, String> {
    let escaped: Vec<String> = words.iter().map(|words| regex::escape(&normalise(words))).collect();
    super::rules::compile(&format!(r"\b(?:{})\b", escaped.join("|")))
}

/// "my order is JT-1042": three words beside the value still make it the whole message.
const MOST_WORDS_BESIDE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(kind: Kind) -> Slot {
        Slot {
            name: "value".into(),
            ask: "Which?".into(),
            ask_again: "Which, again?".into(),
            invalid: None,
            intent: None,
            other: Some(Regex::new(r"(?i)\b(another|other) order\b").unwrap()),
            negated: Some(Regex::new(r"(?i)\bnot (jt[-\s#]*)?$").unwrap()),
            kind,
        }
    }

    fn order_number() -> Slot {
        slot(Kind::Pattern {
            sure: Regex::new(r"(?i)\bjt[-\s#]*(\d{4})\b").unwrap(),
            loose: Some(Regex::new(r"(?i)\b(\d{4})\b").unwrap()),
            form: "JT-$1".into(),
        })
    }

    fn reason() -> Slot {
        let choice = |value: &str, words: &[&str]| Choice {
            value: value.into(),
            label: value.to_uppercase(),
            words: choice_words(words).unwrap(),
        };
        slot(Kind::Choice(vec![choice("big", &["too big", "big"]), choice("faulty", &["faulty", "a hole"])]))
    }

    #[test]
    fn a_value_is_brought_to_one_form() {
        let slot = order_number();
        for text in ["jt 1042", "JT-1042", "it is jt1042.", "order JT#1042 please", "JT - 1042"] {
            assert_eq!(slot.find(text).as_deref(), Some("JT-1042"), "{text}");
        }
        assert_eq!(slot.find("order 1042"), None, "a bare number could be anything");
        assert_eq!(slot.find_expected("order 1042").as_deref(), Some("JT-1042"));
        assert_eq!(slot.find_expected("no idea"), None);
        assert_eq!(slot.find("JT-10425"), None);
    }

    #[test]
    fn what_is_taken_back_is_no_value_and_the_last_one_counts() {
        let slot = order_number();
        assert_eq!(slot.find("JT-1042, no, sorry, JT-1043").as_deref(), Some("JT-1043"));
        assert_eq!(slot.find("JT-1043, not JT-1042").as_deref(), Some("JT-1043"));
        assert_eq!(slot.find_expected("not 1042, 1043").as_deref(), Some("JT-1043"));
        assert_eq!(slot.find("not JT-1042"), None);
        assert!(slot.means_other("not JT-1042"), "then another one is meant");
        assert_eq!(reason().find("not faulty, it is too big").as_deref(), Some("big"));
    }

    #[test]
    fn words_of_a_choice_stand_for_its_value() {
        assert_eq!(reason().find("there is a hole in it").as_deref(), Some("faulty"));
        assert_eq!(reason().find("bigger"), None, "whole words only");
        assert_eq!(reason().label("big"), "BIG");
        assert_eq!(reason().label("else"), "else");
    }

    #[test]
    fn a_day_that_no_calendar_has_is_told_from_no_day() {
        let date = slot(Kind::Date);
        assert_eq!(date.read_expected("31/02/2026"), Found::Impossible);
        assert_eq!(date.read_expected("some day"), Found::Nothing);
        assert_eq!(date.read_expected("31/02/2026, no, 3 March 2026"), Found::Value("2026-03-03".into()));
    }

    #[test]
    fn only_a_message_with_little_beside_the_value_is_the_value() {
        let slot = order_number();
        assert!(slot.is_alone("jt 1042"));
        assert!(slot.is_alone("It's order number JT-1042"));
        assert!(!slot.is_alone("can I send back the coat from JT-1042 after a month?"));
        assert!(!slot.is_alone("hello"));
    }

    #[test]
    fn another_order_is_not_the_remembered_one() {
        assert!(order_number().means_other("and my other order?"));
        assert!(!order_number().means_other("and my order?"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s)[ -~éß\u{2019}]{0,80}") {
            for slot in [order_number(), reason(), slot(Kind::Email), slot(Kind::Date)] {
                let _ = (slot.find(&text), slot.find_expected(&text), slot.means_other(&text), slot.is_alone(&text));
            }
        }
    }
}
