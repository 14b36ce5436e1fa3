//! Headers of a look-up, whose values may name secrets. The secrets themselves are not known here.

use super::source::{Faults, Source};
use std::collections::BTreeMap;
use toml::Spanned;

/// A header that a look-up sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// In lower case.
    pub name: String,
    /// Where it stands in `lookups.toml`, from 1.
    pub line: usize,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Secret(String),
}

impl Header {
    /// The names of the secrets in its value.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The value with its secrets; none if one of them is not known.
    #[must_use]
    pub fn value<'a>(&'a self, secret: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Secret(name) => secret(name),
            })
            .collect()
    }
}

pub(super) type RawHeaders = BTreeMap<Spanned<String>, Spanned<String>>;

/// Checks the headers.
pub(super) fn check(source: Source<'_>, raw: &RawHeaders, faults: &mut Faults) -> Vec<Header> {
    let mut headers = Vec::new();
    for (name, value) in raw {
        let sound =
            name.get_ref().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !sound || name.get_ref().is_empty() {
            faults.add(source, &name.span(), format!("`{}` is not a header: a-z, 0-9 and - only", name.get_ref()));
        }
        match parts(value.get_ref()) {
            Ok(parts) => {
                headers.push(Header { name: name.get_ref().clone(), line: source.line(name.span().start), parts });
            }
            Err(reason) => faults.add(source, &value.span(), reason),
        }
    }
    headers
}

fn parts(value: &str) -> Result<Vec<Part>, String> {
    if value.trim() != value || value.is_empty() || value.contains(|sign: char| !matches!(sign, ' '..='~')) {
        return Err("a header's value is one line of plain ASCII without blanks around it".to_owned());
    }
    let mut parts = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        let (name, after) = from
            .strip_prefix("{secret.")
            .and_then(|inner| inner.split_once('}'))
            .filter(|(name, _)| is_secret(name))
            .ok_or("a header's value knows {secret.NAME} only; a name has A-Z, 0-9 and _, a letter first")?;
        parts.extend([Part::Text(before.to_owned()), Part::Secret(name.to_owned())]);
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    Ok(parts)
}

fn is_secret(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::{Header, parts};
    use proptest::prelude::*;

    fn filled(value: &str) -> Option<String> {
        let header = Header { name: "authorization".into(), line: 1, parts: parts(value).ok()? };
        header.value(|name| (name == "SHOP").then_some("s3cret"))
    }

    #[test]
    fn secrets_are_filled_in_and_nothing_else() {
        assert_eq!(filled("Bearer {secret.SHOP}").as_deref(), Some("Bearer s3cret"));
        assert_eq!(filled("{secret.SHOP}:{secret.SHOP}").as_deref(), Some("s3cret:s3cret"));
        assert_eq!(filled("plain").as_deref(), Some("plain"));
        assert_eq!(filled("Bearer {secret.OTHER}"), None, "a missing one is never sent as a brace");
        for bad in
            ["", " x", "x\ny", "é", "{secret.shop}", "{secret.}", "{SHOP}", "{secret.SHOP", "}", "{order_number}"]
        {
            assert!(parts(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(value in "(?s).{0,60}") {
            let _ = parts(&value);
        }
    }
}
