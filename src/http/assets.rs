//! The three faces, embedded in the program. Files under `/assets/<build>/` never change for a
//! build, so browsers keep them; the loader and the pages name the current build.

use super::error::{ApiResult, Problem};
use super::extract::{Path, Query};
use super::install::{self, Seen, Step};
use super::script;
use crate::app::Shared;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/widget"]
struct Widget;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/console"]
struct Console;

/// What pages and the loader say instead of the build.
const BUILD_MARK: &str = "__BUILD__";

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
    connect-src 'self' ws: wss:; font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The chat runs only our own files, on whichever site is allowed to embed it: who else frames it shows nothing.
const CHAT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'; frame-ancestors 'self'";

/// `GET /widget.js`: the loader that a site embeds, with the launcher's words in every language and the
/// triggers of invitations in it, so that no further request is needed to know them. Checked again every few
/// minutes, because it names the build.
///
/// # Errors
/// `not_found` if the program was built without it.
pub(super) async fn loader(
    State(app): State<Shared>,
    Extension(seen): Extension<Arc<Seen>>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    // A page that sends no referrer loads it as well; a test of it cannot tell.
    if let Some(page) = headers.get(header::REFERER).and_then(|page| page.to_str().ok()) {
        seen.note(page, Step::Loader, app.clock.now());
    }
    let parts: Option<Vec<_>> =
        script::LOADER_PARTS.iter().map(|name| Widget::get(name).map(|file| text(&file).into_owned().into())).collect();
    let names: Vec<_> = Widget::iter().filter(|name| name.starts_with("texts/")).collect();
    let texts = names.iter().filter_map(|name| {
        let language = name.strip_prefix("texts/")?.strip_suffix(".js")?;
        Some((language, text(&Widget::get(name)?).into_owned().into()))
    });
    let triggers = serde_json::to_string(app.prompts().triggers()).map_err(|_| Problem::Internal)?;
    let whole = script::loader(&parts.ok_or(Problem::NotFound)?, &script::words(texts), &triggers, &BUILD);
    Ok(with_headers(
        Bytes::from(whole),
        "text/javascript; charset=utf-8",
        &[
            (header::CACHE_CONTROL, "public, max-age=300"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        ],
    ))
}

/// Which page frames the chat, as the launcher on it says.
#[derive(Deserialize)]
pub(super) struct Framed {
    host: Option<String>,
}

/// `GET /chat/`: the chat in a document of its own, for the pages of the origins that may embed it.
///
/// # Errors
/// `not_found` if the program was built without it.
pub(super) async fn chat(
    State(app): State<Shared>,
    Extension(seen): Extension<Arc<Seen>>,
    Query(framed): Query<Framed>,
) -> ApiResult<Response> {
    if let Some(host) = &framed.host {
        let step = if install::is_allowed(&app, host) { Step::Chat } else { Step::Refused };
        seen.note(host, step, app.clock.now());
    }
    let file = Widget::get("frame.html").ok_or(Problem::NotFound)?;
    let mut response = with_headers(
        marked(&file),
        "text/html; charset=utf-8",
        &[
            (header::CACHE_CONTROL, "no-cache"),
            // A page that isolates itself may frame only what says that it may be framed there.
            (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
            (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        ],
    );
    let mut policy = CHAT_POLICY.to_owned();
    for origin in app.own_origins.iter().chain(&app.config.allow_origin) {
        // Writing to a String cannot fail.
        let _ = write!(policy, " {origin}");
    }
    let policy = HeaderValue::from_str(&policy).map_err(|_| Problem::Internal)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
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
    let data = if path.starts_with("widget/") && path.ends_with(".js") {
        Bytes::from(script::lean(&text(&file)))
    } else {
        Bytes::from(file.data.into_owned())
    };
    // A page of an older build still works, but its files are not those that it was tested with.
    let kept = if build == *BUILD { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(with_headers(
        data,
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

/// `GET /desk/preview/`: a page with the chat on it, which the console frames for whoever chooses its looks.
///
/// # Errors
/// `not_found` if the program was built without it.
pub(super) async fn preview() -> ApiResult<Response> {
    let mut response = page(Console::get("preview.html"))?;
    let policy = PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'");
    let policy = HeaderValue::from_str(&policy).map_err(|_| Problem::Internal)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
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
    Bytes::from(text(file).replace(BUILD_MARK, &BUILD))
}

fn text(file: &EmbeddedFile) -> Cow<'_, str> {
    String::from_utf8_lossy(&file.data)
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
