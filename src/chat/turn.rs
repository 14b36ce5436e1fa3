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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

/// Keeps the turns of one conversation in order: one at a time, also when several arrive at once.
#[derive(Debug, Default)]
pub struct TurnOrder {
    locks: Mutex<HashMap<ConversationId, Arc<tokio::sync::Mutex<()>>>>,
}

impl TurnOrder {
    async fn take(&self, id: ConversationId) -> OwnTurn<'_> {
        let lock = Arc::clone(self.locks().entry(id).or_default());
        OwnTurn { order: self, id, held: Some(lock.lock_owned().await) }
    }

    /// The map is only ever locked for one step, so a poisoned lock holds a sound map.
    fn locks(&self) -> MutexGuard<'_, HashMap<ConversationId, Arc<tokio::sync::Mutex<()>>>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A conversation's turn, until it is dropped.
struct OwnTurn<'a> {
    order: &'a TurnOrder,
    id: ConversationId,
    held: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Drop for OwnTurn<'_> {
    fn drop(&mut self) {
        self.held.take();
        let mut locks = self.order.locks();
        // Nobody else holds or wants a lock that only the map knows.
        if locks.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.id);
        }
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
    let mut first = Some(Judging::wait(app).await?);
    for event in app.store.unread_turns(id).await? {
        let judging = match first.take() {
            Some(judging) => judging,
            None => Judging::wait(app).await?,
        };
        answer_one(app, &event, judging).await?;
    }
    Ok(())
}

/// Leave to read and decide a turn.
pub struct Judging<'a> {
    /// Since when it was waited for.
    since: Instant,
    _room: SemaphorePermit<'a>,
}

impl<'a> Judging<'a> {
    /// Waits for room.
    ///
    /// # Errors
    /// [`store::Error::Busy`] when the server stops.
    pub async fn wait(app: &'a App) -> Result<Self> {
        let since = Instant::now();
        let room = app.judging.acquire().await.map_err(|_| store::Error::Busy)?;
        Ok(Self { since, _room: room })
    }
}

async fn answer_one(app: &App, event: &Event, judging: Judging<'_>) -> Result<()> {
    let id = event.conversation_id;
    let (conversation, memory) = load(app, id).await?;
    if conversation.state.is_bot() {
        app.bus.publish(&Signal::Typing(id, Author::Bot, Some(app.prompts.business().bot_name.clone())));
    }
    let write = decide(app, &conversation, &memory, event, app.desk.is_staffed(), judging).await?;
    let queued = write.next.as_ref().is_some_and(|next| next.state == State::Queued);
    let outcome = app.store.record_turn(write).await?;
    announce(app, id);
    if queued && outcome == TurnOutcome::Answered {
        handoff::announce_queue(app);
    }
    Ok(())
}

/// Reads and decides one customer event, without storing anything. `memory` is the bot's, `staffed` is whether anybody is
/// at the desk, which a hand-over says.
///
/// # Errors
/// Storage errors.
pub async fn decide(
    app: &App,
    conversation: &Conversation,
    memory: &DialogueState,
    event: &Event,
    staffed: bool,
    judging: Judging<'_>,
) -> Result<TurnWrite> {
    let prompts = &app.prompts;
    let button = event.kind == EventKind::HumanRequest;
    let typed = event.text.as_deref().unwrap_or_default();
    let analysis = if button {
        // The button needs no model, so it works when the model does not.
        Analysis::unread()
    } else {
        // The wait for room counts: a turn that came too late for the model is read by rules.
        let deadline = Duration::from_millis(prompts.policy().analysis.deadline_ms);
        let deadline = deadline.saturating_sub(judging.since.elapsed());
        let mut analysis = app.nlu.analyze_or_rules(typed, deadline).await;
        app.nlu.read_in_context(&mut analysis, &memory.context());
        analysis
    };
    let decision = dialogue::decide(&memory.turn(typed, button, conversation.state), &analysis, prompts);
    // A look-up waits for somebody else's system, which must not hold up other turns.
    drop(judging);
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

/// A conversation and the bot's memory of its dialogue; a fresh one if it has none.
///
/// # Errors
/// `NotFound`; storage errors.
pub async fn load(app: &App, id: ConversationId) -> Result<(Conversation, DialogueState)> {
    let (conversation, stored) = app.store.conversation_with_dialogue(id).await?.ok_or(store::Error::NotFound)?;
    let memory = stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or_default();
    Ok((conversation, memory))
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
