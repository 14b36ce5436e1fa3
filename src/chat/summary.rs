//! The summary of a conversation for the person who takes over: reads what is stored and lets `dialogue` tell it.

use super::{Result, turn};
use crate::app::App;
use crate::dialogue::summary::Log;
use crate::dialogue::{Summary, summarise};
use crate::domain::{ConversationId, Event, TurnRecord};

/// What a person has to know of the conversation.
///
/// # Errors
/// `NotFound`; storage errors.
pub async fn of(app: &App, conversation: ConversationId) -> Result<Summary> {
    let (_, memory, customer) = turn::load(app, conversation).await?;
    let (mut events, mut turns): (Vec<Event>, Vec<TurnRecord>) = (Vec::new(), Vec::new());
    loop {
        let page = app.store.events_after(conversation, events.last().map_or(0, |event| event.seq)).await?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    loop {
        let page = app.store.turns_after(conversation, turns.last().map_or(0, |turn| turn.seq)).await?;
        if page.is_empty() {
            break;
        }
        turns.extend(page);
    }
    Ok(summarise(&Log { events: &events, turns: &turns, memory: &memory, customer: &customer }, &app.prompts()))
}
