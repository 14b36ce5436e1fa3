//! One customer turn, top to bottom: the durable message first, then reading, decision and the
//! stored answer. A crash in between leaves an unanswered event, which `upkeep` finds.

use super::{Result, attachments, churn, explain, handoff, lookup, queue, text};
use crate::app::{App, Bot, Shared};
use crate::bus::Signal;
use crate::dialogue::{self, Decision, DialogueState, Prompts, Rendered};
use crate::domain::{
    ActionKind, Analysis, Author, Conversation, ConversationId, Customer, Event, EventKind, State, TurnRecord,
};
use crate::store::{self, Appended, BotMessage, Guard, NewEvent, NewHandover, NextState, TurnOutcome, TurnWrite};
use crate::telemetry;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

/// How long a decision lets messages go first, so that answers do not end altogether while ever more is said.
const GIVE_WAY: Duration = Duration::from_secs(2);
/// The pause before one that goes on all the same.
const PRESSED: Duration = Duration::from_millis(20);
/// How often it looks whether some still wait.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Keeps the turns of one conversation in order: one at a time, also when several arrive at once.
#[derive(Debug, Default)]
pub struct TurnOrder {
    locks: Mutex<HashMap<ConversationId, Arc<tokio::sync::Mutex<()>>>>,
    /// Conversations that somebody is about to look at.
    coming: Mutex<HashSet<ConversationId>>,
}

impl TurnOrder {
    /// Whether somebody has to come for a turn that is in the log: not if somebody is on the way who has not looked yet.
    fn call(&self, id: ConversationId) -> bool {
        self.coming().insert(id)
    }

    /// To be said before the log is looked at.
    fn arrive(&self, id: ConversationId) {
        self.coming().remove(&id);
    }

    fn coming(&self) -> MutexGuard<'_, HashSet<ConversationId>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }

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

/// Stores a customer's message durably: the event, if it is new. The answer follows on its own: see [`answer_later`].
///
/// # Errors
/// Text errors; `Closed`; `Conflict`; storage errors.
pub async fn say(
    app: &App,
    conversation: ConversationId,
    client_id: Uuid,
    typed: &str,
) -> Result<(Appended, Option<Event>)> {
    let mut event = NewEvent::new(EventKind::Message, Author::Customer, app.clock.now());
    event.client_id = Some(client_id);
    event.text = Some(text::clean(typed)?);
    let appended = store_turn(app, conversation, event.clone()).await?;
    let fresh = (!appended.repeated).then(|| event.stored(conversation, appended));
    Ok((appended, fresh))
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
        app.bus.publish(&Signal::Appended(conversation, appended.seq));
    }
    Ok(appended)
}

/// Tells everybody who looks at the conversation to look again.
pub fn announce(app: &App, conversation: ConversationId) {
    app.bus.publish(&Signal::Changed(conversation));
}

