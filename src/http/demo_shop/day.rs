//! Days as the shop says them, counted from today so that the demo never looks stale.

use crate::domain::Timestamp;
use jiff::civil::{Date, Weekday};

/// A day as a person says it: `Tuesday 24 November`.
pub(super) fn say_day(now: Timestamp, days: i64) -> String {
    let span = jiff::Span::new().try_days(now.day() + days);
    let Ok(date) = span.and_then(|span| Date::constant(1970, 1, 1).checked_add(span)) else { return String::new() };
    let weekday = match date.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let month = usize::try_from(date.month() - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"");
    format!("{weekday} {} {month}", date.day())
}

#[cfg(test)]
mod tests {
    use super::say_day;
    use crate::domain::Timestamp;

    #[test]
    fn days_are_said_as_people_say_them() {
        let now = Timestamp(1_795_305_600_000); // 2026-11-22T00:00:00Z, a Sunday
        assert_eq!(say_day(now, 0), "Sunday 22 November");
        assert_eq!(say_day(now, 2), "Tuesday 24 November");
        assert_eq!(say_day(now, -22), "Saturday 31 October");
    }
}
