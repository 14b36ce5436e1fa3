//! Returns of the demo shop: three that are always there, and those that customers start, which are
//! kept in memory for a day.

use super::day::say_day;
use super::fault::{self, Fault};
use super::orders;
use crate::app::Shared;
use crate::domain::Timestamp;
use crate::http::error::{ApiError, ApiResult, Problem};
use crate::http::extract::{Json, Path};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a started return is remembered, in milliseconds: a demo's orders can be tried again the next day.
const REMEMBERED: i64 = 24 * 60 * 60 * 1000;
/// The number before the first one.
const BEFORE_FIRST: u32 = 5000;
/// Days in which the parcel has to be handed in.
const HAND_IN: i64 = 14;
/// Longest idempotency key.
const LONGEST_KEY: usize = 200;
/// Why something goes back. What a customer's words become: lower case, `_` for blanks.
const REASONS: [&str; 6] = ["too_big", "too_small", "not_as_described", "faulty", "changed_mind", "changed_my_mind"];

/// Returns that customers started.
#[derive(Debug, Default)]
pub(in crate::http) struct Returns(Mutex<Started>);

#[derive(Debug, Default)]
struct Started {
    count: u32,
    kept: Vec<OneReturn>,
}

#[derive(Clone, Debug)]
struct OneReturn {
    number: String,
    key: String,
    request: Request,
    item: &'static str,
    order: &'static str,
    at: Timestamp,
}

/// What starts a return.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Request {
    order_number: String,
    item: String,
    reason: String,
}

/// A return, as the shop's system tells it.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Told {
    number: String,
    /// `label_made`, `received`, `refunded`.
    status: &'static str,
    order_number: &'static str,
    item: &'static str,
    label_url: String,
    drop_off: &'static str,
    send_by: Option<String>,
    received_on: Option<String>,
    refunded_on: Option<String>,
}

/// Number, order, item, and the days of label, arrival and refund, counted from today.
type Settled = (&'static str, &'static str, &'static str, i64, Option<i64>, Option<i64>);

/// Those that are always there.
const SETTLED: [Settled; 3] = [
    ("RT-4001", "JT-1031", "Fieldfare cords in bracken, size 14", -2, None, None),
    ("RT-4002", "JT-1035", "Staithe scarf in river blue", -6, Some(-1), None),
    ("RT-4003", "JT-1046", "Pleated trousers in navy, size 12", -14, Some(-9), Some(-6)),
];

impl Returns {
    /// True if this item of this order is on its way back.
    pub(super) fn has(&self, order: &str, item: &str, now: Timestamp) -> bool {
        self.started(now).kept.iter().any(|one| one.order == order && one.item == item)
    }

    /// Nothing is left half done under the lock, so a poisoned one holds sound returns.
    fn started(&self, now: Timestamp) -> MutexGuard<'_, Started> {
        let mut started = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        started.kept.retain(|one| now.0 - one.at.0 < REMEMBERED);
        started
    }

    /// Starts a return, or gives the one that was started with this key.
    fn start(&self, key: &str, request: Request, now: Timestamp) -> ApiResult<OneReturn> {
        let order = orders::find(&request.order_number).ok_or(Problem::NotFound)?;
        let mut started = self.started(now);
        if let Some(one) = started.kept.iter().find(|one| one.key == key) {
            let same = one.request == request;
            let other = || ApiError::field("idempotency-key", "it was used for another return");
            return same.then(|| one.clone()).ok_or_else(other);
        }
        if !REASONS.contains(&code(&request.reason).as_str()) {
            return Err(ApiError::field("reason", format!("one of {}", REASONS.join(", "))));
        }
        if !order.is_delivered() {
            return Err(ApiError::new(Problem::Conflict, "the order has not been delivered"));
        }
        let item = order.items.iter().find(|item| item.eq_ignore_ascii_case(request.item.trim()));
        let item = *item.ok_or_else(|| ApiError::new(Problem::Conflict, "the order holds no such item"))?;
        if started.kept.iter().any(|one| one.order == order.number && one.item == item) {
            return Err(ApiError::new(Problem::Conflict, "this item is on its way back already"));
        }
        started.count += 1;
        let number = format!("RT-{}", BEFORE_FIRST + started.count);
        let one = OneReturn { number, key: key.to_owned(), request, item, order: order.number, at: now };
        started.kept.push(one.clone());
        Ok(one)
    }

    fn find(&self, number: &str, now: Timestamp) -> Option<Told> {
        let started = self.started(now).kept.iter().find(|one| one.number.eq_ignore_ascii_case(number)).map(|one| {
            let days_ago = one.at.day() - now.day();
            tell(&one.number, one.order, one.item, now, days_ago, None, None)
        });
        let settled = || {
            let (number, order, item, made, received, refunded) =
                *SETTLED.iter().find(|row| row.0.eq_ignore_ascii_case(number))?;
            Some(tell(number, order, item, now, made, received, refunded))
        };
        started.or_else(settled)
    }
}

