//! `lookups.toml`: answers that come from the business's own system, and what is done there.

use super::headers::{self, Header, RawHeaders};
use super::intents::is_code;
use super::slots::check_name;
use super::source::{Faults, Source};
use super::template::{Constants, Template, fixed, open};
use serde::Deserialize;
use serde_json::Value;
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
    /// Whether it asks, or changes something there.
    pub method: Method,
    /// What it sends beside.
    pub headers: Vec<Header>,
    /// The field whose list of texts is offered as buttons.
    pub options: Option<String>,
    /// Where its address stands in `lookups.toml`, from 1.
    pub url_line: usize,
    url: Template,
    body: BTreeMap<String, Template>,
    pub(in crate::dialogue) answers: Answers,
    pub(in crate::dialogue) not_found: Template,
    pub(in crate::dialogue) refused: Option<Template>,
    pub(in crate::dialogue) timed_out: Option<String>,
    pub(in crate::dialogue) failed: String,
}

/// How the business's system is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It changes nothing.
    Get,
    /// It may change something.
    Post,
}

/// The texts for what was found.
#[derive(Clone, Debug)]
pub(in crate::dialogue) enum Answers {
    /// There is one.
    One(Template),
    /// A field's value picks it.
    By(String, BTreeMap<String, Template>),
}

/// Longest text of a button.
const LONGEST_OPTION: usize = 60;
/// Most buttons.
const MOST_OPTIONS: usize = 12;

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

    /// What is sent, as a JSON object of texts; an empty one if nothing is. None if a value is missing.
    #[must_use]
    pub fn body(&self, slots: &BTreeMap<String, String>) -> Option<BTreeMap<&str, String>> {
        let filled = |text: &Template| text.fill(|slot| slots.get(slot).cloned());
        self.body.iter().map(|(key, text)| Some((key.as_str(), filled(text)?))).collect()
    }

    /// What an answer offers as buttons: the texts of the field [`Lookup::options`] that fit on one, at most twelve.
    #[must_use]
    pub fn offered<'a>(&self, body: &'a Value) -> Vec<&'a str> {
        let list = self.options.as_deref().and_then(|path| field(body, path)).and_then(Value::as_array);
        let fits = |text: &&str| {
            !text.trim().is_empty() && text.chars().count() <= LONGEST_OPTION && !text.contains(char::is_control)
        };
        list.into_iter().flatten().filter_map(Value::as_str).filter(fits).take(MOST_OPTIONS).collect()
    }

    /// The names of its answers: what its system may say (`found` where there is one text for all), and that it
    /// knows nothing, refused or did not answer.
    #[must_use]
    pub fn answer_names(&self) -> Vec<&str> {
        let said: Vec<&str> = match &self.answers {
            Answers::One(_) => vec!["found"],
            Answers::By(_, texts) => texts.keys().map(String::as_str).collect(),
        };
        said.into_iter().chain(["not_found", "refused", "timed_out", "failed"]).collect()
    }
}

/// A field of an answer by its dotted path.
pub(in crate::dialogue) fn field<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, key| value.get(key))
}

/// This server's own address, in a url.
pub(super) const ORIGIN: &str = "origin";

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

pub(super) type RawLookups = BTreeMap<Spanned<String>, RawLookup>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLookup {
    slots: Spanned<Vec<Spanned<String>>>,
    method: Option<Spanned<String>>,
    url: Spanned<String>,
    #[serde(default)]
    headers: RawHeaders,
    body: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    timeout_ms: Spanned<i64>,
    fields: Vec<Spanned<String>>,
    options: Option<Spanned<String>>,
    choose_by: Option<Spanned<String>>,
    answer: Option<Spanned<String>>,
    answers: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    not_found: Spanned<String>,
    refused: Option<Spanned<String>>,
    timed_out: Option<Spanned<String>>,
    failed: Spanned<String>,
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
        lookups.extend(check(source, name, raw, constants, slots, faults).map(|lookup| (lookup.name.clone(), lookup)));
    }
    lookups
}

