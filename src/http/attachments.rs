//! `PUT /v1/conversations/{conversation}/attachments/{id}` and `GET /v1/attachments/{id}`: customers' files, in and out.
//! Files go out as downloads alone: no page of this server shows one as a document.

use super::error::{ApiError, ApiResult, Problem};
use super::extract::{AgentUser, CustomerUser, Json, OwnOrigin, Path, Query};
use super::rate::VisitorRates;
use crate::app::Shared;
use crate::chat::attachments::{self, MAX_BYTES};
use crate::domain::ConversationId;
use axum::Extension;
use axum::body::to_bytes;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

/// Files that are taken, and that are given, at a time: each is in memory as a whole.
const AT_ONCE: usize = 8;

/// Room for files in memory: for those that come, and apart from it, because they may come slowly, for those that go.
#[derive(Debug)]
pub(super) struct Room {
    coming: Semaphore,
    going: Semaphore,
}

impl Default for Room {
    fn default() -> Self {
        Self { coming: Semaphore::new(AT_ONCE), going: Semaphore::new(AT_ONCE) }
    }
}

/// What the customer calls the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: String,
}

/// Takes a file; its `id` is the client's, and makes a second try harmless.
///
/// # Errors
/// `not_signed_in`; `not_found` for a conversation that is not theirs, or where no files are taken; `too_large`;
/// `invalid` for what is no picture and no PDF; `conflict` if the conversation is closed; `too_many`; `unavailable`.
pub(super) async fn put(
    _own: OwnOrigin,
    customer: CustomerUser,
    State(app): State<Shared>,
    (Extension(room), Extension(rates)): (Extension<Arc<Room>>, Extension<Arc<VisitorRates>>),
    Path((conversation, id)): Path<(ConversationId, Uuid)>,
    Query(Named { name }): Query<Named>,
    request: Request,
) -> ApiResult<Response> {
    let theirs = app.store.conversation(conversation).await?;
    if app.attachments.is_none() || theirs.is_none_or(|theirs| theirs.visitor_id != customer.visitor) {
        return Err(Problem::NotFound.into());
    }
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > MAX_BYTES) {
        return Err(Problem::TooLarge.into());
    }
    rates.take(customer.visitor, Instant::now()).map_err(|_| Problem::TooMany)?;
    let _place = room.coming.try_acquire().map_err(|_| Problem::Unavailable)?;
    let bytes = to_bytes(request.into_body(), MAX_BYTES).await.map_err(|_| ApiError::from(Problem::TooLarge))?;
    let appended = attachments::attach(&app, conversation, id, &name, bytes.into()).await?;
    Ok(Json(json!({ "seq": appended.seq, "at": appended.at })).into_response())
}

/// A file, for the customer whose it is and for staff.
///
/// # Errors
/// `not_signed_in`; `not_found`; `unavailable`.
pub(super) async fn show(
    State(app): State<Shared>,
    Extension(room): Extension<Arc<Room>>,
    Path(id): Path<Uuid>,
    request: Request,
) -> ApiResult<Response> {
    let (mut parts, _) = request.into_parts();
    let found = if parts.headers.contains_key(header::AUTHORIZATION) {
        let customer = CustomerUser::from_request_parts(&mut parts, &app).await?;
        app.store.attachment_of(customer.visitor, id).await?
    } else {
        AgentUser::from_request_parts(&mut parts, &app).await?;
        app.store.attachment(id).await?
    };
    let attachment = found.ok_or(Problem::NotFound)?;
    let _place = room.going.acquire().await.map_err(|_| Problem::Unavailable)?;
    let mut response = attachments::read(&app, id).await?.into_response();
    let name = utf8_percent_encode(&attachment.name, NON_ALPHANUMERIC);
    let disposition = format!("attachment; filename=\"file.{}\"; filename*=UTF-8''{name}", attachment.kind.ending());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(attachment.kind.media_type()));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).map_err(|_| ApiError::from(Problem::Internal))?,
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
    );
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    Ok(response)
}
