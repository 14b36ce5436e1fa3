//! What agents do with a conversation: take it, give it back, hand it on, answer, note, close.
//! Storage holds the rule that a conversation has one owner; this module finds the words and
//! tells everybody.

use super::{Error, Result, text, turn};
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::domain::{Agent, AgentId, Author, ConversationId, EventKind, Presence, Visibility};
use crate::store::{Appended, Change, Guard, NewEvent};
use std::time::Duration;
use uuid::Uuid;

/// Takes a conversation from the queue, over from the bot, or from a colleague who has no desk open
/// any more: nobody is left with a person who is not there.
///
/// # Errors
/// `NotOwner` if somebody has it already or it is closed.
pub async fn claim(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let holder = app.store.conversation(conversation).await?.and_then(|found| found.agent_id);
    let from = holder.filter(|holder| app.desk.presence(*holder) == Presence::Offline);
    let change = Change::Claim { agent: agent.id, name: agent.name.clone(), from };
    change_owner(app, conversation, change, Some(app.prompts.handoff().claimed(&agent.name))).await
}

/// Puts a conversation back into the queue, where it keeps its place.
///
/// # Errors
/// `NotOwner` if the agent does not have it.
pub async fn release(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let text = app.prompts.handoff().queued.clone();
    change_owner(app, conversation, Change::Release { agent: agent.id }, Some(text)).await
}

/// Hands a conversation to a colleague.
///
/// # Errors
/// `Field` if there is no such colleague; `NotOwner` if the agent does not have it.
pub async fn transfer(app: &App, agent: &Agent, conversation: ConversationId, to: AgentId) -> Result<Appended> {
    let colleague = app.store.agent(to).await?.filter(|colleague| colleague.active && colleague.id != agent.id);
    let colleague = colleague.ok_or_else(|| Error::Field("agent", "there is no such colleague".to_owned()))?;
    let text = app.prompts.handoff().claimed(&colleague.name);
    let change = Change::Transfer { from: agent.id, to, name: colleague.name };
    change_owner(app, conversation, change, Some(text)).await
}

/// Gives a conversation back to the bot, which is announced to the customer.
///
/// # Errors
/// `NotOwner` if the agent does not have it.
pub async fn return_to_bot(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let (_, mut dialogue) = turn::load(app, conversation).await?;
    dialogue.returned_by_agent();
    let dialogue = serde_json::to_value(&dialogue).unwrap_or_default();
    let change = Change::ReturnToBot { agent: agent.id, dialogue };
    change_owner(app, conversation, change, Some(app.prompts.handoff().returned(&agent.name))).await
}

/// Ends a conversation. The customer is asked how it was.
///
/// # Errors
/// `NotOwner` if the agent does not have it.
pub async fn close(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let text = app.prompts.handoff().closed(&agent.name);
    change_owner(app, conversation, Change::Close { agent: agent.id }, Some(text)).await
}

/// An agent's answer.
///
/// # Errors
/// `NotOwner` if the agent does not have it; text errors; `Conflict`.
pub async fn say(
    app: &App,
    agent: &Agent,
    conversation: ConversationId,
    client_id: Uuid,
    typed: &str,
) -> Result<Appended> {
    let event = written(app, EventKind::Message, agent, client_id, typed)?;
    let appended = app.store.append(conversation, Guard::OwnedBy(agent.id), event).await?;
    turn::announce(app, conversation);
    Ok(appended)
}

/// A note among staff, which the customer never sees. Any colleague may add one, also afterwards.
///
/// # Errors
/// Text errors; `NotFound`; `Conflict`.
pub async fn note(
    app: &App,
    agent: &Agent,
    conversation: ConversationId,
    client_id: Uuid,
    typed: &str,
) -> Result<Appended> {
    let mut event = written(app, EventKind::Note, agent, client_id, typed)?;
    event.visibility = Visibility::Staff;
    let appended = app.store.append(conversation, Guard::Exists, event).await?;
    turn::announce(app, conversation);
    Ok(appended)
}

/// What an agent wrote, visible to all.
fn written(app: &App, kind: EventKind, agent: &Agent, client_id: Uuid, typed: &str) -> Result<NewEvent> {
    let mut event = NewEvent::new(kind, Author::Agent, app.clock.now());
    event.author_id = Some(agent.id.0);
    event.author_name = Some(agent.name.clone());
    event.client_id = Some(client_id);
    event.text = Some(text::clean(typed)?);
    Ok(event)
}

async fn change_owner(
    app: &App,
    conversation: ConversationId,
    change: Change,
    text: Option<String>,
) -> Result<Appended> {
    let appended = app.store.change_owner(conversation, change, text, app.clock.now()).await?;
    turn::announce(app, conversation);
    announce_queue(app);
    Ok(appended)
}

/// Has everybody who waits told that their place may have changed: at once if they have not been told lately.
pub fn announce_queue(app: &App) {
    app.queue_news.notify_one();
}

/// Least time between two announcements of the queue, and what each one who waits adds to it: a place read anew for
/// everybody at each change would be the more work the longer the queue is.
const QUEUE_PAUSE: Duration = Duration::from_millis(500);
const PAUSE_EACH: Duration = Duration::from_millis(2);

/// Announces the queue whenever it has changed, until the server stops.
pub async fn follow_queue(app: Shared) {
    let changed = async {
        loop {
            app.queue_news.notified().await;
            let mut pause = QUEUE_PAUSE;
            match app.store.queued().await {
                Ok(waiting) => {
                    pause += PAUSE_EACH * u32::try_from(waiting.len()).unwrap_or(u32::MAX);
                    waiting.into_iter().for_each(|id| app.bus.publish(&Signal::Queue(id)));
                }
                Err(error) => tracing::error!(%error, "the queue could not be announced"),
            }
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = changed => {}
    }
}
