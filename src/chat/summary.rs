//! The summary of a conversation for the person who takes over: reads what is stored and lets `dialogue` tell it.

use super::{Result, turn};
use crate::app::App;
use crate::dialogue::summary::Log;
use crate::dialogue::{Summary, summarise};
use crate::domain::{ConversationId, Event, TurnRecord};

/// The newest entries that a summary tells of: it is made anew at each reading, and what lies further back helps nobody
/// who takes over now.
const TOLD: i64 = 1_000;

/// What a person has to know of the conversation: of its newest 1,000 entries.
///
/// # Errors
/// `NotFound`; storage errors.
pub async fn of(app: &App, conversation: ConversationId) -> Result<Summary> {
    let (found, memory, customer) = turn::load(app, conversation).await?;
    let from = (found.last_seq - TOLD).max(0);
    let (mut events, mut turns): (Vec<Event>, Vec<TurnRecord>) = (Vec::new(), Vec::new());
    loop {
        let page = app.store.events_after(conversation, events.last().map_or(from, |event| event.seq)).await?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    loop {
        let page = app.store.turns_after(conversation, turns.last().map_or(from, |turn| turn.seq)).await?;
        if page.is_empty() {
            break;
        }
        turns.extend(page);
    }
    Ok(summarise(&Log { events: &events, turns: &turns, memory: &memory, customer: &customer }, &app.prompts()))
}
