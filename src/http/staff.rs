//! Sessions and accounts of staff.

use super::error::{ApiError, ApiResult, Problem};
use super::extract::{AgentUser, COOKIE_NAME, Json, Manager, OwnOrigin, Path, Query};
use crate::app::{App, Shared};
use crate::chat::accounts::{self, Application, SESSION, Session};
use crate::domain::{Agent, AgentId, Presence, Role};
use crate::store::AgentUpdate;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A sign-in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

/// The first manager.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUp {
    token: String,
    name: String,
    email: String,
    password: String,
}

/// A one-time token to look at.
#[derive(Deserialize)]
pub(super) struct Token {
    token: String,
}

/// A new account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    email: String,
    name: String,
    role: Role,
    password: String,
}

/// A change to an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountChange {
    active: Option<bool>,
    role: Option<Role>,
    name: Option<String>,
    password: Option<String>,
}

#[derive(Serialize)]
struct Account {
    #[serde(flatten)]
    agent: Agent,
    presence: Presence,
}

type SignedIn = ([(HeaderName, String); 1], Json<Value>);

/// `POST /v1/session`: signs in.
///
/// # Errors
/// `wrong_credentials`.
pub(super) async fn sign_in(
    _origin: OwnOrigin,
    State(app): State<Shared>,
    Json(form): Json<Credentials>,
) -> ApiResult<SignedIn> {
    Ok(signed_in(&app, accounts::sign_in(&app, &form.email, form.password).await?))
}

/// `GET /v1/session`: who is signed in.
///
/// # Errors
/// `not_signed_in`.
pub(super) async fn show_session(user: AgentUser) -> Json<Value> {
    Json(json!({ "agent": user.agent }))
}

/// `DELETE /v1/session`: signs out.
///
/// # Errors
/// `not_signed_in`.
pub(super) async fn sign_out(
    _origin: OwnOrigin,
    user: AgentUser,
    State(app): State<Shared>,
) -> ApiResult<(StatusCode, [(HeaderName, String); 1])> {
    app.store.end_session(user.session).await?;
    // This session's open desks end with it.
    app.bus.publish(&crate::bus::Signal::Rights(user.agent.id));
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie(&app, "", 0))]))
}

/// `GET /v1/setup`: whether the one-time link is good.
///
/// # Errors
/// `not_found` if it is not.
pub(super) async fn show_setup(State(app): State<Shared>, Query(query): Query<Token>) -> ApiResult<Json<Value>> {
    let good = accounts::is_setup_token(&app, &query.token).await?;
    if good { Ok(Json(json!({}))) } else { Err(Problem::NotFound.into()) }
}

/// `POST /v1/setup`: makes the first manager.
///
/// # Errors
/// `wrong_credentials` for a used or wrong link; `invalid` with the field.
pub(super) async fn set_up(
    _origin: OwnOrigin,
    State(app): State<Shared>,
    Json(form): Json<SetUp>,
) -> ApiResult<SignedIn> {
    let application = Application { email: form.email, name: form.name, role: Role::Manager, password: form.password };
    Ok(signed_in(&app, accounts::set_up(&app, &form.token, application).await?))
}

/// `GET /v1/agents`: all accounts.
///
/// # Errors
/// `not_signed_in`, `forbidden`.
pub(super) async fn list(_manager: Manager, State(app): State<Shared>) -> ApiResult<Json<Value>> {
    let agents = app.store.agents().await?;
    let accounts: Vec<Account> =
        agents.into_iter().map(|agent| Account { presence: app.desk.presence(agent.id), agent }).collect();
    Ok(Json(json!({ "agents": accounts })))
}

/// `POST /v1/agents`: makes an account.
///
/// # Errors
/// `invalid` with the field; `conflict` if the e-mail is taken.
pub(super) async fn create(
    _origin: OwnOrigin,
    _manager: Manager,
    State(app): State<Shared>,
    Json(form): Json<NewAccount>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let application = Application { email: form.email, name: form.name, role: form.role, password: form.password };
    let agent = accounts::create(&app, application).await?;
    Ok((StatusCode::CREATED, Json(json!({ "agent": agent }))))
}

/// `PATCH /v1/agents/{id}`: changes an account. Its sessions end if its rights change.
///
/// # Errors
/// `not_found`; `conflict` if nobody could manage any more; `invalid`.
pub(super) async fn change(
    _origin: OwnOrigin,
    _manager: Manager,
    State(app): State<Shared>,
    Path(id): Path<AgentId>,
    Json(form): Json<AccountChange>,
) -> ApiResult<Json<Value>> {
    let update = AgentUpdate { active: form.active, role: form.role, name: form.name, password_hash: None };
    accounts::change(&app, id, update, form.password).await.map_err(|error| match error {
        crate::chat::Error::Store(crate::store::Error::Conflict) => {
            ApiError::new(Problem::Conflict, "there must be at least one manager")
        }
        other => other.into(),
    })?;
    let agent = app.store.agent(id).await?.ok_or(Problem::NotFound)?;
    Ok(Json(json!({ "agent": agent })))
}

fn signed_in(app: &App, session: Session) -> SignedIn {
    let header = (SET_COOKIE, cookie(app, &session.token, SESSION.as_secs()));
    ([header], Json(json!({ "agent": session.agent })))
}

fn cookie(app: &App, token: &str, seconds: u64) -> String {
    let secure = if app.origin.starts_with("https://") { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}
