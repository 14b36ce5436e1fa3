//! Those who wait for a person and whom nobody has come to: the customer is told once that it takes longer, and the
//! on-call person is reminded. Nothing here ends a wait: only a person or the customer does.

use super::oncall::{self, MOST_REMINDERS, Waits};
use super::{Result, turn};
use crate::app::App;
use crate::domain::{Author, EventKind, Timestamp};
use crate::store::{NewEvent, Waiting};
use serde_json::json;
use std::time::Duration;

/// Looks once at everybody who waits.
///
/// # Errors
/// Storage errors.
pub(super) async fn look(app: &App) -> Result<()> {
    let now = app.clock.now();
    for wait in app.store.late_waits(now).await? {
        say_late(app, &wait, now).await?;
    }
    for wait in app.store.unattended(now).await? {
        remind(app, &wait, now).await?;
    }
    Ok(())
}

async fn say_late(app: &App, wait: &Waiting, now: Timestamp) -> Result<()> {
    let prompts = app.prompts();
    let mut event = NewEvent::new(EventKind::Message, Author::Bot, now);
    event.author_name = Some(prompts.business().bot_name.clone());
    event.text = Some(prompts.handoff().still_waiting.clone());
    event.data = Some(json!({ "leave": true, "said": { "kind": "still_waiting" } }));
    if app.store.say_late(wait, event).await? {
        turn::announce(app, wait.conversation_id);
    }
    Ok(())
}

async fn remind(app: &App, wait: &Waiting, now: Timestamp) -> Result<()> {
    let prompts = app.prompts();
    let reminder = wait.reminders + 1;
    let waits = Waits { conversation: wait.conversation_id, reason: &wait.reason, since: wait.queued_at, reminder };
    let deliveries = oncall::call(app, &prompts, &waits);
    let pause = Duration::from_secs(prompts.policy().handover.remind_after_s.into());
    // Prompts or settings that call nobody any more end the reminders as well.
    let next = (reminder < MOST_REMINDERS && !deliveries.is_empty()).then(|| now.after(pause));
    if app.store.remind(wait, deliveries, next, now).await? {
        app.outbox_news.notify_one();
    }
    Ok(())
}
