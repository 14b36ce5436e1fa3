//! Addresses for e-mail in a text: what is meant to be one, and whether mail could ever reach it.
//!
//! The form is checked, not whether the address exists.

use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// The longest that mail servers have to take (RFC 5321, 4.5.3.1).
const MOST_BYTES: usize = 254;
const MOST_LOCAL_BYTES: usize = 64;

static MEANT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[^\s@<>(),;]+@[^\s@<>(),;]*").ok());

/// Every place that is meant to be an address, with the address in one form; none for one that cannot be.
pub(super) fn find(text: &str) -> Vec<(Range<usize>, Option<String>)> {
    let Some(pattern) = &*MEANT else { return Vec::new() };
    pattern.find_iter(text).map(|hit| (hit.range(), address(hit.as_str()))).collect()
}

/// The address in one form, if mail could reach it. The domain has no capitals; the name before the `@`
/// stays as it was written.
fn address(written: &str) -> Option<String> {
    // A sentence may end right behind it.
    let written = written.trim_end_matches(['.', '!', '?', ':', '\'', '"']).trim_start_matches(['\'', '"']);
    let (name, domain) = written.split_once('@')?;
    let name_fits = !name.is_empty()
        && name.len() <= MOST_LOCAL_BYTES
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte));
    let parts: Vec<&str> = domain.split('.').collect();
    let part_fits = |part: &&str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|sign| sign.is_alphanumeric() || sign == '-')
    };
    let ends_in_letters = parts
        .last()
        .is_some_and(|last| last.chars().count() >= 2 && last.chars().all(|sign| sign.is_alphabetic() || sign == '-'));
    let fits =
        name_fits && parts.len() >= 2 && parts.iter().all(part_fits) && ends_in_letters && written.len() <= MOST_BYTES;
    fits.then(|| format!("{name}@{}", domain.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_a_sentence_is_found_in_one_form() {
        let found = |text| find(text).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
        assert_eq!(found("It is Ada.L+shop@Mail.Example."), [Some("Ada.L+shop@mail.example".to_owned())]);
        assert_eq!(found("<ada@mail.example>, thanks"), [Some("ada@mail.example".to_owned())]);
        assert!(found("meet @ five").is_empty());
    }

    #[test]
    fn what_no_mail_could_reach_is_no_address() {
        for written in
            ["a@b", "a@", "a..b@c.example", ".a@c.example", "a@-c.example", "a@c.e", "a@c..example", "é@c.example"]
        {
            assert!(find(written).iter().all(|(_, value)| value.is_none()), "{written}");
        }
        assert!(address(&format!("a@{}.example", "b".repeat(64))).is_none());
    }
}