/// A customer's words as a code.
fn code(words: &str) -> String {
    let words = words.split(|sign: char| !sign.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

fn tell(
    number: &str,
    order_number: &'static str,
    item: &'static str,
    now: Timestamp,
    made: i64,
    received: Option<i64>,
    refunded: Option<i64>,
) -> Told {
    let status = match (received, refunded) {
        (_, Some(_)) => "refunded",
        (Some(_), None) => "received",
        (None, None) => "label_made",
    };
    Told {
        number: number.to_owned(),
        status,
        order_number,
        item,
        label_url: format!("https://juniperandthread.example/returns/{number}"),
        drop_off: "any Fernway Parcels point",
        send_by: received.is_none().then(|| say_day(now, made + HAND_IN)),
        received_on: received.map(|days| say_day(now, days)),
        refunded_on: refunded.map(|days| say_day(now, days)),
    }
}

/// `POST /demo/api/returns`: starts a return of one item. The same `Idempotency-Key` starts none again.
///
/// # Errors
/// `bad_request` without a key; `not_found` for the order; `conflict` if the order was not delivered, the item is not in
/// it or on its way back; `invalid` for an unknown reason or a key of another return.
pub(in crate::http) async fn start(
    State(app): State<Shared>,
    Extension(returns): Extension<Arc<Returns>>,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> ApiResult<Response> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY);
    let key =
        key.ok_or_else(|| ApiError::new(Problem::BadRequest, "Idempotency-Key is needed, 1 to 200 characters"))?;
    let fault = Fault::of_return(&request.order_number);
    if let Some(fault) = fault.filter(|fault| *fault != Fault::Slow) {
        return Ok(fault.answer().await);
    }
    let now = app.clock.now();
    let one = returns.start(key, request, now)?;
    if fault.is_some() {
        fault::wait().await;
    }
    let told = tell(&one.number, one.order, one.item, now, 0, None, None);
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// `GET /demo/api/returns/{number}`: one return.
///
/// # Errors
/// `not_found` if there is none.
pub(in crate::http) async fn show(
    State(app): State<Shared>,
    Extension(returns): Extension<Arc<Returns>>,
    Path(number): Path<String>,
) -> ApiResult<Json<Told>> {
    Ok(Json(returns.find(&number, app.clock.now()).ok_or(Problem::NotFound)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_305_600_000);

    fn request(order_number: &str, item: &str, reason: &str) -> Request {
        Request { order_number: order_number.into(), item: item.into(), reason: reason.into() }
    }

    #[test]
    fn a_key_starts_one_return_and_belongs_to_it() {
        let returns = Returns::default();
        let jumper = || request("jt-1044", "merino jumper in oat, size s", "Too small");
        let first = returns.start("a", jumper(), NOW).unwrap();
        assert_eq!((first.number.as_str(), first.order), ("RT-5001", "JT-1044"));
        assert_eq!(returns.start("a", jumper(), NOW).unwrap().number, "RT-5001");
        assert!(returns.start("a", request("JT-1048", "Staithe scarf in river blue", "faulty"), NOW).is_err());
        assert!(returns.start("b", jumper(), NOW).is_err(), "on its way back already");
        assert_eq!(returns.find("rt-5001", NOW).unwrap().status, "label_made");
        assert!(returns.find("RT-5002", NOW).is_none());
    }

    #[test]
    fn what_cannot_go_back_is_refused() {
        let returns = Returns::default();
        for (order, item, reason) in [
            ("JT-1042", "Wool socks, pack of 2", "faulty"),
            ("JT-1043", "Corduroy overshirt in rust, size L", "faulty"),
            ("JT-1046", "Pleated trousers in navy, size 12", "faulty"),
            ("JT-1047", "Canvas tote", "faulty"),
            ("JT-1044", "Canvas tote", "faulty"),
            ("JT-1044", "Merino jumper in oat, size S", "bored"),
            ("JT-9999", "Canvas tote", "faulty"),
        ] {
            assert!(returns.start("k", request(order, item, reason), NOW).is_err(), "{order} {item} {reason}");
        }
        for (key, reason) in
            ["Too big", "too-small", "NOT AS DESCRIBED", "faulty", "Changed my mind"].iter().enumerate()
        {
            assert!(REASONS.contains(&code(reason).as_str()), "{key} {reason}");
        }
    }

    #[test]
    fn a_started_return_is_forgotten_after_a_day() {
        let returns = Returns::default();
        let scarf = || request("JT-1048", "Staithe scarf in river blue", "changed my mind");
        returns.start("a", scarf(), NOW).unwrap();
        assert!(returns.has("JT-1048", "Staithe scarf in river blue", NOW));
        let later = Timestamp(NOW.0 + REMEMBERED);
        assert!(!returns.has("JT-1048", "Staithe scarf in river blue", later));
        assert_eq!(returns.start("a", scarf(), later).unwrap().number, "RT-5002", "a number is used once");
    }
}
