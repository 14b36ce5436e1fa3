//! Days of the calendar in a text: `2026-03-03`, `03/03/2026`, `3 March`, `March 3rd, 2026`.
//!
//! The day comes before the month, as in Britain. There is no clock here, so nothing that is counted
//! from today ("tomorrow", "last Friday") is a day.

use regex::{Captures, Regex};
use std::ops::Range;
use std::sync::LazyLock;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const NAMES: &str = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?";

/// One way to write a day, with the groups `d`, `m` (or `n`, a name) and perhaps `y`.
static WAYS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let ways = [
        r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b".to_owned(),
        r"\b(?P<d>\d{1,2})[/.](?P<m>\d{1,2})[/.](?P<y>\d{4})\b".to_owned(),
        format!(r"(?i)\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<n>{NAMES})\b\.?(?:,? (?P<y>\d{{4}})\b)?"),
        format!(r"(?i)\b(?P<n>{NAMES})\b\.? (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<y>\d{{4}})\b)?"),
    ];
    ways.iter().filter_map(|way| Regex::new(way).ok()).collect()
});

/// Every place that is meant to be a day, in the order of the text, with the day as ISO 8601 has it
/// (`2026-03-03`, or `--03-03` where no year was said); none for a day that no calendar has.
pub(super) fn find(text: &str) -> Vec<(Range<usize>, Option<String>)> {
    let mut found: Vec<(Range<usize>, Option<String>)> = Vec::new();
    for way in WAYS.iter() {
        for captures in way.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            let overlaps = |(place, _): &(Range<usize>, _)| place.start < whole.end() && whole.start() < place.end;
            if !found.iter().any(overlaps) {
                found.push((whole.range(), day(&captures)));
            }
        }
    }
    found.sort_by_key(|(place, _)| place.start);
    found
}

fn day(captures: &Captures<'_>) -> Option<String> {
    let number = |group: &str| captures.name(group).and_then(|text| text.as_str().parse::<u32>().ok());
    let named = || {
        let name = captures.name("n")?.as_str().get(..3)?.to_lowercase();
        MONTHS.iter().position(|month| *month == name).and_then(|index| u32::try_from(index + 1).ok())
    };
    let (year, month, day) = (number("y"), number("m").or_else(named)?, number("d")?);
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) || year == Some(0) {
        return None;
    }
    Some(year.map_or_else(|| format!("--{month:02}-{day:02}"), |year| format!("{year:04}-{month:02}-{day:02}")))
}

/// Days of a month; without a year it may be a leap year.
fn days(year: Option<u32>, month: u32) -> u32 {
    let leap = year.is_none_or(|year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_day_is_read_however_it_is_written() {
        for text in
            ["2026-03-03", "on 3/3/2026.", "03.03.2026", "the 3rd of March 2026", "Mar 3, 2026", "March the 3rd 2026"]
        {
            let values: Vec<_> = find(text).into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, [Some("2026-03-03".to_owned())], "{text}");
        }
        assert_eq!(find("29 February")[0].1.as_deref(), Some("--02-29"));
        assert_eq!(find("1 Sept, please")[0].1.as_deref(), Some("--09-01"));
    }

    #[test]
    fn what_no_calendar_has_is_no_day() {
        for text in ["31/02/2026", "2026-13-01", "29 February 2027", "0 May", "31 June", "29/02/1900"] {
            let found = find(text);
            assert!(found.len() == 1 && found[0].1.is_none(), "{text}: {found:?}");
        }
        assert!(find("I may be 12, or 1042 in size 12/14").is_empty());
    }
}
