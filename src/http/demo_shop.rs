//! The demo shop's own small API. The bot asks it over HTTP like any shop's system; nothing of
//! candor reads it directly. Dates are told from today, so that the demo never looks stale.

use super::error::{ApiResult, Problem};
use super::extract::{Json, Path};
use crate::app::Shared;
use crate::domain::Timestamp;
use axum::extract::State;
use jiff::civil::{Date, Weekday};
use serde::Serialize;

/// One order, as the shop's system tells it.
#[derive(Debug, Serialize)]
pub(super) struct Order {
    number: &'static str,
    status: &'static str,
    placed_on: String,
    items: &'static [&'static str],
    total: &'static str,
    carrier: Option<&'static str>,
    tracking_url: Option<String>,
    expected_on: Option<String>,
    delivered_on: Option<String>,
    refund: Option<&'static str>,
}

/// What differs between the shop's orders: days are counted from today.
struct Row {
    number: &'static str,
    status: &'static str,
    placed: i64,
    items: &'static [&'static str],
    total: &'static str,
    expected: Option<i64>,
    delivered: Option<i64>,
    refund: Option<&'static str>,
}

const ORDERS: [Row; 6] = [
    Row {
        number: "JT-1042",
        status: "shipped",
        placed: -3,
        items: &["Linen shirt in sage, size M", "Wool socks, pack of 2"],
        total: "£74.00",
        expected: Some(1),
        delivered: None,
        refund: None,
    },
    Row {
        number: "JT-1043",
        status: "processing",
        placed: -1,
        items: &["Corduroy overshirt in rust, size L"],
        total: "£89.00",
        expected: Some(4),
        delivered: None,
        refund: None,
    },
    Row {
        number: "JT-1044",
        status: "delivered",
        placed: -9,
        items: &["Merino jumper in oat, size S"],
        total: "£95.00",
        expected: None,
        delivered: Some(-4),
        refund: None,
    },
    Row {
        number: "JT-1045",
        status: "delayed",
        placed: -8,
        items: &["Waxed jacket in olive, size M"],
        total: "£165.00",
        expected: Some(3),
        delivered: None,
        refund: None,
    },
    Row {
        number: "JT-1046",
        status: "returned",
        placed: -20,
        items: &["Pleated trousers in navy, size 12"],
        total: "£79.00",
        expected: None,
        delivered: Some(-15),
        refund: Some("£79.00"),
    },
    Row {
        number: "JT-1047",
        status: "cancelled",
        placed: -6,
        items: &["Canvas tote"],
        total: "£18.00",
        expected: None,
        delivered: None,
        refund: Some("£18.00"),
    },
];

/// `GET /demo/api/orders/{number}`: one order of the demo shop.
///
/// # Errors
/// `not_found` if the shop has no such order.
pub(super) async fn order(State(app): State<Shared>, Path(number): Path<String>) -> ApiResult<Json<Order>> {
    let row = ORDERS.iter().find(|row| row.number.eq_ignore_ascii_case(&number)).ok_or(Problem::NotFound)?;
    let now = app.clock.now();
    let on_the_way = matches!(row.status, "shipped" | "delayed" | "delivered");
    Ok(Json(Order {
        number: row.number,
        status: row.status,
        placed_on: say_day(now, row.placed),
        items: row.items,
        total: row.total,
        carrier: on_the_way.then_some("Fernway Parcels"),
        tracking_url: on_the_way.then(|| format!("https://fernway-parcels.example/track/{}", row.number)),
        expected_on: row.expected.map(|days| say_day(now, days)),
        delivered_on: row.delivered.map(|days| say_day(now, days)),
        refund: row.refund,
    }))
}

/// A day as a person says it: `Tuesday 24 November`.
fn say_day(now: Timestamp, days: i64) -> String {
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
