//! The person who is called when something urgent waits: what they are told, and by which way. They are told that
//! somebody waits, why and where; never what the customer wrote.

use crate::app::App;
use crate::dialogue::Prompts;
use crate::domain::{ConversationId, Timestamp};
use crate::store::{NewDelivery, OutboxKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How often the on-call person is reminded at most, after the first message.
pub const MOST_REMINDERS: i64 = 3;

/// What is sent. It is stored like this until it is delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Identity of the delivery, the same at every attempt.
    pub id: Uuid,
    /// What happened.
    pub event: CallEvent,
    /// Which conversation.
    pub conversation: ConversationId,
    /// Where staff open it.
    pub link: String,
    /// Why, as a code of `handoff.toml`.
    pub reason: String,
    /// The same in words.
    pub label: String,
    /// Since when the customer waits, RFC 3339 in UTC.
    pub since: String,
    /// Which reminder this is, from 1; 0 for the first message.
    pub reminder: i64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEvent {
    /// It was handed over.
    Handover,
    /// It still waits.
    Reminder,
}

/// Somebody who waits.
pub(super) struct Waits<'a> {
    pub(super) conversation: ConversationId,
    pub(super) reason: &'a str,
    pub(super) since: Timestamp,
    pub(super) reminder: i64,
}

/// Whether a reason calls somebody, and there is a way to do it.
pub(super) fn is_called(app: &App, prompts: &Prompts, reason: &str) -> bool {
    ways(app).next().is_some() && prompts.reason(reason).is_some_and(|texts| texts.notify)
}

/// What is sent about somebody who waits, once for each way; nothing if the reason calls nobody.
pub(super) fn call(app: &App, prompts: &Prompts, waits: &Waits<'_>) -> Vec<NewDelivery> {
    let Some(texts) = prompts.reason(waits.reason).filter(|texts| texts.notify) else { return Vec::new() };
    ways(app)
        .map(|kind| {
            let id = app.clock.id();
            let call = Call {
                id,
                event: if waits.reminder == 0 { CallEvent::Handover } else { CallEvent::Reminder },
                conversation: waits.conversation,
                link: format!("{}/desk/#/desk/{}", app.origin, waits.conversation),
                reason: waits.reason.to_owned(),
                label: texts.label.clone(),
                since: jiff::Timestamp::from_millisecond(waits.since.0).unwrap_or_default().to_string(),
                reminder: waits.reminder,
            };
            NewDelivery { id, kind, payload: serde_json::to_value(&call).unwrap_or_default() }
        })
        .collect()
}

fn ways(app: &App) -> impl Iterator<Item = OutboxKind> {
    let webhook = app.config.oncall_webhook.as_ref().map(|_| OutboxKind::Webhook);
    let mail = app.config.oncall_mail.as_ref().map(|_| OutboxKind::Mail);
    webhook.into_iter().chain(mail)
}
