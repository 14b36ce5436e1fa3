//! Orders of the demo shop.

use super::day::say_day;
use super::fault::Fault;
use super::returns::Returns;
use crate::app::Shared;
use crate::domain::Timestamp;
use crate::http::error::{ApiError, Problem};
use crate::http::extract::{Json, Path};
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use std::sync::Arc;

/// One order, as the shop's system tells it.
#[derive(Debug, Serialize)]
struct Order {
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
    /// What can go back and is not on its way yet.
    returnable: Vec<&'static str>,
    /// `open`, `not_delivered`, `returned`, `cancelled`.
    return_state: &'static str,
}

/// What differs between the shop's orders: days are counted from today.
pub(super) struct Row {
    pub(super) number: &'static str,
    status: &'static str,
    placed: i64,
    pub(super) items: &'static [&'static str],
    total: &'static str,
    expected: Option<i64>,
    delivered: Option<i64>,
    refund: Option<&'static str>,
}

impl Row {
    pub(super) fn is_delivered(&self) -> bool {
        self.status == "delivered"
    }
}

/// The orders that there are. Those from JT-1090 answer wrongly in some way: see `fault.rs`.
static ORDERS: [Row; 10] = [
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
    Row {
        number: "JT-1048",
        status: "delivered",
        placed: -7,
        items: &[
            "Orchard wrap dress in clay, size 12",
            "Fieldfare cords in bracken, size 14",
            "Staithe scarf in river blue",
        ],
        total: "£236.00",
        expected: None,
        delivered: Some(-2),
        refund: None,
    },
    Row {
        number: "JT-1097",
        status: "delivered",
        placed: -6,
        items: &["Linen shirt in sage, size L"],
        total: "£62.00",
        expected: None,
        delivered: Some(-3),
        refund: None,
    },
    Row {
        number: "JT-1098",
        status: "delivered",
        placed: -6,
        items: &["Linen shirt in sage, size L"],
        total: "£62.00",
        expected: None,
        delivered: Some(-3),
        refund: None,
    },
    Row {
        number: "JT-1099",
        status: "delivered",
        placed: -6,
        items: &["Linen shirt in sage, size L"],
        total: "£62.00",
        expected: None,
        delivered: Some(-3),
        refund: None,
    },
];

/// One of them, however its number is written.
pub(super) fn find(number: &str) -> Option<&'static Row> {
    ORDERS.iter().find(|row| row.number.eq_ignore_ascii_case(number))
}

/// `GET /demo/api/orders/{number}`: one order of the demo shop; `not_found` if it has no such order.
pub(in crate::http) async fn show(
    State(app): State<Shared>,
    Extension(returns): Extension<Arc<Returns>>,
    Path(number): Path<String>,
) -> Response {
    if let Some(fault) = Fault::of_order(&number) {
        return fault.answer().await;
    }
    match find(&number) {
        Some(row) => Json(tell(row, &returns, app.clock.now())).into_response(),
        None => ApiError::from(Problem::NotFound).into_response(),
    }
}

fn tell(row: &'static Row, returns: &Returns, now: Timestamp) -> Order {
    let on_the_way = matches!(row.status, "shipped" | "delayed" | "delivered");
    let open = |item: &&&'static str| row.is_delivered() && !returns.has(row.number, item, now);
    let returnable: Vec<&'static str> = row.items.iter().filter(open).copied().collect();
    let return_state = match row.status {
        "delivered" if !returnable.is_empty() => "open",
        "delivered" | "returned" => "returned",
        "cancelled" => "cancelled",
        _ => "not_delivered",
    };
    Order {
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
        returnable,
        return_state,
    }
}
