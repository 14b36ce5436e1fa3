//! The one periodic task: customer turns that a crash left without an answer are answered, those who wait too long
//! are told so, and conversations are deleted when their time is over.

use super::{turn, waits};
use crate::app::Shared;
use crate::store::Forgotten;
use std::time::Duration;

/// How often it looks for unanswered turns.
const EVERY: Duration = Duration::from_secs(5);
/// A turn younger than this may still be on its way.
const LATE: Duration = Duration::from_secs(10);
/// How often it deletes: once in so many looks, an hour.
const LOOKS_PER_CLEANING: u32 = 720;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Runs until the server stops. The first look comes at once: it repairs what the last run left.
pub async fn run(app: Shared) {
    let mut grace = Duration::ZERO;
    let mut looks = 0;
    loop {
        answer_owed(&app, grace).await;
        if let Err(error) = waits::look(&app).await {
            tracing::error!(%error, "those who wait could not be looked at");
        }
        if looks % LOOKS_PER_CLEANING == 0 {
            forget_old(&app).await;
        }
        looks += 1;
        grace = LATE;
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn answer_owed(app: &Shared, grace: Duration) {
    let owed = match app.store.unanswered(app.clock.now().before(grace)).await {
        Ok(owed) => owed,
        Err(error) => {
            tracing::error!(%error, "unanswered turns could not be listed");
            return;
        }
    };
    for conversation in owed {
        if let Err(error) = turn::answer(app, conversation).await {
            tracing::error!(%conversation, %error, "an unanswered turn stays unanswered");
        }
    }
}

/// Keeps the promise of the notice: after `keep_days` without an event a conversation is deleted. One that still
/// waits for a person is nobody's to end silently, and is kept twice as long.
async fn forget_old(app: &Shared) {
    let kept = DAY * app.prompts().policy().privacy.keep_days;
    let now = app.clock.now();
    match app.store.forget_before(now.before(kept), now.before(kept * 2)).await {
        Ok(Forgotten { over, waiting }) => {
            if over > 0 {
                tracing::info!(count = over, "conversations were deleted at the end of their time");
            }
            if waiting > 0 {
                tracing::error!(count = waiting, "conversations were deleted in which nobody ever came");
            }
        }
        Err(error) => tracing::error!(%error, "old conversations could not be deleted"),
    }
}
