//! One customer turn, top to bottom: the durable message first, then reading, decision and the
//! stored answer. A crash in between leaves an unanswered event, which `upkeep` finds.

use super::{Result, desk, handoff, lookup, text};
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::dialogue::{self, Decision, DialogueState, Rendered};
use crate::domain::{ActionKind, Analysis, Author, Conversation, ConversationId, Event, EventKind, State, TurnRecord};
use crate::store::{self, Appended, BotMessage, Guard, NewEvent, NextState, TurnOutcome, TurnWrite};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Keeps the turns of one conversation in order: one at a time, also when several arrive at once.
#[derive(Debug, Default)]
pub struct TurnOrder {
    locks: Mutex<HashMap<ConversationId, Arc<tokio::sync::Mutex<()>>>>,
}

impl TurnOrder {
    async fn take(&self, id: ConversationId) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody else holds a lock that only the map knows.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(id).or_default())
        };
        lock.lock_owned().await
    }
}

/// Stores a customer's message durably. The answer follows on its own: see [`answer_later`].
///
/// # Errors
/// Text errors; `Closed`; `Conflict`; storage errors.
pub async fn say(app: &App, conversation: ConversationId, client_id: Uuid, typed: &str) -> Result<Appended> {
    let mut event = NewEvent::new(EventKind::Message, Author::Customer, app.clock.now());
    event.client_id = Some(client_id);
    event.text = Some(text::clean(typed)?);
    store_turn(app, conversation, event).await
}

/// Stores a press of the button for a person.
///
/// # Errors
/// `Closed`; `Conflict`; storage errors.
pub async fn press_human(app: &App, conversation: ConversationId, client_id: Uuid) -> Result<Appended> {
    let mut event = NewEvent::new(EventKind::HumanRequest, Author::Customer, app.clock.now());
    event.client_id = Some(client_id);
    store_turn(app, conversation, event).await
}

async fn store_turn(app: &App, conversation: ConversationId, event: NewEvent) -> Result<Appended> {
    let appended = app.store.append(conversation, Guard::Open, event).await?;
    if !appended.repeated {
        announce(app, conversation);
    }
    Ok(appended)
}

/// Tells everybody who looks at the conversation to look again.
pub fn announce(app: &App, conversation: ConversationId) {
    app.bus.publish(&Signal::Changed(conversation));
}

/// Answers the conversation in the background; a failure is logged and left to `upkeep`.
pub fn answer_later(app: &Shared, conversation: ConversationId) {
    let app_of_task = Arc::clone(app);
    app.tasks.spawn(async move {
        if let Err(error) = answer(&app_of_task, conversation).await {
            tracing::error!(%conversation, %error, "a turn could not be answered yet");
        }
    });
}

/// Answers every turn of the conversation that has no answer yet, in the order of the log. Safe to
/// call again, and for several turns at once: whoever comes first does the work.
///
/// # Errors
/// Storage errors. The model's failures are none: rules read the turn then.
pub async fn answer(app: &App, id: ConversationId) -> Result<()> {
    let _turn = app.turns.take(id).await;
    for seq in app.store.unread_turns(id).await? {
        answer_one(app, id, seq).await?;
    }
    Ok(())
}

async fn answer_one(app: &App, id: ConversationId, seq: i64) -> Result<()> {
    let conversation = app.store.conversation(id).await?.ok_or(store::Error::NotFound)?;
    let event = app.store.event(id, seq).await?.ok_or(store::Error::NotFound)?;
    if conversation.state.is_bot() {
        app.bus.publish(&Signal::Typing(id, Author::Bot, Some(app.prompts.business().bot_name.clone())));
    }
    let write = decide(app, &conversation, &event, app.desk.is_staffed()).await?;
    let queued = write.next.as_ref().is_some_and(|next| next.state == State::Queued);
    let outcome = app.store.record_turn(write).await?;
    announce(app, id);
    if queued && outcome == TurnOutcome::Answered {
        handoff::announce_queue(app).await?;
    }
    Ok(())
}

