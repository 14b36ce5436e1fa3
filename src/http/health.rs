//! Whether the process lives, whether it can do its work, and what it counts.

use super::extract::Json;
use crate::app::Shared;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers and takes writes, so the server takes chats; and who reads the turns. Rules
/// instead of the model, which may still be being loaded, are said, but do not make the server unready: it takes
/// every message and answers.
pub(super) async fn ready(State(app): State<Shared>) -> (StatusCode, Json<Value>) {
    let storage = app.store.health();
    let database = app.store.ping().await.is_ok() && storage.ready;
    // After a failed run only a real one shows whether the model works again: the probe makes one.
    let model = app.bot().nlu.probe().await;
    let status = if database { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": database,
        "database": database,
        "model": model.stage,
        "storage": storage,
        "understanding": { "source": model.source, "version": model.version, "ready": model.ready, "reason": model.reason },
    });
    (status, Json(body))
}

/// `GET /metrics`, on its own address: every metric as Prometheus reads it.
pub(super) async fn metrics(State(counted): State<PrometheusHandle>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], counted.render())
}
