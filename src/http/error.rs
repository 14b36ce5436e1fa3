//! The one table of problem codes and the one place that turns an error into an HTTP answer
//! (RFC 9457 problem documents). A 5xx carries no detail and is logged here, once.

use crate::{chat, store};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Every problem that the HTTP side answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Malformed or missing input.
    BadRequest,
    /// No session, or an expired one.
    NotSignedIn,
    /// Wrong e-mail or password.
    WrongCredentials,
    /// The role does not allow it.
    Forbidden,
    /// The page's origin is not on the list.
    OriginNotAllowed,
    /// No such thing (or not for this caller).
    NotFound,
    /// It contradicts what is stored.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// A field has a value that cannot be taken.
    Invalid,
    /// Too many attempts or sockets.
    TooMany,
    /// Something failed on this side.
    Internal,
    /// Storage does not take writes now.
    Unavailable,
}

/// The table: code, status, title.
pub(super) const PROBLEMS: [(Problem, &str, StatusCode, &str); 12] = [
    (Problem::BadRequest, "bad_request", StatusCode::BAD_REQUEST, "The request cannot be read"),
    (Problem::NotSignedIn, "not_signed_in", StatusCode::UNAUTHORIZED, "Sign in first"),
    (Problem::WrongCredentials, "wrong_credentials", StatusCode::UNAUTHORIZED, "E-mail or password is wrong"),
    (Problem::Forbidden, "forbidden", StatusCode::FORBIDDEN, "Your role does not allow this"),
    (Problem::OriginNotAllowed, "origin_not_allowed", StatusCode::FORBIDDEN, "This page may not connect"),
    (Problem::NotFound, "not_found", StatusCode::NOT_FOUND, "There is nothing here"),
    (Problem::Conflict, "conflict", StatusCode::CONFLICT, "This contradicts what is stored"),
    (Problem::TooLarge, "too_large", StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
    (Problem::Invalid, "invalid", StatusCode::UNPROCESSABLE_ENTITY, "A value cannot be taken"),
    (Problem::TooMany, "too_many", StatusCode::TOO_MANY_REQUESTS, "Too many at once"),
    (Problem::Internal, "internal", StatusCode::INTERNAL_SERVER_ERROR, "Something failed on our side"),
    (Problem::Unavailable, "unavailable", StatusCode::SERVICE_UNAVAILABLE, "Not available for the moment"),
];

impl Problem {
    fn row(self) -> (&'static str, StatusCode, &'static str) {
        PROBLEMS
            .iter()
            .find(|row| row.0 == self)
            .map_or(("internal", StatusCode::INTERNAL_SERVER_ERROR, ""), |row| (row.1, row.2, row.3))
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FieldError {
    /// The field's name in the request.
    pub field: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

/// An error on its way out.
#[derive(Debug)]
pub(super) struct ApiError {
    problem: Problem,
    detail: Option<String>,
    errors: Vec<FieldError>,
}

/// Result of a handler.
pub(super) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A problem with a sentence for people.
    pub(super) fn new(problem: Problem, detail: impl Into<String>) -> Self {
        Self { problem, detail: Some(detail.into()), errors: Vec::new() }
    }

    /// One field that cannot be taken.
    pub(super) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self { problem: Problem::Invalid, detail: None, errors: vec![FieldError { field, message: message.into() }] }
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem, detail: None, errors: Vec::new() }
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound => Problem::NotFound.into(),
            store::Error::Conflict | store::Error::Closed | store::Error::NotOwner | store::Error::Exists(_) => {
                Self::new(Problem::Conflict, error.to_string())
            }
            store::Error::Busy => Problem::Unavailable.into(),
            store::Error::OldSqlite(_)
            | store::Error::OtherSchema { .. }
            | store::Error::Address(_)
            | store::Error::Unfit(_)
            | store::Error::File(_)
            | store::Error::Database(_)
            | store::Error::Migrate(_) => {
                tracing::error!(%error, "a request failed in storage");
                Problem::Internal.into()
            }
        }
    }
}

impl From<chat::Error> for ApiError {
    fn from(error: chat::Error) -> Self {
        match error {
            chat::Error::Store(error) => error.into(),
            chat::Error::WrongCredentials => Problem::WrongCredentials.into(),
            chat::Error::Field(field, message) => Self::field(field, message),
            chat::Error::Text(error) => Self::field("text", error.to_string()),
            chat::Error::Random(error) => {
                tracing::error!(%error, "no randomness");
                Problem::Internal.into()
            }
            chat::Error::IdentityRequired => Problem::NotSignedIn.into(),
            chat::Error::Files(_) => {
                tracing::error!(%error, "an attached file could not be written or read");
                Problem::Unavailable.into()
            }
            chat::Error::Hash => Problem::Internal.into(),
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, status, title) = self.problem.row();
        let document = Document {
            r#type: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            detail: self.detail,
            errors: self.errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

/// `GET /problems/{code}`: what a code means, for people who follow a document's `type`.
pub(super) async fn explain(super::extract::Path(code): super::extract::Path<String>) -> ApiResult<String> {
    PROBLEMS
        .iter()
        .find(|row| row.1 == code)
        .map(|row| format!("{} ({}): {}\n", row.1, row.2.as_u16(), row.3))
        .ok_or_else(|| Problem::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::{PROBLEMS, Problem};
    use std::collections::HashSet;

    #[test]
    fn every_code_is_unique_and_found() {
        let codes: HashSet<_> = PROBLEMS.iter().map(|row| row.1).collect();
        assert_eq!(codes.len(), PROBLEMS.len());
        assert_eq!(Problem::TooMany.row().0, "too_many");
    }
}
