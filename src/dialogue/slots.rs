//! Values that a lookup needs, recognised in the customer's words and brought to one form.

use regex::Regex;

/// One value that can be recognised, asked for and kept.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Name, as lookups use it.
    pub name: String,
    /// Said when the value is needed.
    pub(super) ask: String,
    /// Said when the answer held no value.
    pub(super) ask_again: String,
    /// The intent of a message that holds nothing but this value.
    pub(super) intent: Option<String>,
    pub(super) sure: Regex,
    pub(super) loose: Option<Regex>,
    pub(super) other: Option<Regex>,
    pub(super) form: String,
}

impl Slot {
    /// The value in any message: only the form that nothing else has.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<String> {
        self.value(&self.sure, text)
    }

    /// The value in a message that is expected to hold one: the sure form first, then the loose.
    #[must_use]
    pub fn find_expected(&self, text: &str) -> Option<String> {
        let loose = || self.loose.as_ref().and_then(|pattern| self.value(pattern, text));
        self.find(text).or_else(loose)
    }

    /// True when the customer means another value than the one given before.
    #[must_use]
    pub fn means_other(&self, text: &str) -> bool {
        self.other.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }

    /// True when a message holds the value and hardly a word besides it.
    #[must_use]
    pub fn is_alone(&self, text: &str) -> bool {
        let Some(found) = self.sure.find(text) else {
            return false;
        };
        let words = |part: &str| part.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
        let before = text.get(..found.start()).map_or(0, words);
        let after = text.get(found.end()..).map_or(0, words);
        before + after <= MOST_WORDS_BESIDE
    }

    fn value(&self, pattern: &Regex, text: &str) -> Option<String> {
        let captures = pattern.captures(text)?;
        let mut value = String::new();
        captures.expand(&self.form, &mut value);
        Some(value)
    }
}

/// "my order is JT-1042": three words beside the value still make it the whole message.
const MOST_WORDS_BESIDE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn order_number() -> Slot {
        Slot {
            name: "order_number".into(),
            ask: "Which order?".into(),
            ask_again: "Which order, again?".into(),
            intent: Some("order_status".into()),
            sure: Regex::new(r"(?i)\bjt[-\s#]*(\d{4})\b").unwrap(),
            loose: Some(Regex::new(r"(?i)\b(\d{4})\b").unwrap()),
            other: Some(Regex::new(r"(?i)\b(another|other) order\b").unwrap()),
            form: "JT-$1".into(),
        }
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
}
