//! HTTP and sockets: THE list of routes, the middleware, and the translation of what comes in into
//! use cases. The only module that names axum. Decisions are not made here.

mod assets;
mod attachments;
mod chat_socket;
mod demo_shop;
mod desk_socket;
mod error;
mod extract;
mod frame;
mod health;
mod install;
mod invitation;
mod me;
mod rate;
mod review;
mod script;
mod socket;
mod staff;

use crate::app::Shared;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::response::Redirect;
use axum::routing::{delete, get, patch, post, put};
use axum::{Extension, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

/// Largest request body in bytes.
const MAX_BODY: usize = 64 * 1024;
/// How long a request may take. Sockets are over with their upgrade, so it does not touch them.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long one with a file may: ten megabytes from a telephone with little reception.
const FILE_DEADLINE: Duration = Duration::from_secs(180);

/// Every route there is.
pub fn router(app: Shared) -> Router {
    let mut routes = Router::new()
        // Customers
        .route("/v1/chat", get(chat_socket::connect))
        .route("/widget.js", get(assets::loader))
        .route("/chat", get(assets::with_slash))
        .route("/chat/", get(assets::chat))
        .route("/assets/{build}/{*path}", get(assets::file))
        .route("/v1/me", get(me::show))
        .route("/v1/attachments/{id}", get(attachments::show))
        .route("/v1/invitations", get(invitation::figures).post(invitation::count))
        .route("/v1/invitations/check", post(invitation::check))
        // Staff
        .route("/desk", get(assets::with_slash))
        .route("/desk/", get(assets::console))
        .route("/v1/desk", get(desk_socket::connect))
        .route("/v1/session", get(staff::show_session).post(staff::sign_in).delete(staff::sign_out))
        .route("/v1/setup", get(staff::show_setup).post(staff::set_up))
        .route("/v1/reasons", get(review::reasons))
        .route("/v1/about", get(review::about))
        // Managers
        .route("/v1/agents", get(staff::list).post(staff::create))
        .route("/v1/agents/{id}", patch(staff::change))
        .route("/v1/transcripts", get(review::list))
        .route("/v1/transcripts/{id}", get(review::show))
        .route("/v1/figures", get(review::figures))
        .route("/v1/install", get(install::show))
        .route("/desk/preview/", get(assets::preview))
        .route("/v1/demo", delete(review::remove_samples))
        // Machines
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/problems/{code}", get(error::explain))
        .layer(Extension(Arc::new(me::Asked::default())))
        .layer(Extension(Arc::new(install::Seen::default())));
    routes = if app.config.no_demo {
        routes.route("/", get(async || Redirect::temporary("/desk/")))
    } else {
        // The demo shop
        routes
            .route("/", get(async || Redirect::temporary("/demo/")))
            .route("/demo", get(assets::with_slash))
            .route("/demo/", get(assets::shop))
            .route("/demo/api/orders/{number}", get(demo_shop::orders::show))
            .route("/demo/api/returns", post(demo_shop::returns::start))
            .route("/demo/api/returns/{number}", get(demo_shop::returns::show))
            .route("/demo/api/stock", get(demo_shop::stock::show))
            .layer(Extension(Arc::new(demo_shop::returns::Returns::default())))
    };
    // A file takes longer than a request, and is larger than its body may be.
    let files = Router::new()
        .route("/v1/conversations/{conversation}/attachments/{id}", put(attachments::put))
        .layer(deadline(FILE_DEADLINE));
    let middleware = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(header_of(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_of(header::REFERRER_POLICY, "same-origin"))
        .layer(header_of(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(CompressionLayer::new());
    let routes = routes.layer(Extension(Arc::new(invitation::Limits::default()))).layer(deadline(DEADLINE));
    routes
        .merge(files)
        .layer(Extension(Arc::new(rate::VisitorRates::default())))
        .layer(Extension(Arc::new(attachments::Room::default())))
        .fallback(async || error::ApiError::from(error::Problem::NotFound))
        .layer(middleware)
        .with_state(app)
}

/// Ends a request that takes longer.
fn deadline(after: Duration) -> TimeoutLayer {
    TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, after)
}

/// The routes for Prometheus, which have an address of their own.
pub fn metrics_router(counted: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(health::metrics)).with_state(counted)
}

/// A header that is set unless the handler has set its own.
fn header_of(name: header::HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
