//! `[hours]` of `business.toml`: when people answer, in the time zone of the business.
//!
//! Time comes in as a value; the rules of the time zones travel in the program.

use super::source::{Faults, Source};
use crate::domain::Timestamp;
use crate::domain::calendar::{day_name, month_name};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

/// Days that are looked ahead for an opening: a business that is closed longer promises nothing.
const LOOK_AHEAD: i8 = 60;

/// When people answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    zone: TimeZone,
    /// Ranges of each day from Monday on, in order; the end is not among them.
    days: [Vec<Range>; 7],
    holidays: Vec<Date>,
}

/// A range of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: Time,
    /// None is midnight, the day's end.
    to: Option<Time>,
}

impl Range {
    fn holds(self, time: Time) -> bool {
        self.from <= time && self.to.is_none_or(|to| time < to)
    }
}

/// When people are there again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The moment.
    pub at: Timestamp,
    /// In words, in the time zone of the business: `tomorrow at 9:00`.
    pub words: String,
}

impl Hours {
    /// Whether people answer at `now`, as far as the hours say.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.local(now).is_some_and(|(date, time)| self.ranges(date).iter().any(|range| range.holds(time)))
    }

    /// When people are there again; none while they are there, and none if no opening is near.
    #[must_use]
    pub fn next_opening(&self, now: Timestamp) -> Option<Opening> {
        let (today, time) = self.local(now)?;
        if self.is_open(now) {
            return None;
        }
        let mut date = today;
        for ahead in 0..LOOK_AHEAD {
            let later = |range: &&Range| ahead > 0 || range.from > time;
            if let Some(range) = self.ranges(date).iter().find(later) {
                let at = date.to_datetime(range.from).to_zoned(self.zone.clone()).ok()?;
                let at = Timestamp(at.timestamp().as_millisecond());
                return Some(Opening { at, words: words(ahead, date, range.from) });
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn local(&self, at: Timestamp) -> Option<(Date, Time)> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.zone.clone());
        Some((at.date(), at.time()))
    }

    fn ranges(&self, date: Date) -> &[Range] {
        if self.holidays.contains(&date) {
            return &[];
        }
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        self.days.get(day).map_or(&[], Vec::as_slice)
    }
}