/// One of them; none, and a fault, if it says neither where nor what.
fn check(
    source: Source<'_>,
    name: &Spanned<String>,
    raw: &RawLookup,
    constants: &Constants,
    slots: &[&str],
    faults: &mut Faults,
) -> Option<Lookup> {
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
    for field in raw.fields.iter().filter(|field| !field.get_ref().split('.').all(is_code)) {
        faults.add(source, &field.span(), format!("`{}` is not a field name", field.get_ref()));
    }
    let fields: Vec<&str> = raw.fields.iter().map(|field| field.get_ref().as_str()).collect();
    for named in raw.options.iter().chain(&raw.choose_by) {
        if !fields.contains(&named.get_ref().as_str()) {
            faults.add(source, &named.span(), format!("`{}` is not among the fields", named.get_ref()));
        }
    }
    let method = check_method(source, raw.method.as_ref(), faults);
    let body = check_body(source, raw, method, &needs, faults);
    let url = check_url(source, &raw.url, &needs, faults)?;
    for slot in raw.slots.get_ref() {
        let known = |template: &Template| template.fields().any(|field| field == slot.get_ref());
        if !known(&url) && !body.values().any(known) {
            faults.add(
                source,
                &slot.span(),
                format!("neither the url nor the body uses the slot `{}`", slot.get_ref()),
            );
        }
    }
    Some(Lookup {
        name: name.get_ref().clone(),
        slots: needs.iter().map(|slot| (*slot).to_owned()).collect(),
        timeout_ms: timeout_ms.unwrap_or_default(),
        method,
        headers: headers::check(source, &raw.headers, faults),
        options: raw.options.as_ref().map(|field| field.get_ref().clone()),
        url_line: source.line(raw.url.span().start),
        url,
        body,
        answers: check_answers(source, name, raw, constants, &fields, faults)?,
        not_found: open(source, &raw.not_found, constants, &needs, faults),
        refused: raw.refused.as_ref().map(|text| open(source, text, constants, &needs, faults)),
        timed_out: raw.timed_out.as_ref().map(|text| fixed(source, text, constants, faults)),
        failed: fixed(source, &raw.failed, constants, faults),
    })
}

fn check_method(source: Source<'_>, method: Option<&Spanned<String>>, faults: &mut Faults) -> Method {
    match method.map(|method| (method, method.get_ref().as_str())) {
        None | Some((_, "GET")) => Method::Get,
        Some((_, "POST")) => Method::Post,
        Some((method, _)) => {
            faults.add(source, &method.span(), "method is GET or POST");
            Method::Get
        }
    }
}

fn check_body(
    source: Source<'_>,
    raw: &RawLookup,
    method: Method,
    slots: &[&str],
    faults: &mut Faults,
) -> BTreeMap<String, Template> {
    let Some(table) = &raw.body else { return BTreeMap::new() };
    if method == Method::Get {
        faults.add(source, &table.span(), "only a POST has a body");
    }
    let mut body = BTreeMap::new();
    for (key, text) in table.get_ref() {
        match Template::parse_plain(text.get_ref(), &Constants::new(), slots) {
            Ok(template) => drop(body.insert(key.clone(), template)),
            Err(reason) => faults.add(source, &text.span(), reason),
        }
    }
    body
}

fn check_answers(
    source: Source<'_>,
    name: &Spanned<String>,
    raw: &RawLookup,
    constants: &Constants,
    fields: &[&str],
    faults: &mut Faults,
) -> Option<Answers> {
    match (&raw.answer, &raw.choose_by, &raw.answers) {
        (Some(text), None, None) => Some(Answers::One(open(source, text, constants, fields, faults))),
        (None, Some(by), Some(texts)) => {
            if texts.get_ref().is_empty() {
                faults.add(source, &texts.span(), "a lookup needs at least one answer");
            }
            let opened = |(value, text): (&String, _)| (value.clone(), open(source, text, constants, fields, faults));
            Some(Answers::By(by.get_ref().clone(), texts.get_ref().iter().map(opened).collect()))
        }
        _ => {
            faults.add(source, &name.span(), "a lookup has either `answer`, or `choose_by` and `answers`");
            None
        }
    }
}

fn check_url(source: Source<'_>, url: &Spanned<String>, slots: &[&str], faults: &mut Faults) -> Option<Template> {
    let fields: Vec<&str> = slots.iter().copied().chain([ORIGIN]).collect();
    let checked = Template::parse_plain(url.get_ref(), &Constants::new(), &fields).and_then(|template| {
        let text = url.get_ref();
        let rest = ["{origin}/", "https://", "http://"].iter().find_map(|start| text.strip_prefix(start));
        let Some(rest) = rest else { return Err("a url starts with {origin}/, https:// or http://".to_owned()) };
        // Whose system is asked is the business's word, never a customer's.
        let host = if text.starts_with('{') { "" } else { rest.split(['/', '?', '#']).next().unwrap_or_default() };
        if text.contains(char::is_whitespace) {
            Err("a url holds no blanks".to_owned())
        } else if rest.contains("{origin}") {
            Err("{origin} belongs at the start".to_owned())
        } else if host.contains('{') {
            Err("a slot stands in the path or the query, not in the host".to_owned())
        } else {
            Ok(template)
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
