//! The hand-over to a person, and what agents do with a conversation: take it, give it back, hand it on, answer,
//! note, close. Storage holds the rule that a conversation has one owner; this module finds the words and tells
//! everybody.

use super::oncall::{self, Waits};
use super::{Error, Result, presence, queue, rights, text, turn};
use crate::app::App;
use crate::dialogue::{Prompts, Rendered};
use crate::domain::{Agent, AgentId, Author, Conversation, ConversationId, EventKind, Presence, Timestamp, Visibility};
use crate::store::{self, Appended, Change, Guard, NewEvent, NewHandover, NextState, OpenWait};
use crate::telemetry;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The highest priority in the queue.
const HIGHEST_PRIORITY: i64 = 100;

/// Prepares the hand-over of a turn: its words, which begin with the news if nobody is there, what the customer is
/// promised, and what follows if nobody comes. `bonus` are points of priority for who the customer is. `staffed` is whether anybody is at a desk.
///
/// # Errors
/// Storage errors.
pub(super) async fn begin(
    app: &App,
    prompts: &Prompts,
    (conversation, bonus): (&Conversation, i64),
    staffed: bool,
    rendered: &mut Rendered,
    next: &mut NextState,
) -> Result<()> {
    let now = app.clock.now();
    let code = next.reason.clone().unwrap_or_default();
    let reason = prompts.reason(&code);
    next.priority = (reason.map_or(0, |texts| texts.priority) + bonus).min(HIGHEST_PRIORITY);
    let hours = prompts.business().hours.as_ref();
    let opening = hours.filter(|_| !staffed).and_then(|hours| hours.next_opening(now));
    if staffed {
        rendered.text.push_str("\n\n");
        rendered.text.push_str(&prompts.handoff().queued);
    } else {
        // "I am passing you to a person" would not be true of an empty room.
        rendered.text = prompts.handoff().nobody(opening.as_ref().map(|opening| opening.words.as_str()));
        if let Some(further) = reason.and_then(|texts| texts.nobody.as_ref()) {
            rendered.text.push_str("\n\n");
            rendered.text.push_str(further);
        }
    }
    let ahead = app.store.queue_ahead(next.priority).await?;
    let wait = if staffed { app.queue.expected_wait(ahead) } else { None };
    // What is promised is stored, so that promises can be held against what happened.
    next.data.insert("position".to_owned(), json!(ahead + 1));
    next.data.insert("open".to_owned(), json!(staffed));
    if let Some(wait) = wait {
        next.data.insert("wait".to_owned(), json!(wait));
    }
    if let Some(opening) = &opening {
        next.data.insert("back_at".to_owned(), json!(opening.at));
    }
    if conversation.demo {
        return Ok(());
    }
    let policy = prompts.policy().handover;
    let patience = seconds(policy.late_after_s.into());
    let promised = wait.map_or(Duration::ZERO, |wait| seconds(wait.high_s.unsigned_abs()));
    let waits = Waits { conversation: conversation.id, reason: &code, since: now, reminder: 0 };
    next.handover = NewHandover {
        ahead: Some(ahead),
        staffed,
        late_at: Some(opening.map_or(now, |opening| opening.at).after(patience.max(promised))),
        remind_at: remind_at(app, prompts, &code, now),
        deliveries: oncall::call(app, prompts, &waits),
    };
    Ok(())
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// When the on-call person is told again, if the reason calls one.
fn remind_at(app: &App, prompts: &Prompts, reason: &str, now: Timestamp) -> Option<Timestamp> {
    let after = seconds(prompts.policy().handover.remind_after_s.into());
    oncall::is_called(app, prompts, reason).then(|| now.after(after))
}

/// Takes a conversation from the queue, over from the bot, or from a colleague who has no desk open
/// any more: nobody is left with a person who is not there.
///
/// # Errors
/// `NotOwner` if somebody has it already or it is closed.
pub async fn claim(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let holder = app.store.conversation(conversation).await?.and_then(|found| found.agent_id);
    let is_away = |holder: &AgentId| app.desk.presence(*holder) == Presence::Offline;
    // They may have sat down at another node a moment ago, of which no signal has told yet.
    if app.bus.is_relayed() && holder.as_ref().is_some_and(is_away) {
        presence::read(app).await?;
    }
    let from = holder.filter(is_away);
    let change = Change::Claim { agent: agent.id, name: agent.name.clone(), from };
    let wait = app.store.open_wait(conversation).await?;
    let claimed = change_owner(app, conversation, change, Some(app.prompts().handoff().claimed(&agent.name))).await?;
    if let Some(wait) = wait {
        count_wait(&wait, claimed.at);
    }
    Ok(claimed)
}

/// Whether the customer was served by when they were told.
fn count_wait(wait: &OpenWait, claimed_at: Timestamp) {
    let promise = match wait.late_at {
        None => "none",
        Some(late) if claimed_at <= late => "kept",
        Some(_) => "late",
    };
    metrics::counter!(telemetry::WAITS, "promise" => promise).increment(1);
    metrics::histogram!(telemetry::WAIT_SECONDS)
        .record(Duration::from_millis(u64::try_from(claimed_at.since(wait.queued_at)).unwrap_or(0)));
}

/// Puts a conversation back into the queue, where it keeps its place.
///
/// # Errors
/// `NotOwner` if the agent does not have it.
pub async fn release(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let prompts = app.prompts();
    let found = app.store.conversation(conversation).await?.ok_or(store::Error::NotFound)?;
    let now = app.clock.now();
    let handover = if found.demo {
        NewHandover::default()
    } else {
        NewHandover {
            late_at: Some(now.after(seconds(prompts.policy().handover.late_after_s.into()))),
            remind_at: remind_at(app, &prompts, found.reason.as_deref().unwrap_or_default(), now),
            ..NewHandover::default()
        }
    };
    let text = prompts.handoff().queued.clone();
    change_owner(app, conversation, Change::Release { agent: agent.id, handover }, Some(text)).await
}

/// Hands a conversation to a colleague.
///
/// # Errors
/// `Field` if there is no such colleague; `NotOwner` if the agent does not have it.
pub async fn transfer(app: &App, agent: &Agent, conversation: ConversationId, to: AgentId) -> Result<Appended> {
    let colleague = app.store.agent(to).await?.filter(|colleague| colleague.active && colleague.id != agent.id);
    let colleague = colleague.ok_or_else(|| Error::Field("agent", "there is no such colleague".to_owned()))?;
    let text = app.prompts().handoff().claimed(&colleague.name);
    let change = Change::Transfer { from: agent.id, to, name: colleague.name };
    change_owner(app, conversation, change, Some(text)).await
}

/// Gives a conversation back to the bot, which is announced to the customer.
///
/// # Errors
/// `NotOwner` if the agent does not have it.
pub async fn return_to_bot(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let (_, mut dialogue, _) = turn::load(app, conversation).await?;
    dialogue.returned_by_agent();
    let dialogue = serde_json::to_value(&dialogue).unwrap_or_default();
    let prompts = app.prompts();
    let disclosure = prompts.business().disclosure.version.clone();
    let change = Change::ReturnToBot { agent: agent.id, dialogue, disclosure };
    change_owner(app, conversation, change, Some(prompts.handoff().returned(&agent.name))).await
}

/// Ends a conversation. The customer is asked how it was.
///
/// # Errors
/// `NotOwner` if the agent does not have it.
pub async fn close(app: &App, agent: &Agent, conversation: ConversationId) -> Result<Appended> {
    let text = app.prompts().handoff().closed(&agent.name);
    let survey = rights::survey(app, conversation).await?;
    change_owner(app, conversation, Change::Close { agent: agent.id, survey }, Some(text)).await
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
    queue::announce(app);
    Ok(appended)
}