/// Reads and decides one customer event, without storing anything. `staffed` is whether anybody is
/// at the desk, which a hand-over says.
///
/// # Errors
/// Storage errors.
pub async fn decide(app: &App, conversation: &Conversation, event: &Event, staffed: bool) -> Result<TurnWrite> {
    let prompts = &app.prompts;
    let button = event.kind == EventKind::HumanRequest;
    let typed = event.text.as_deref().unwrap_or_default();
    let memory = load_dialogue(app, conversation.id).await?;
    let analysis = if button {
        // The button needs no model, so it works when the model does not.
        Analysis::unread()
    } else {
        let deadline = Duration::from_millis(prompts.policy().analysis.deadline_ms);
        let mut analysis = app.nlu.analyze_or_rules(typed, deadline).await;
        app.nlu.read_in_context(&mut analysis, &memory.context());
        analysis
    };
    let decision = dialogue::decide(&memory.turn(typed, button, conversation.state), &analysis, prompts);
    let outcome = match decision.reply.lookup() {
        Some((lookup, slots)) => Some(lookup::fetch(app, lookup, slots).await),
        None => None,
    };
    let mut rendered = dialogue::render(prompts, &decision.reply, outcome.as_ref());
    let next = next_state(app, &decision, conversation.state, staffed, &mut rendered).await?;
    Ok(TurnWrite {
        record: record(app, event, &analysis, &decision),
        reply: (!rendered.text.is_empty()).then(|| bot_message(app, &decision, rendered)),
        next,
        dialogue: serde_json::to_value(&decision.after).unwrap_or_default(),
    })
}

/// The bot's memory of the dialogue; a fresh one if it has none.
///
/// # Errors
/// Storage errors.
pub async fn load_dialogue(app: &App, conversation: ConversationId) -> Result<DialogueState> {
    let stored = app.store.dialogue(conversation).await?;
    Ok(stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or_default())
}

fn record(app: &App, event: &Event, analysis: &Analysis, decision: &Decision) -> TurnRecord {
    TurnRecord {
        conversation_id: event.conversation_id,
        seq: event.seq,
        at: app.clock.now(),
        source: analysis.source,
        mood: decision.mood,
        negative: f64::from(analysis.sentiment.negative),
        positive: f64::from(analysis.sentiment.positive),
        frustration: f64::from(analysis.frustration),
        intent: decision.intent.clone(),
        action: decision.action,
        reasons: decision.reasons.clone(),
        trace: decision.trace.clone(),
    }
}

fn bot_message(app: &App, decision: &Decision, rendered: Rendered) -> BotMessage {
    let mut data = Map::new();
    if !rendered.options.is_empty() {
        data.insert("options".to_owned(), json!(rendered.options));
    }
    if decision.action == ActionKind::Offer {
        data.insert("offer".to_owned(), json!(true));
    }
    data.insert("said".to_owned(), rendered.data);
    BotMessage { name: app.prompts.business().bot_name.clone(), text: rendered.text, data: Value::Object(data) }
}

/// The owner after the decision, if it changes. A hand-over also says what the customer may
/// expect: that nobody is there, or that they wait.
async fn next_state(
    app: &App,
    decision: &Decision,
    now: State,
    staffed: bool,
    rendered: &mut Rendered,
) -> Result<Option<NextState>> {
    let state = decision.next_state(now);
    if state == now {
        return Ok(None);
    }
    let reason = decision.reasons.first().map(|reason| reason.code.clone());
    let mut next = NextState { state, reason, priority: 0, data: Map::new() };
    if state == State::Queued {
        next.priority =
            next.reason.as_deref().and_then(|code| app.prompts.reason(code)).map_or(0, |texts| texts.priority);
        let texts = app.prompts.handoff();
        rendered.text.push_str("\n\n");
        rendered.text.push_str(if staffed { &texts.queued } else { &texts.nobody_here });
        // What is promised is stored, so that promises can be held against what happened.
        next.data.insert("position".to_owned(), json!(app.store.queue_ahead(next.priority).await? + 1));
        next.data.insert("open".to_owned(), json!(staffed));
        if let Some(wait) = desk::expected_wait(app).await?.filter(|_| staffed) {
            next.data.insert("wait".to_owned(), json!(wait));
        }
    }
    Ok(Some(next))
}
