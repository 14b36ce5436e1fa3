//! The one periodic task: customer turns that a crash left without an answer are answered, those who wait too long
//! are told so, and conversations are deleted when their time is over.
//!
//! One node does it for all, under a lease. That saves the others the work; it is not what keeps it from being done
//! twice. An answer is unique for each event, a wait is said to be late by the statement that notes it, and what
//! is deleted is gone: two nodes that both believe they hold the lease do no harm.

use super::{attachments, turn, waits};
use crate::app::Shared;
use crate::store::Forgotten;
use std::time::Duration;

/// How often it looks for unanswered turns.
const EVERY: Duration = Duration::from_secs(5);
/// A turn younger than this may still be on its way.
const LATE: Duration = Duration::from_secs(10);
/// The lease of these looks: as long after its node died, another one looks.
const LOOKING: &str = "upkeep";
const LOOKING_FOR: Duration = Duration::from_secs(30);
/// How often it deletes: once in so many looks, an hour.
const LOOKS_PER_CLEANING: u32 = 720;
/// The first time is a minute after the start, which belongs to those who waited for it.
const FIRST_CLEANING: u32 = 12;
/// The lease of deleting. It is not given back, so that others find the hour's work done.
const DELETING: &str = "retention";
const DELETING_FOR: Duration = Duration::from_secs(55 * 60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Runs until the server stops. The first look comes at once: it repairs what the last run left.
pub async fn run(app: Shared) {
    // Where there are others, what is not answered yet may be on its way there.
    let mut grace = if app.bus.is_relayed() { LATE } else { Duration::ZERO };
    let mut looks = 0;
    loop {
        if holds(&app, LOOKING, LOOKING_FOR).await {
            answer_owed(&app, grace).await;
            if let Err(error) = waits::look(&app).await {
                tracing::error!(%error, "those who wait could not be looked at");
            }
        }
        if looks % LOOKS_PER_CLEANING == FIRST_CLEANING && holds(&app, DELETING, DELETING_FOR).await {
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

/// Whether this node has the lease, from now on for `period`.
async fn holds(app: &Shared, name: &'static str, period: Duration) -> bool {
    match app.store.take_lease(name, app.node, app.clock.now(), period).await {
        Ok(token) => token.is_some(),
        Err(error) => {
            tracing::error!(%error, name, "a lease could not be taken");
            false
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
        // Answers take their time: the lease may have gone to another node meanwhile.
        if !holds(app, LOOKING, LOOKING_FOR).await {
            return;
        }
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
    if let Err(error) = attachments::sweep(app).await {
        tracing::error!(%error, "attached files that are nobody's could not be removed");
    }
}
