//! Days as the shop says them, counted from today so that the demo never looks stale.

use crate::domain::Timestamp;
use crate::domain::calendar::{day_name, month_name};
use jiff::civil::Date;

/// A day as a person says it: `Tuesday 24 November`.
pub(super) fn say_day(now: Timestamp, days: i64) -> String {
    let span = jiff::Span::new().try_days(now.day() + days);
    let Ok(date) = span.and_then(|span| Date::constant(1970, 1, 1).checked_add(span)) else { return String::new() };
    format!("{} {} {}", day_name(date.weekday()), date.day(), month_name(date.month()))
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
