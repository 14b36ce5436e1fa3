//! `slots.toml` and `lookups.toml`: answers that come from the business's own system.

use super::intents::is_code;
use super::source::{Faults, Source};
use super::template::{Constants, Template, fixed, open};
use crate::dialogue::rules::compile;
use crate::dialogue::slots::Slot;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// One question to the business's system, and the texts for what it may say.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Unique name.
    pub name: String,
    /// The values it needs, by slot name.
    pub slots: Vec<String>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    url: Template,
    pub(in crate::dialogue) choose_by: String,
    pub(in crate::dialogue) answers: BTreeMap<String, Template>,
    pub(in crate::dialogue) not_found: Template,
    pub(in crate::dialogue) failed: String,
}

impl Lookup {
    /// The address to ask, with the values percent-encoded; none if a value is missing.
    /// `origin` is the server's own, without a slash at its end.
    #[must_use]
    pub fn url(&self, origin: &str, slots: &BTreeMap<String, String>) -> Option<String> {
        self.url.fill(|field| match field {
            ORIGIN => Some(origin.trim_end_matches('/').to_owned()),
            slot => slots.get(slot).map(|value| percent_encode(value)),
        })
    }
}

const ORIGIN: &str = "origin";

/// Everything but the unreserved characters of RFC 3986, so that a value can never change the path.
fn percent_encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

pub(super) type RawSlots = BTreeMap<Spanned<String>, RawSlot>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlot {
    pattern: Spanned<String>,
    loose: Option<Spanned<String>>,
    value: Spanned<String>,
    other: Option<Spanned<String>>,
    intent: Option<Spanned<String>>,
    ask: Spanned<String>,
    ask_again: Spanned<String>,
}

pub(super) type RawLookups = BTreeMap<Spanned<String>, RawLookup>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLookup {
    slots: Spanned<Vec<Spanned<String>>>,
    url: Spanned<String>,
    timeout_ms: Spanned<i64>,
    fields: Vec<Spanned<String>>,
    choose_by: Spanned<String>,
    not_found: Spanned<String>,
    failed: Spanned<String>,
    answers: Spanned<BTreeMap<String, Spanned<String>>>,
}

/// Checks the slots. `lookup_of` names the lookup of an intent, if it has one.
pub(super) fn check_slots(
    source: Source<'_>,
    raw: &RawSlots,
    constants: &Constants,
    lookup_of: impl Fn(&str) -> Option<String>,
    lookups: &BTreeMap<String, Lookup>,
    faults: &mut Faults,
) -> BTreeMap<String, Slot> {
    let mut slots = BTreeMap::new();
    for (name, raw) in raw {
        check_name(source, name, faults);
        let name = name.get_ref();
        if !lookups.values().any(|lookup| lookup.slots.contains(name)) {
            faults.add(source, &raw.pattern.span(), format!("no lookup uses the slot `{name}`"));
        }
        if let Some(intent) = &raw.intent {
            let lookup = lookup_of(intent.get_ref()).and_then(|lookup| lookups.get(&lookup));
            if lookup.is_none_or(|lookup| lookup.slots != [name.clone()]) {
                let reason = format!("`{}` is no intent whose lookup needs `{name}` alone", intent.get_ref());
                faults.add(source, &intent.span(), reason);
            }
        }
        let sure = pattern(source, &raw.pattern, faults);
        let loose = raw.loose.as_ref().and_then(|text| pattern(source, text, faults));
        let other = raw.other.as_ref().and_then(|text| pattern(source, text, faults));
        for regex in [&sure, &loose].into_iter().flatten() {
            check_form(source, &raw.value, regex, faults);
        }
        let (ask, ask_again) =
            (fixed(source, &raw.ask, constants, faults), fixed(source, &raw.ask_again, constants, faults));
        if let Some(sure) = sure {
            let (intent, form) =
                (raw.intent.as_ref().map(|intent| intent.get_ref().clone()), raw.value.get_ref().clone());
            slots.insert(name.clone(), Slot { name: name.clone(), ask, ask_again, intent, sure, loose, other, form });
        }
    }
    slots
}

