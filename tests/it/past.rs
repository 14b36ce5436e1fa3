//! A past for replays: conversations written as the server writes them, through the storage's own methods, with the
//! decisions of a bot on readings that are made beforehand. Knows no sockets.

use candor::dialogue::{DialogueState, Prompts, decide};
use candor::domain::customer::STRANGER;
use candor::domain::{Analysis, Author, EventKind, State, Timestamp, TurnRecord};
use candor::nlu::Reader;
use candor::store::{BotMessage, Guard, NewEvent, NewHandover, NextState, Opening, Store, TurnWrite};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Milliseconds between a customer's turns.
const PACE: i64 = 20_000;

/// A conversation's customer turns, each with its reading from the text alone.
pub(crate) type Spoken = [(String, Analysis)];

/// Writes one conversation that begins at `at`, as the bot would have led it. After a hand-over the rest is said to a
/// person.
pub(crate) async fn write(store: &Store, nlu: &Reader, prompts: &Prompts, spoken: &Spoken, at: Timestamp) {
    let visitor = store.create_visitor(Uuid::new_v4().as_bytes().repeat(2), at).await.unwrap();
    let opening = Opening { visitor, locale: None, page: None, disclosure: "1".to_owned(), demo: false, at };
    let conversation = store.open_conversation(opening).await.unwrap();
    let (mut memory, mut state) = (DialogueState::default(), State::Bot);
    for (number, (text, read)) in spoken.iter().enumerate() {
        let at = Timestamp(at.0 + PACE * i64::try_from(number + 1).unwrap());
        let mut said = NewEvent::new(EventKind::Message, Author::Customer, at);
        said.client_id = Some(Uuid::new_v4());
        said.text = Some(text.clone());
        let seq = store.append(conversation, Guard::Open, said).await.unwrap().seq;
        let mut analysis = read.clone();
        nlu.read_in_context(&mut analysis, &memory.context());
        let decision = decide(&memory.turn(text, false, state, &STRANGER), &analysis, prompts);
        let next = decision.next_state(state);
        let reason = decision.reasons.first().map(|reason| reason.code.clone());
        let record = TurnRecord {
            conversation_id: conversation,
            seq,
            at,
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
        };
        let reply = state.is_bot().then(|| BotMessage {
            name: "Bot".to_owned(),
            text: "As the prompts say it.".to_owned(),
            data: Value::Null,
        });
        let changed = (next != state).then(|| NextState {
            state: next,
            reason,
            priority: 0,
            data: Map::new(),
            handover: NewHandover::default(),
        });
        memory.advance(&decision);
        let dialogue = serde_json::to_value(&memory).unwrap();
        store.record_turn(TurnWrite { record, reply, next: changed, dialogue, churn: None }).await.unwrap();
        state = next;
    }
}
