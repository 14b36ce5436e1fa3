//! Questions to the business's own system over HTTP, as `prompts/lookups.toml` declares them. The
//! reply is data of unknown quality: bounded in time and size, never followed elsewhere.

use crate::app::App;
use crate::dialogue::LookupOutcome;
use std::collections::BTreeMap;
use std::time::Duration;

/// Largest reply that is read.
const MAX_BYTES: usize = 64 * 1024;

/// The HTTP client for lookups.
///
/// # Errors
/// If the TLS set-up of the machine cannot be used.
pub fn client() -> reqwest::Result<reqwest::Client> {
    // Fails only if another provider was installed first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .user_agent(concat!("candor/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Carries out the lookup `name`. Never fails: a customer is told that it did not work.
pub async fn fetch(app: &App, name: &str, slots: &BTreeMap<String, String>) -> LookupOutcome {
    let Some(lookup) = app.prompts.lookup(name) else { return LookupOutcome::Failed };
    let Some(url) = lookup.url(&app.origin, slots) else { return LookupOutcome::Failed };
    let answer = tokio::time::timeout(Duration::from_millis(lookup.timeout_ms), get(app, &url)).await;
    match answer {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => {
            // The address holds the customer's order number: say which lookup, not which URL.
            tracing::warn!(lookup = name, error = %error.without_url(), "a lookup failed");
            LookupOutcome::Failed
        }
        Err(_) => {
            tracing::warn!(lookup = name, "a lookup took too long");
            LookupOutcome::Failed
        }
    }
}

async fn get(app: &App, url: &str) -> reqwest::Result<LookupOutcome> {
    let mut response = app.lookups.get(url).header("accept", "application/json").send().await?;
    if response.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(LookupOutcome::NotFound);
    }
    if !response.status().is_success() {
        return Ok(LookupOutcome::Failed);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Ok(LookupOutcome::Failed);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&body).map_or(LookupOutcome::Failed, LookupOutcome::Found))
}
