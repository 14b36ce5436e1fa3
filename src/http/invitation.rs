//! Invitations to a chat: the list in the loader, the counts and checks that pages ask for, and the
//! manager's figures.

use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Json, Manager, Query, WidgetOrigin};
use super::rate::Bucket;
use super::review::Period;
use crate::app::Shared;
use crate::chat::invitation;
use crate::domain::{Arm, Timestamp, time::DAY_MS};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Requests of all pages together that may come at once, and then one per `REFILL`. Anybody can make
/// them, so a flood must cost neither the database nor the business's system.
const BURST: u32 = 200;
const REFILL: Duration = Duration::from_millis(20);
/// The same for questions to the business's system, by which somebody could try numbers.
const CHECKS: u32 = 30;
const CHECK_REFILL: Duration = Duration::from_millis(500);

/// What pages may still ask of one server.
#[derive(Debug)]
pub(super) struct Limits {
    counts: Mutex<Bucket>,
    checks: Mutex<Bucket>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { counts: Mutex::new(Bucket::new(BURST, REFILL)), checks: Mutex::new(Bucket::new(CHECKS, CHECK_REFILL)) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Due {
    trigger: String,
    arm: Arm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    trigger: String,
    number: String,
}

/// `POST /v1/invitations`: an invitation was due on a page. The body is JSON, sent as `text/plain` so that
/// a browser needs no second request to ask whether it may.
///
/// # Errors
/// `origin_not_allowed`; `bad_request`; `not_found` for an unknown trigger; `too_many`.
pub(super) async fn count(
    _origin: WidgetOrigin,
    State(app): State<Shared>,
    Extension(limits): Extension<Arc<Limits>>,
    body: String,
) -> ApiResult<StatusCode> {
    take(&limits.counts)?;
    let Due { trigger, arm } = read(&body)?;
    if invitation::count(&app, &trigger, arm).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::NotFound.into())
    }
}

/// `POST /v1/invitations/check`: does the business's system say of this number what the trigger waits
/// for? The answer is `{"due": true}` or `{"due": false}` and nothing else.
///
/// # Errors
/// `origin_not_allowed`; `bad_request`; `not_found` for a trigger that asks for nothing; `too_many`.
pub(super) async fn check(
    _origin: WidgetOrigin,
    State(app): State<Shared>,
    Extension(limits): Extension<Arc<Limits>>,
    headers: axum::http::HeaderMap,
    body: String,
) -> ApiResult<Response> {
    take(&limits.checks)?;
    let Question { trigger, number } = read(&body)?;
    let due = invitation::check(&app, &trigger, &number).await.ok_or(Problem::NotFound)?;
    let mut response = Json(json!({ "due": due })).into_response();
    let kept = response.headers_mut();
    kept.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The origin is on the list by now, so its page may read the answer.
    if let Some(origin) = headers.get(header::ORIGIN) {
        kept.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        kept.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    Ok(response)
}

/// `GET /v1/invitations`: figures by trigger of the last days, today included, by UTC day. No further
/// back than conversations are kept, or counts would stand against deleted ones.
///
/// # Errors
/// `not_signed_in`, `forbidden`.
pub(super) async fn figures(
    _manager: Manager,
    State(app): State<Shared>,
    Query(period): Query<Period>,
) -> ApiResult<Json<Value>> {
    let kept = i64::from(app.prompts().policy().privacy.keep_days);
    let days = period.days.unwrap_or(7).clamp(1, kept.min(366));
    let today = app.clock.now().day();
    let (from, to) = (Timestamp((today - days + 1) * DAY_MS), Timestamp((today + 1) * DAY_MS));
    let triggers = invitation::figures(&app, from, to).await?;
    Ok(Json(json!({ "days": days, "from": from, "to": to, "triggers": triggers, "definition": DEFINITION })))
}

/// What the table means, in the words that the page shows.
const DEFINITION: &str = "Visits in which an invitation was due: shown, or held out by lot for comparison. The \
    difference is the share of visits with a conversation, shown less held out, with a 95 % interval (Newcombe's \
    hybrid score). It is told from 100 visits in each arm and 10 conversations on. Visitors who ask not to be \
    tracked are not counted.";

fn read<'a, T: Deserialize<'a>>(body: &'a str) -> ApiResult<T> {
    serde_json::from_str(body).map_err(|error| ApiError::new(Problem::BadRequest, error.to_string()))
}

fn take(bucket: &Mutex<Bucket>) -> ApiResult<()> {
    // One step under the lock: a poisoned one holds a sound bucket.
    let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
    bucket.take(Instant::now()).map_err(|_| Problem::TooMany.into())
}
