//! Extractors whose rejections are problem documents, and those that prove who is asking.

use super::error::{ApiError, Problem};
use crate::app::Shared;
use crate::domain::{Agent, Role, VisitorId};
use crate::token;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The session cookie's name.
pub(super) const COOKIE_NAME: &str = "candor_session";

/// A JSON body.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

#[expect(clippy::disallowed_types, reason = "this is the wrapper that the ban asks for")]
impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) if rejection.status().as_u16() == 413 => Err(Problem::TooLarge.into()),
            Err(rejection) => Err(ApiError::new(Problem::BadRequest, rejection.body_text())),
        }
    }
}

impl<T: Serialize> axum::response::IntoResponse for Json<T> {
    fn into_response(self) -> axum::response::Response {
        axum::Json(self.0).into_response()
    }
}

/// The query string.
#[derive(Debug)]
pub(super) struct Query<T>(pub T);

#[expect(clippy::disallowed_types, reason = "this is the wrapper that the ban asks for")]
impl<T: DeserializeOwned> FromRequestParts<Shared> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|query| Self(query.0))
            .map_err(|rejection| ApiError::new(Problem::BadRequest, rejection.body_text()))
    }
}

/// Parts of the path. One that cannot be read names nothing, so it is "not found".
#[derive(Debug)]
pub(super) struct Path<T>(pub T);

#[expect(clippy::disallowed_types, reason = "this is the wrapper that the ban asks for")]
impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|_| Problem::NotFound.into())
    }
}

/// Proof that the request comes from a signed-in member of staff.
#[derive(Clone, Debug)]
pub(super) struct AgentUser {
    /// Who.
    pub agent: Agent,
    /// Hash of the session's token, to end this session or to check it again later.
    pub session: Vec<u8>,
}

impl FromRequestParts<Shared> for AgentUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        let session = token::hash(session_token(&parts.headers).ok_or(Problem::NotSignedIn)?);
        let agent = app.store.session(session.clone(), app.clock.now()).await?.ok_or(Problem::NotSignedIn)?;
        Ok(Self { agent, session })
    }
}

/// Proof that the request comes from a customer's browser: it holds their token.
#[derive(Clone, Copy, Debug)]
pub(super) struct CustomerUser {
    /// Who.
    pub visitor: VisitorId,
}

impl FromRequestParts<Shared> for CustomerUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        let given = parts.headers.get(AUTHORIZATION).and_then(|given| given.to_str().ok()?.strip_prefix("Bearer "));
        let known = app.store.visitor(token::hash(given.ok_or(Problem::NotSignedIn)?)).await?;
        Ok(Self { visitor: known.ok_or(Problem::NotSignedIn)?.id })
    }
}

/// Proof that the request comes from a manager.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manager;

impl FromRequestParts<Shared> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        let user = AgentUser::from_request_parts(parts, app).await?;
        if user.agent.role == Role::Manager { Ok(Self) } else { Err(Problem::Forbidden.into()) }
    }
}

/// Proof that the request was made by one of this server's own pages. Browsers always send Origin
/// with sockets and with requests that change something; one without it is not a browser of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnOrigin;

impl FromRequestParts<Shared> for OwnOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        require_origin(&parts.headers, &app.own_origins).map(|()| Self)
    }
}

/// Proof that the request was made by a page that may embed the widget.
#[derive(Clone, Copy, Debug)]
pub(super) struct WidgetOrigin;

impl FromRequestParts<Shared> for WidgetOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        require_origin(&parts.headers, &app.own_origins)
            .or_else(|_| require_origin(&parts.headers, &app.config.allow_origin))
            .map(|()| Self)
    }
}

fn require_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    let mut origins = headers.get_all(axum::http::header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) => Ok(()),
        _ => Err(Problem::OriginNotAllowed.into()),
    }
}

fn session_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}