/// Answers the conversation in the background; a failure is logged and left to `upkeep`.
pub fn answer_later(app: &Shared, conversation: ConversationId) {
    if !app.turns.call(conversation) {
        return;
    }
    let app_of_task = Arc::clone(app);
    app.decisions.spawn(&app.tasks, async move {
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
pub async fn answer(app: &Shared, id: ConversationId) -> Result<()> {
    let _turn = app.turns.take(id).await;
    let room = Judging::wait(app).await;
    app.turns.arrive(id);
    let mut first = Some(room?);
    for event in app.store.unread_turns(id).await? {
        let judging = match first.take() {
            Some(judging) => judging,
            None => Judging::wait(app).await?,
        };
        // Apart, because thousands may wait above and only a few come here.
        Box::pin(answer_one(app, &event, judging)).await?;
    }
    Ok(())
}

/// Leave to read and decide a turn.
pub struct Judging<'a> {
    /// Since when it was waited for.
    since: Instant,
    /// How long that took.
    waited: Duration,
    _room: SemaphorePermit<'a>,
    _turn: Option<SemaphorePermit<'a>>,
}

impl<'a> Judging<'a> {
    /// Waits for room, and lets messages go first that wait to be stored: nobody hears that theirs is safe sooner if
    /// an earlier one is answered meanwhile. Where that goes on and on, one turn at a time is answered all the same.
    ///
    /// # Errors
    /// [`store::Error::Busy`] when the server stops.
    pub async fn wait(app: &'a App) -> Result<Self> {
        let since = Instant::now();
        let room = app.judging.acquire().await.map_err(|_| store::Error::Busy)?;
        let mut turn = None;
        while app.store.writes_waiting() > 0 && turn.is_none() {
            tokio::time::sleep(LOOK_AGAIN).await;
            turn = if since.elapsed() < GIVE_WAY { None } else { app.judging_pressed.try_acquire().ok() };
        }
        if turn.is_some() {
            tokio::time::sleep(PRESSED).await;
        }
        Ok(Self { since, waited: since.elapsed(), _room: room, _turn: turn })
    }
}

#[tracing::instrument(name = "turn", skip_all, fields(conversation = %event.conversation_id, seq = event.seq))]
async fn answer_one(app: &Shared, event: &Event, judging: Judging<'_>) -> Result<()> {
    let id = event.conversation_id;
    let (conversation, memory, customer) = load(app, id).await?;
    // One bot from here to the end, whatever is loaded meanwhile.
    let bot = app.bot();
    if conversation.state.is_bot() {
        app.bus.publish(&Signal::Typing(id, Author::Bot, Some(bot.prompts.business().bot_name.clone())));
    }
    let write = decide(app, &bot, &conversation, (&memory, &customer), event, app.desk.is_staffed(), judging).await?;
    let mut queued = write.next.as_ref().is_some_and(|next| next.state == State::Queued);
    let mut record = write.record.clone();
    let begin = Instant::now();
    let fallback = silent(&write, &memory);
    let outcome = match app.store.record_turn(write).await {
        // What is wrong with it would be wrong each time: the turns after it are not to wait for ever.
        Err(error) if error.is_refused_value() => {
            tracing::error!(%error, "a turn could not be stored and stays without an answer");
            queued = false;
            record = fallback.record.clone();
            app.store.record_turn(fallback).await?
        }
        outcome => outcome?,
    };
    announce(app, id);
    measure("store", begin.elapsed());
    count(app, event, &record, outcome);
    if outcome != TurnOutcome::Repeated && !customer.objects {
        explain::later(app, &bot, &record, event, &memory);
    }
    if queued && outcome == TurnOutcome::Answered {
        queue::announce(app);
        app.outbox_news.notify_one();
    }
    Ok(())
}

/// The same turn without anything that came from a text, a look-up or a person: that it was passed over.
fn silent(write: &TurnWrite, memory: &DialogueState) -> TurnWrite {
    let mut record = write.record.clone();
    record.action = ActionKind::Silent;
    (record.intent, record.reasons, record.trace) = (None, Vec::new(), json!({ "failed": "store" }));
    let dialogue = serde_json::to_value(memory).unwrap_or_default();
    TurnWrite { record, reply: None, next: None, dialogue, churn: None }
}

/// How long one stage of a turn took.
fn measure(stage: &'static str, took: Duration) {
    metrics::histogram!(telemetry::TURN_SECONDS, "stage" => stage).record(took);
}

/// What became of a turn, for the figures of the running server.
fn count(app: &App, event: &Event, record: &TurnRecord, outcome: TurnOutcome) {
    if outcome != TurnOutcome::Answered {
        return;
    }
    measure("answer", Duration::from_millis(u64::try_from(app.clock.now().since(event.at)).unwrap_or(0)));
    metrics::counter!(telemetry::TURNS, "action" => record.action.name()).increment(1);
    if matches!(record.action, ActionKind::Offer | ActionKind::Handoff) {
        let reason = record.reasons.first().map_or_else(String::new, |reason| reason.code.clone());
        metrics::counter!(telemetry::ESCALATIONS, "action" => record.action.name(), "reason" => reason).increment(1);
    }
}

/// Reads and decides one customer event with this bot, without storing anything. `known` is what the
/// conversation remembers, and of whom; `staffed` is whether anybody is at the desk, which a hand-over says.
///
/// # Errors
/// Storage errors.
pub async fn decide(
    app: &App,
    bot: &Bot,
    conversation: &Conversation,
    known: (&DialogueState, &Customer),
    event: &Event,
    staffed: bool,
    judging: Judging<'_>,
) -> Result<TurnWrite> {
    measure("wait", judging.waited);
    if event.is_attachment() {
        return attachments::acknowledge(app, bot, conversation, known.0, event).await;
    }
    let begin = Instant::now();
    let (memory, customer) = known;
    let prompts = &*bot.prompts;
    // What it remembers may stem from other prompts.
    let memory = &*memory.known_to(prompts);
    let button = event.kind == EventKind::HumanRequest;
    let typed = event.text.as_deref().unwrap_or_default();
    let rated_low = event.kind == EventKind::Feedback;
    let analysis = if button || rated_low {
        // A click needs no model, so it works when the model does not.
        Analysis::unread()
    } else {
        // The wait for room counts: a turn that came too late for the model is read by rules.
        let deadline = Duration::from_millis(prompts.policy().analysis.deadline_ms);
        let deadline = deadline.saturating_sub(judging.since.elapsed());
        let mut analysis = bot.nlu.analyze_or_rules(&bot.intents, typed, deadline).await;
        bot.nlu.read_in_context(&mut analysis, &memory.context());
        if customer.objects { analysis.without_mood() } else { analysis }
    };
    let turn = memory.turn(typed, button, conversation.state, customer);
    let turn = if rated_low { turn.rated_low() } else { turn };
    let mut decision = dialogue::decide(&turn, &analysis, prompts);
    measure("decide", begin.elapsed());
    // A look-up waits for somebody else's system, which must not hold up other turns.
    drop(judging);
    let outcome = match decision.reply.lookup() {
        Some((lookup, slots)) => {
            let key = format!("{}-{}", event.conversation_id, event.seq);
            let begin = Instant::now();
            let fetched = lookup::fetch(app, prompts, lookup, slots, &key).await;
            measure("lookup", begin.elapsed());
            Some(fetched)
        }
        None => None,
    };
    decision.after.looked_up(prompts, &decision.reply, outcome.as_ref());
    let churn = if customer.objects {
        None
    } else {
        churn::weigh(app, prompts, conversation.id, &turn, &mut decision, outcome.as_ref()).await?
    };
    let mut rendered = dialogue::render(prompts, &decision.reply, outcome.as_ref(), decision.voice(customer));
    let bonus = prompts.policy().priority_bonus(customer) + churn::bonus(prompts, churn.as_ref());
    let next = next_state(app, prompts, &decision, (conversation, bonus), staffed, &mut rendered).await?;
    Ok(TurnWrite {
        record: record(app, event, &analysis, &decision),
        reply: (!rendered.text.is_empty()).then(|| bot_message(prompts, &decision, rendered)),
        next,
        dialogue: serde_json::to_value(&decision.after).unwrap_or_default(),
        churn,
    })
}

/// A conversation, the bot's memory of its dialogue (a fresh one if it has none), and who the customer is.
///
/// # Errors
/// `NotFound`; storage errors.
pub async fn load(app: &App, id: ConversationId) -> Result<(Conversation, DialogueState, Customer)> {
    let (conversation, stored, customer) =
        app.store.conversation_with_dialogue(id).await?.ok_or(store::Error::NotFound)?;
    let memory = stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or_default();
    Ok((conversation, memory, customer))
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
        words: None,
    }
}

fn bot_message(prompts: &Prompts, decision: &Decision, rendered: Rendered) -> BotMessage {
    let mut data = Map::new();
    if !rendered.options.is_empty() {
        data.insert("options".to_owned(), json!(rendered.options));
    }
    if decision.action == ActionKind::Offer {
        data.insert("offer".to_owned(), json!(true));
    }
    if let Some(language) = rendered.data.get("language") {
        data.insert("lang".to_owned(), language.clone());
    }
    data.insert("said".to_owned(), rendered.data);
    BotMessage { name: prompts.business().bot_name.clone(), text: rendered.text, data: Value::Object(data) }
}

/// The owner after the decision, if it changes. `bonus` are points of priority for who the customer is.
async fn next_state(
    app: &App,
    prompts: &Prompts,
    decision: &Decision,
    (conversation, bonus): (&Conversation, i64),
    staffed: bool,
    rendered: &mut Rendered,
) -> Result<Option<NextState>> {
    let state = decision.next_state(conversation.state);
    if state == conversation.state {
        return Ok(None);
    }
    let reason = decision.reasons.first().map(|reason| reason.code.clone());
    let mut next = NextState { state, reason, priority: 0, data: Map::new(), handover: NewHandover::default() };
    if state == State::Queued {
        handoff::begin(app, prompts, (conversation, bonus), staffed, rendered, &mut next).await?;
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::TurnOrder;
    use crate::domain::ConversationId;
    use uuid::Uuid;

    #[test]
    fn whoever_is_on_the_way_finds_what_comes_meanwhile_and_nobody_else_has_to_come() {
        let (order, [one, other]) = (TurnOrder::default(), [1, 2].map(|id| ConversationId(Uuid::from_u128(id))));
        assert!(order.call(one) && order.call(other));
        assert!(!order.call(one), "somebody is on the way");
        order.arrive(one);
        assert!(order.call(one), "whoever looked before may not have seen it");
        assert!(!order.call(other));
    }
}
