//! What is known of the customer inside a text: `{customer.name|there}`, the value or else the
//! words after the bar.
//!
//! The bar is required, so that a text reads well for a stranger too. A checked text keeps such a
//! variable in braces until it is spoken: only then is it known to whom.

use super::intents::is_code;
use crate::domain::Customer;

const OPEN: &str = "{customer.";

/// True for what stands in the braces of such a variable, complete or not.
pub(super) fn is_variable(inner: &str) -> bool {
    inner == "customer" || inner.starts_with("customer.")
}

/// Checks what stands in the braces.
pub(super) fn check(inner: &str) -> Result<(), String> {
    let (name, otherwise) = inner
        .split_once('|')
        .ok_or_else(|| format!("{{{inner}}} needs words for when it is not known: {{{inner}|there}}"))?;
    if !name.strip_prefix("customer.").is_some_and(is_code) {
        return Err(format!("`{name}` is not {{customer.name|…}} or {{customer.FACT|…}} (a-z, 0-9, _)"));
    }
    let sound = !otherwise.trim().is_empty()
        && otherwise.trim() == otherwise
        && !otherwise.contains(['\n', '|', '*', '[', ']', '`', '<', '>']);
    if sound { Ok(()) } else { Err(format!("the words after the bar of {{{inner}}} are one plain piece of text")) }
}

/// True if a checked text names the customer.
pub(super) fn is_personal(text: &str) -> bool {
    text.contains(OPEN)
}

/// Fills in what is known of the customer.
pub(in crate::dialogue) fn fill(text: &str, customer: &Customer) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let variable = from[OPEN.len()..].split_once('}').and_then(|(inner, after)| {
            let (name, otherwise) = inner.split_once('|')?;
            Some((name, otherwise, after))
        });
        let Some((name, otherwise, after)) = variable else {
            filled.push_str(OPEN);
            rest = &from[OPEN.len()..];
            continue;
        };
        let value = if name == "name" { customer.name.as_ref() } else { customer.facts.get(name) };
        let value = value.map(|value| plain(value)).filter(|value| !value.is_empty());
        filled.push_str(value.as_deref().unwrap_or(otherwise));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A value between words: one line, no control sign (a database may refuse one), and none that the Markdown subset or a text gives a meaning.
pub(in crate::dialogue) fn plain(value: &str) -> String {
    let meaningless = |sign: &char| {
        let control = sign.is_control() && !sign.is_whitespace();
        !control && !matches!(sign, '*' | '[' | ']' | '`' | '<' | '>' | '{' | '}')
    };
    let kept: String = value.chars().filter(meaningless).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{check, fill};
    use crate::domain::Customer;
    use proptest::prelude::*;

    fn customer(name: &str, plan: &str) -> Customer {
        let facts = [("plan".to_owned(), plan.to_owned())].into();
        Customer { name: Some(name.to_owned()), facts, ..Customer::default() }
    }

    #[test]
    fn a_value_or_the_words_after_the_bar() {
        let text = "Hello {customer.name|there}, about {customer.plan|your plan}: {customer.none|nothing}.";
        assert_eq!(fill(text, &customer("Ada", "Gold")), "Hello Ada, about Gold: nothing.");
        assert_eq!(fill(text, &Customer::default()), "Hello there, about your plan: nothing.");
        assert_eq!(fill(text, &customer(" \n ", "**")), "Hello there, about your plan: nothing.");
    }

    #[test]
    fn a_value_from_outside_has_no_meaning() {
        let hostile = customer("**A** [b](https://evil.example)", "{customer.name|x}\n- <b>");
        assert_eq!(fill("{customer.name|there}!", &hostile), "A b(https://evil.example)!");
        assert_eq!(fill("{customer.plan|none}", &hostile), "customer.name|x - b");
        let control = customer("A\u{0}d\u{1b}a\tB", "\u{0}");
        assert_eq!(fill("{customer.name|there} {customer.plan|none}", &control), "Ada B none");
    }

    #[test]
    fn the_bar_and_a_sound_name_are_required() {
        for good in ["customer.name|there", "customer.customer_number|your customer number"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "customer",
            "customer.name",
            "customer.name|",
            "customer.|x",
            "customer.Name|x",
            "customer.a.b|x",
            "customer.a|**x**",
            "customer.a| x",
            "customer.a|b|c",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_value_leaves_a_brace(name in "(?s).{0,40}", plan in "(?s).{0,40}") {
            let text = fill("{customer.name|there} and {customer.plan|no plan}.", &customer(&name, &plan));
            prop_assert!(!text.contains(['{', '}', '*', '\n']), "{text}");
        }

        #[test]
        fn no_text_panics(text in "(?s).{0,60}") {
            let _ = fill(&text, &Customer::default());
            let _ = check(&text);
        }
    }
}
