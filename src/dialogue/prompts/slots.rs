//! `slots.toml`: values to recognise in a message.

use super::intents::is_code;
use super::lookups::{Lookup, ORIGIN};
use super::source::{Faults, Source};
use super::template::{Constants, fixed, label};
use crate::dialogue::rules::compile;
use crate::dialogue::slots::{Choice, Kind, ListedBy, Slot, choice_words};
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

pub(super) type RawSlots = BTreeMap<Spanned<String>, RawSlot>;

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawKind {
    #[default]
    Pattern,
    Email,
    Date,
    Choice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlot {
    #[serde(default)]
    kind: RawKind,
    pattern: Option<Spanned<String>>,
    loose: Option<Spanned<String>>,
    value: Option<Spanned<String>>,
    #[serde(default)]
    choices: Vec<Spanned<RawChoice>>,
    options_from: Option<Spanned<RawListedBy>>,
    other: Option<Spanned<String>>,
    negated: Option<Spanned<String>>,
    intent: Option<Spanned<String>>,
    ask: Spanned<String>,
    ask_again: Spanned<String>,
    invalid: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChoice {
    value: String,
    label: Spanned<String>,
    #[serde(default)]
    words: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListedBy {
    lookup: Spanned<String>,
    otherwise: Spanned<String>,
}

impl RawSlot {
    /// The lookup that lists its options.
    pub(super) fn listed_by(&self) -> Option<&str> {
        self.options_from.as_ref().map(|by| by.get_ref().lookup.get_ref().as_str())
    }
}

/// What the slots are checked against.
pub(super) struct Users<'a> {
    /// The lookups by name.
    pub(super) lookups: &'a BTreeMap<String, Lookup>,
    /// The slots that tasks need.
    pub(super) of_tasks: &'a [&'a str],
}

/// Checks the slots. `lookup_of` names the lookup of an intent, if it has one.
pub(super) fn check_slots(
    source: Source<'_>,
    raw: &RawSlots,
    constants: &Constants,
    lookup_of: impl Fn(&str) -> Option<String>,
    users: &Users<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, Slot> {
    let mut slots = BTreeMap::new();
    for (key, raw) in raw {
        check_name(source, key, faults);
        let name = key.get_ref();
        let of_lookup = users.lookups.values().any(|lookup| lookup.slots.contains(name));
        if !of_lookup && !users.of_tasks.contains(&name.as_str()) {
            faults.add(source, &key.span(), format!("no lookup and no task uses the slot `{name}`"));
        }
        if let Some(intent) = &raw.intent {
            let lookup = lookup_of(intent.get_ref()).and_then(|lookup| users.lookups.get(&lookup));
            if lookup.is_none_or(|lookup| lookup.slots != [name.clone()]) {
                let reason = format!("`{}` is no intent whose lookup needs `{name}` alone", intent.get_ref());
                faults.add(source, &intent.span(), reason);
            }
        }
        let kind = kind(source, key, raw, constants, users, faults);
        if matches!(kind, Some(Kind::Listed(_))) && !users.of_tasks.contains(&name.as_str()) {
            // Only the way through a task knows the values that the list is asked with.
            faults.add(source, &key.span(), format!("`{name}` has `options_from`, so a task has to ask for it"));
        }
        let mut text = |raw: &Spanned<String>| fixed(source, raw, constants, faults);
        let (ask, ask_again, invalid) = (text(&raw.ask), text(&raw.ask_again), raw.invalid.as_ref().map(&mut text));
        let other = raw.other.as_ref().and_then(|text| pattern(source, text, faults));
        let negated = raw.negated.as_ref().and_then(|text| pattern(source, text, faults));
        let intent = raw.intent.as_ref().map(|intent| intent.get_ref().clone());
        if let Some(kind) = kind {
            slots.insert(
                name.clone(),
                Slot { name: name.clone(), ask, ask_again, invalid, intent, other, negated, kind },
            );
        }
    }
    slots
}

/// How a slot is recognised; each kind has keys of its own.
fn kind(
    source: Source<'_>,
    key: &Spanned<String>,
    raw: &RawSlot,
    constants: &Constants,
    users: &Users<'_>,
    faults: &mut Faults,
) -> Option<Kind> {
    let patterns = raw.pattern.is_some() || raw.loose.is_some() || raw.value.is_some();
    let choices = !raw.choices.is_empty() || raw.options_from.is_some();
    if patterns && raw.kind != RawKind::Pattern {
        faults.add(source, &key.span(), "`pattern`, `loose` and `value` belong to the kind `pattern`");
    }
    if choices && raw.kind != RawKind::Choice {
        faults.add(source, &key.span(), "`choices` and `options_from` belong to the kind `choice`");
    }
    match (raw.kind, &raw.options_from) {
        (RawKind::Pattern, _) => {
            let (Some(sure), Some(value)) = (&raw.pattern, &raw.value) else {
                faults.add(source, &key.span(), "a slot needs a `pattern` and a `value`, or another `kind`");
                return None;
            };
            let sure = pattern(source, sure, faults);
            let loose = raw.loose.as_ref().and_then(|text| pattern(source, text, faults));
            for regex in [&sure, &loose].into_iter().flatten() {
                check_form(source, value, regex, faults);
            }
            Some(Kind::Pattern { sure: sure?, loose, form: value.get_ref().clone() })
        }
        (RawKind::Email, _) => Some(Kind::Email),
        (RawKind::Date, _) => Some(Kind::Date),
        (RawKind::Choice, None) => choice(source, key, &raw.choices, faults),
        (RawKind::Choice, Some(by)) if raw.choices.is_empty() => listed(source, by, constants, users, faults),
        (RawKind::Choice, Some(by)) => {
            faults.add(source, &by.span(), "either `choices` or `options_from`");
            None
        }
    }
}

fn choice(source: Source<'_>, key: &Spanned<String>, raw: &[Spanned<RawChoice>], faults: &mut Faults) -> Option<Kind> {
    if raw.len() < 2 {
        faults.add(source, &key.span(), "a choice has at least two `choices`, or `options_from`");
    }
    let mut choices: Vec<Choice> = Vec::new();
    for one in raw {
        let (span, one) = (one.span(), one.get_ref());
        if choices.iter().any(|other| other.value == one.value) || one.value.trim().is_empty() {
            faults.add(source, &span, format!("the value `{}` is empty or not the only one", one.value));
        }
        if one.words.iter().any(|words| words.trim().is_empty()) {
            faults.add(source, &span, "words must not be empty");
            continue;
        }
        let label = label(source, &one.label, faults);
        let words: Vec<&str> = one.words.iter().map(String::as_str).chain([label.as_str()]).collect();
        match choice_words(&words) {
            Ok(words) => choices.push(Choice { value: one.value.clone(), label, words }),
            Err(reason) => faults.add(source, &span, reason),
        }
    }
    (choices.len() >= 2).then_some(Kind::Choice(choices))
}

fn listed(
    source: Source<'_>,
    raw: &Spanned<RawListedBy>,
    constants: &Constants,
    users: &Users<'_>,
    faults: &mut Faults,
) -> Option<Kind> {
    let raw = raw.get_ref();
    let Some(lookup) = users.lookups.get(raw.lookup.get_ref()) else {
        faults.add(
            source,
            &raw.lookup.span(),
            format!("there is no lookup `{}` in lookups.toml", raw.lookup.get_ref()),
        );
        return None;
    };
    if lookup.options.is_none() {
        faults.add(source, &raw.lookup.span(), format!("the lookup `{}` has no `options`", lookup.name));
    }
    Some(Kind::Listed(ListedBy {
        lookup: lookup.name.clone(),
        otherwise: fixed(source, &raw.otherwise, constants, faults),
    }))
}

/// A slot and a look-up have names of one form, and none may pass for this server's address.
pub(super) fn check_name(source: Source<'_>, name: &Spanned<String>, faults: &mut Faults) {
    let reserved = name.get_ref() == ORIGIN;
    if !is_code(name.get_ref()) || reserved {
        faults.add(
            source,
            &name.span(),
            format!("`{}` is not a name: a-z, 0-9 and _ only, a letter first", name.get_ref()),
        );
    }
}

fn pattern(source: Source<'_>, text: &Spanned<String>, faults: &mut Faults) -> Option<Regex> {
    compile(text.get_ref()).map_err(|reason| faults.add(source, &text.span(), reason)).ok()
}

/// The value's form may only name groups that every match has.
fn check_form(source: Source<'_>, form: &Spanned<String>, regex: &Regex, faults: &mut Faults) {
    let groups = regex.captures_len() - 1;
    for (at, _) in form.get_ref().match_indices('$') {
        let digits: String = form.get_ref()[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        let next = form.get_ref()[at + 1 + digits.len()..].chars().next();
        let known = digits.parse::<usize>().is_ok_and(|group| (1..=groups).contains(&group));
        if !known || next.is_some_and(|next| next.is_alphanumeric() || next == '_') {
            let reason =
                format!("`{}` names a group that `{regex}` does not have (use $1 to ${groups})", form.get_ref());
            faults.add(source, &form.span(), reason);
        }
    }
}
