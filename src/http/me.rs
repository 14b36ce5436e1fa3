//! `GET /v1/me`: what is kept of a customer, for the customer. Their token proves who asks.

use super::error::{ApiResult, Problem};
use super::extract::{CustomerUser, Json};
use super::frame::{Reader, event};
use super::rate::Bucket;
use crate::app::Shared;
use crate::chat::rights::{self, Kept, KeptConversation};
use crate::domain::{Profile, TurnRecord};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Answers of all customers together at once, and then one per `REFILL`: each reads whole conversations.
const BURST: u32 = 20;
const REFILL: Duration = Duration::from_millis(500);

/// What customers may still ask of one server.
#[derive(Debug)]
pub(super) struct Asked(Mutex<Bucket>);

impl Default for Asked {
    fn default() -> Self {
        Self(Mutex::new(Bucket::new(BURST, REFILL)))
    }
}

/// All that is kept of whoever holds the token: who they are, what was said, what was read in it and decided about it.
/// What staff noted among themselves is not in it.
///
/// # Errors
/// `not_signed_in` without a token that is known; `too_many`.
pub(super) async fn show(
    State(app): State<Shared>,
    Extension(asked): Extension<Arc<Asked>>,
    customer: CustomerUser,
) -> ApiResult<Response> {
    // The bucket is whole after each step, so a poisoned lock holds a sound one.
    asked.0.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()).map_err(|_| Problem::TooMany)?;
    let kept = rights::everything(&app, customer.visitor).await?;
    let mut response = Json(document(&kept)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
        .insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"candor-my-data.json\""));
    Ok(response)
}

fn document(kept: &Kept) -> Value {
    let browsers = kept.browsers.iter().map(|known| {
        let Profile { name, email, locale, vip, vulnerable, facts } = known.profile().unwrap_or_default();
        json!({
            "id": known.id, "created_at": known.created_at, "business_id": known.external_id,
            "name": name, "email": email, "locale": locale, "vip": vip, "vulnerable": vulnerable, "facts": facts,
            "objected_at": known.objected_at,
        })
    });
    json!({
        "browsers": browsers.collect::<Vec<_>>(),
        "conversations": kept.conversations.iter().map(conversation).collect::<Vec<_>>(),
    })
}

fn conversation(kept: &KeptConversation) -> Value {
    let told = &kept.conversation;
    let ratings = kept.ratings.iter().map(
        |rating| json!({ "survey": rating.kind, "score": rating.score, "comment": rating.comment, "at": rating.at }),
    );
    json!({
        "id": told.id, "state": told.state, "created_at": told.created_at, "closed_at": told.closed_at,
        "locale": told.locale, "page": told.page, "read_up_to": told.customer_read,
        "events": kept.events.iter().map(|entry| event(entry, Reader::Customer)).collect::<Vec<_>>(),
        "readings": kept.turns.iter().map(reading).collect::<Vec<_>>(),
        "ratings": ratings.collect::<Vec<_>>(),
    })
}

/// The signs of leaving are told with the turn that they were weighed after.
fn reading(turn: &TurnRecord) -> Value {
    json!({
        "seq": turn.seq, "at": turn.at, "read_by": turn.source, "mood": turn.mood, "negative": turn.negative,
        "positive": turn.positive, "frustration": turn.frustration, "intent": turn.intent, "action": turn.action,
        "reasons": turn.reasons, "signs_of_leaving": turn.trace.get("churn"),
    })
}
