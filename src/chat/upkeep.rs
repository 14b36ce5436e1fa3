//! The one periodic task: customer turns that a crash left without an answer are answered.

use super::turn;
use crate::app::Shared;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);
/// A turn younger than this may still be on its way.
const LATE: Duration = Duration::from_secs(10);

/// Runs until the server stops. The first look comes at once: it repairs what the last run left.
pub async fn run(app: Shared) {
    let mut grace = Duration::ZERO;
    loop {
        match app.store.unanswered(app.clock.now().before(grace)).await {
            Ok(conversations) => {
                for conversation in conversations {
                    if let Err(error) = turn::answer(&app, conversation).await {
                        tracing::error!(%conversation, %error, "an unanswered turn stays unanswered");
                    }
                }
            }
            Err(error) => tracing::error!(%error, "unanswered turns could not be listed"),
        }
        grace = LATE;
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