fn words(ahead: i8, date: Date, time: Time) -> String {
    let time = format!("{}:{:02}", time.hour(), time.minute());
    match ahead {
        0 => format!("today at {time}"),
        1 => format!("tomorrow at {time}"),
        2..=6 => format!("on {} at {time}", day_name(date.weekday())),
        _ => format!("on {}, {} {} at {time}", day_name(date.weekday()), date.day(), month_name(date.month())),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHours {
    zone: Spanned<String>,
    #[serde(default)]
    monday: Vec<Spanned<String>>,
    #[serde(default)]
    tuesday: Vec<Spanned<String>>,
    #[serde(default)]
    wednesday: Vec<Spanned<String>>,
    #[serde(default)]
    thursday: Vec<Spanned<String>>,
    #[serde(default)]
    friday: Vec<Spanned<String>>,
    #[serde(default)]
    saturday: Vec<Spanned<String>>,
    #[serde(default)]
    sunday: Vec<Spanned<String>>,
    #[serde(default)]
    holidays: Vec<Spanned<String>>,
}

/// Checks `[hours]`.
pub(super) fn check(source: Source<'_>, raw: &RawHours, faults: &mut Faults) -> Hours {
    let zone = TimeZone::get(raw.zone.get_ref()).unwrap_or_else(|_| {
        let name = raw.zone.get_ref();
        faults.add(source, &raw.zone.span(), format!("`{name}` is no time zone (like \"Europe/London\")"));
        TimeZone::UTC
    });
    let days = [&raw.monday, &raw.tuesday, &raw.wednesday, &raw.thursday, &raw.friday, &raw.saturday, &raw.sunday];
    if days.iter().all(|day| day.is_empty()) {
        faults.add(source, &raw.zone.span(), "[hours] opens on no day: give a day its hours, or leave [hours] out");
    }
    let days = days.map(|day| ranges(source, day, faults));
    let holidays = raw
        .holidays
        .iter()
        .filter_map(|text| {
            let date = text.get_ref().parse::<Date>().ok();
            if date.is_none() {
                faults.add(source, &text.span(), format!("`{}` is no date (like \"2026-12-25\")", text.get_ref()));
            }
            date
        })
        .collect();
    Hours { zone, days, holidays }
}

fn ranges(source: Source<'_>, day: &[Spanned<String>], faults: &mut Faults) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for text in day {
        let Some(range) = range(text.get_ref()) else {
            let why = format!("`{}` is no range of hours (like \"09:00-18:00\")", text.get_ref());
            faults.add(source, &text.span(), why);
            continue;
        };
        if ranges.last().is_some_and(|last| last.to.is_none_or(|end| range.from < end)) {
            faults.add(source, &text.span(), format!("`{}` does not begin after the range before it", text.get_ref()));
        }
        ranges.push(range);
    }
    ranges
}

fn range(text: &str) -> Option<Range> {
    let (from, to) = text.split_once('-')?;
    let from = time(from)?;
    let to = if to.trim() == "24:00" { None } else { Some(time(to)?) };
    to.is_none_or(|to| from < to).then_some(Range { from, to })
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':').filter(|(_, minute)| minute.len() == 2)?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Result<Hours, String> {
        let raw: RawHours = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut faults = Faults::default();
        let hours = check(Source { file: "business.toml", text }, &raw, &mut faults);
        let faults: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
        if faults.is_empty() { Ok(hours) } else { Err(faults.join("\n")) }
    }

    fn shop() -> Hours {
        hours(
            "zone = \"Europe/London\"\nmonday = [\"09:00-12:30\", \"13:30-18:00\"]\nfriday = [\"09:00-18:00\"]\n\
             saturday = [\"10:00-24:00\"]\nholidays = [\"2026-12-25\"]\n",
        )
        .unwrap()
    }

    /// A moment of London's clock.
    fn at(text: &str) -> Timestamp {
        let zoned = text.parse::<jiff::civil::DateTime>().unwrap().in_tz("Europe/London").unwrap();
        Timestamp(zoned.timestamp().as_millisecond())
    }

    fn said(now: &str) -> Option<String> {
        shop().next_opening(at(now)).map(|opening| opening.words)
    }

    #[test]
    fn a_range_holds_its_beginning_and_not_its_end() {
        let shop = shop();
        for (now, open) in [
            ("2026-11-23T08:59", false), // a Monday
            ("2026-11-23T09:00", true),
            ("2026-11-23T12:30", false),
            ("2026-11-23T13:30", true),
            ("2026-11-23T18:00", false),
            ("2026-11-28T23:59", true), // a Saturday
            ("2026-11-29T00:00", false),
            ("2026-12-25T12:00", false), // a Friday, and a holiday
        ] {
            assert_eq!(shop.is_open(at(now)), open, "{now}");
        }
    }

    #[test]
    fn the_next_opening_is_said_as_people_say_it() {
        assert_eq!(said("2026-11-23T07:00").as_deref(), Some("today at 9:00"));
        assert_eq!(said("2026-11-23T12:45").as_deref(), Some("today at 13:30"));
        assert_eq!(said("2026-11-23T10:00"), None, "people are there");
        assert_eq!(said("2026-11-22T23:00").as_deref(), Some("tomorrow at 9:00"));
        assert_eq!(said("2026-11-23T19:00").as_deref(), Some("on Friday at 9:00"));
        // The Friday is a holiday, so the Saturday after it is next.
        assert_eq!(said("2026-12-24T12:00").as_deref(), Some("on Saturday at 10:00"));
    }

    #[test]
    fn a_long_closure_names_the_date() {
        let closed =
            hours("zone = \"Europe/London\"\nmonday = [\"9:00-17:00\"]\nholidays = [\"2026-12-28\"]\n").unwrap();
        let next = closed.next_opening(at("2026-12-21T18:00")).unwrap();
        assert_eq!(next.words, "on Monday, 4 January at 9:00");
        assert_eq!(next.at, at("2027-01-04T09:00"));
    }

    #[test]
    fn hours_follow_summer_time() {
        let shop = shop();
        let winter = shop.next_opening(at("2026-10-24T09:00")).unwrap().at; // the Saturday before the change
        let summer = shop.next_opening(at("2026-10-19T08:00")).unwrap().at;
        assert_eq!(winter, at("2026-10-24T10:00"));
        assert_eq!(summer.0 % 86_400_000, 8 * 3_600_000, "nine in London's summer is eight in UTC");
        let after = shop.next_opening(at("2026-10-26T08:00")).unwrap().at;
        assert_eq!(after.0 % 86_400_000, 9 * 3_600_000);
    }

    #[test]
    fn what_is_no_hours_is_refused_with_its_place() {
        for (text, why) in [
            ("zone = \"Europe/Londn\"\nmonday = [\"9:00-17:00\"]", "no time zone"),
            ("zone = \"UTC\"", "opens on no day"),
            ("zone = \"UTC\"\nmonday = [\"9-17\"]", "no range"),
            ("zone = \"UTC\"\nmonday = [\"17:00-9:00\"]", "no range"),
            ("zone = \"UTC\"\nmonday = [\"9:00-25:00\"]", "no range"),
            ("zone = \"UTC\"\nmonday = [\"9:00-12:00\", \"11:00-13:00\"]", "does not begin after"),
            ("zone = \"UTC\"\nmonday = [\"9:00-24:00\", \"23:00-23:30\"]", "does not begin after"),
            ("zone = \"UTC\"\nmonday = [\"9:00-17:00\"]\nholidays = [\"25 December\"]", "no date"),
            ("zone = \"UTC\"\nmoonday = [\"9:00-17:00\"]", "unknown field"),
        ] {
            let refused = hours(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
