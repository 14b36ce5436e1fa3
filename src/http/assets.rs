//! The three faces, embedded in the program. Files under `/assets/<build>/` never change for a
//! build, so browsers keep them; the loader and the pages name the current build.

use super::error::{ApiResult, Problem};
use super::extract::Path;
use crate::app::Shared;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/widget"]
struct Widget;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/console"]
struct Console;

/// What pages and the loader say instead of the build.
const BUILD_MARK: &str = "__BUILD__";
/// What the loader says, as a string, instead of the triggers.
const TRIGGERS_MARK: &str = "\"__TRIGGERS__\"";

/// Identity of all assets together.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, file) in Widget::iter()
        .filter_map(|name| Some((name.clone(), Widget::get(&name)?)))
        .chain(Console::iter().filter_map(|name| Some((name.clone(), Console::get(&name)?))))
    {
        hash.update(name.as_bytes());
        hash.update(file.metadata.sha256_hash());
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// Pages run only our own files, and nobody may frame them.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self' ws: wss:; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// `GET /widget.js`: the loader that a site embeds, with the triggers of invitations in it, so that no
/// further request is needed to know them. Checked again every few minutes, because it names the build.
///
/// # Errors
/// `not_found` if the program was built without it.
pub(super) async fn loader(State(app): State<Shared>) -> ApiResult<Response> {
    let file = Widget::get("loader.js").ok_or(Problem::NotFound)?;
    let triggers = serde_json::to_string(app.prompts().triggers()).map_err(|_| Problem::Internal)?;
    let script = String::from_utf8_lossy(&file.data).replace(BUILD_MARK, &BUILD).replace(TRIGGERS_MARK, &triggers);
    Ok(with_headers(
        Bytes::from(script),
        "text/javascript; charset=utf-8",
        &[
            (header::CACHE_CONTROL, "public, max-age=300"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        ],
    ))
}

/// `GET /assets/{build}/{*path}`: a file of the widget or the console.
///
/// # Errors
/// `not_found`.
pub(super) async fn file(Path((build, path)): Path<(String, String)>) -> ApiResult<Response> {
    let found = match path.split_once('/') {
        Some(("widget", name)) => Widget::get(name),
        Some(("console", name)) => Console::get(name),
        _ => None,
    };
    let file = found.ok_or(Problem::NotFound)?;
    // A page of an older build still works, but its files are not those that it was tested with.
    let kept = if build == *BUILD { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(with_headers(
        Bytes::from(file.data.into_owned()),
        content_type(&path),
        &[
            (header::CACHE_CONTROL, kept),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        ],
    ))
}

/// `GET /desk/`: the console.
///
/// # Errors
/// `not_found` if the program was built without it.
pub(super) async fn console() -> ApiResult<Response> {
    page(Console::get("index.html"))
}

/// `GET /demo/`: the demo shop.
///
/// # Errors
/// `not_found` if the program was built without it.
pub(super) async fn shop() -> ApiResult<Response> {
    page(Widget::get("demo/index.html"))
}

/// `GET /desk` and `GET /demo`: to the address with the slash.
pub(super) async fn with_slash(uri: axum::http::Uri) -> Redirect {
    Redirect::permanent(&format!("{}/", uri.path()))
}

fn page(file: Option<EmbeddedFile>) -> ApiResult<Response> {
    let file = file.ok_or(Problem::NotFound)?;
    Ok(with_headers(
        marked(&file),
        "text/html; charset=utf-8",
        &[(header::CACHE_CONTROL, "no-cache"), (header::CONTENT_SECURITY_POLICY, PAGE_POLICY)],
    ))
}

fn marked(file: &EmbeddedFile) -> Bytes {
    Bytes::from(String::from_utf8_lossy(&file.data).replace(BUILD_MARK, &BUILD))
}

fn with_headers(body: Bytes, kind: &'static str, headers: &[(HeaderName, &'static str)]) -> Response {
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, kind)], body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
    }
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