fn check_name(source: Source<'_>, name: &Spanned<String>, faults: &mut Faults) {
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

/// Checks the lookups.
pub(super) fn check_lookups(
    source: Source<'_>,
    raw: &RawLookups,
    constants: &Constants,
    slots: &[&str],
    faults: &mut Faults,
) -> BTreeMap<String, Lookup> {
    let mut lookups = BTreeMap::new();
    for (name, raw) in raw {
        check_name(source, name, faults);
        let needs: Vec<&str> = raw.slots.get_ref().iter().map(|slot| slot.get_ref().as_str()).collect();
        if needs.is_empty() {
            faults.add(source, &raw.slots.span(), "a lookup needs at least one slot");
        }
        for slot in raw.slots.get_ref().iter().filter(|slot| !slots.contains(&slot.get_ref().as_str())) {
            faults.add(source, &slot.span(), format!("there is no slot `{}` in slots.toml", slot.get_ref()));
        }
        let timeout_ms = u64::try_from(*raw.timeout_ms.get_ref()).ok().filter(|ms| (100..=10_000).contains(ms));
        if timeout_ms.is_none() {
            faults.add(source, &raw.timeout_ms.span(), "timeout_ms is not between 100 and 10000");
        }
        let Some(url) = check_url(source, &raw.url, &needs, faults) else {
            continue;
        };
        let fields: Vec<&str> = raw.fields.iter().map(|field| field.get_ref().as_str()).collect();
        for field in raw.fields.iter().filter(|field| !field.get_ref().split('.').all(is_code)) {
            faults.add(source, &field.span(), format!("`{}` is not a field name", field.get_ref()));
        }
        if !fields.contains(&raw.choose_by.get_ref().as_str()) {
            faults.add(source, &raw.choose_by.span(), format!("`{}` is not among the fields", raw.choose_by.get_ref()));
        }
        if raw.answers.get_ref().is_empty() {
            faults.add(source, &raw.answers.span(), "a lookup needs at least one answer");
        }
        let answers = raw.answers.get_ref().iter();
        let lookup = Lookup {
            name: name.get_ref().clone(),
            slots: needs.iter().map(|slot| (*slot).to_owned()).collect(),
            timeout_ms: timeout_ms.unwrap_or_default(),
            url,
            choose_by: raw.choose_by.get_ref().clone(),
            answers: answers
                .map(|(value, text)| (value.clone(), open(source, text, constants, &fields, faults)))
                .collect(),
            not_found: open(source, &raw.not_found, constants, &needs, faults),
            failed: fixed(source, &raw.failed, constants, faults),
        };
        lookups.insert(lookup.name.clone(), lookup);
    }
    lookups
}

fn check_url(source: Source<'_>, url: &Spanned<String>, slots: &[&str], faults: &mut Faults) -> Option<Template> {
    let fields: Vec<&str> = slots.iter().copied().chain([ORIGIN]).collect();
    let parsed = Template::parse_plain(url.get_ref(), &Constants::new(), &fields);
    let start = url.get_ref().starts_with("{origin}/") || url.get_ref().starts_with("https://");
    let checked = parsed.and_then(|template| {
        let missing = slots.iter().find(|slot| !template.fields().any(|field| field == **slot));
        match missing {
            _ if !start => Err("a url starts with {origin}/ or https://".to_owned()),
            _ if url.get_ref().contains(char::is_whitespace) => Err("a url holds no blanks".to_owned()),
            _ if template.source()[1..].contains("{origin}") => Err("{origin} belongs at the start".to_owned()),
            Some(slot) => Err(format!("the url does not use the slot `{slot}`")),
            None => Ok(template),
        }
    });
    checked.map_err(|reason| faults.add(source, &url.span(), reason)).ok()
}

#[cfg(test)]
mod tests {
    use super::percent_encode;

    #[test]
    fn a_value_cannot_leave_its_path_segment() {
        assert_eq!(percent_encode("JT-1042"), "JT-1042");
        assert_eq!(percent_encode("../a?b#c"), "%2E%2E%2Fa%3Fb%23c");
        assert_eq!(percent_encode("é"), "%C3%A9");
    }
}
