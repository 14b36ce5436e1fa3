//! What the store promises its callers, on a real file.

use super::{
    Appended, BotMessage, Change, Error, Guard, NewAgent, NewEvent, Opening, Store, TranscriptFilter, TurnOutcome,
    TurnWrite,
};
use crate::clock::Clock;
use crate::domain::{
    ActionKind, AgentId, Author, ConversationId, EventKind, Mood, Role, Source, Timestamp, TurnRecord,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const AT: Timestamp = Timestamp(1_000);

async fn open() -> (TempDir, Store, ConversationId) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("candor.db"), Clock::System).await.unwrap();
    let visitor = store.create_visitor(vec![1; 32], AT).await.unwrap();
    let opening =
        Opening { visitor, locale: None, page: None, disclosure: "1".to_owned(), demo: false, at: Timestamp(0) };
    let conversation = store.open_conversation(opening).await.unwrap();
    (folder, store, conversation)
}

async fn hire(store: &Store, email: &str) -> AgentId {
    let (email, name) = (email.to_owned(), email.to_owned());
    let new = NewAgent { email, name, role: Role::Agent, password_hash: String::new(), demo: false };
    store.create_agent(new, AT).await.unwrap().id
}

async fn claim(store: &Store, conversation: ConversationId, agent: AgentId) {
    let change = Change::Claim { agent, name: "Ada".to_owned(), from: None };
    store.change_owner(conversation, change, None, AT).await.unwrap();
}

fn said(text: &str, client_id: Uuid) -> NewEvent {
    let mut event = NewEvent::new(EventKind::Message, Author::Customer, AT);
    event.client_id = Some(client_id);
    event.text = Some(text.to_owned());
    event
}

fn decided(conversation_id: ConversationId, seq: i64) -> TurnWrite {
    let record = TurnRecord {
        conversation_id,
        seq,
        at: AT,
        source: Source::Rules,
        mood: Mood::Neutral,
        negative: 0.25,
        positive: 0.5,
        frustration: 0.125,
        intent: Some("delivery".to_owned()),
        action: ActionKind::Reply,
        reasons: Vec::new(),
        trace: json!({ "rule": 1 }),
    };
    let reply = BotMessage { name: "Bot".to_owned(), text: "On its way.".to_owned(), data: Value::Null };
    TurnWrite { record, reply: Some(reply), next: None, dialogue: json!({ "topic": "delivery" }) }
}

async fn hits(store: &Store, word: &str) -> usize {
    let filter = TranscriptFilter { query: Some(word.to_owned()), limit: 10, ..TranscriptFilter::default() };
    store.transcripts(&filter).await.unwrap().len()
}

#[tokio::test]
async fn an_event_moves_the_counters_and_becomes_searchable() {
    let (_folder, store, conversation) = open().await;
    let appended =
        store.append(conversation, Guard::Open, said("my parcel is late", Clock::System.id())).await.unwrap();
    assert_eq!(appended, Appended { seq: 2, at: AT, repeated: false });
    let row = store.conversation(conversation).await.unwrap().unwrap();
    assert_eq!((row.last_seq, row.updated_at), (2, AT));
    let listed = store.transcripts(&TranscriptFilter { limit: 10, ..TranscriptFilter::default() }).await.unwrap();
    assert_eq!(listed.first().unwrap().turns, 1);
    assert_eq!((hits(&store, "parcel").await, hits(&store, "refund").await), (1, 0));
}

#[tokio::test]
async fn a_repeated_client_id_returns_the_first_seq_also_after_the_close() {
    let (_folder, store, conversation) = open().await;
    let id = Clock::System.id();
    let first = store.append(conversation, Guard::Open, said("hello", id)).await.unwrap();
    let again = Appended { repeated: true, ..first };
    assert_eq!(store.append(conversation, Guard::Open, said("hello", id)).await.unwrap(), again);
    let other = store.append(conversation, Guard::Open, said("good bye", id)).await;
    assert!(matches!(other, Err(Error::Conflict)), "{other:?}");
    let next = store.append(conversation, Guard::Open, said("and", Clock::System.id())).await.unwrap();
    assert_eq!(next.seq, first.seq + 1, "nothing refused takes a number");
    let agent = hire(&store, "ada@shop.example").await;
    claim(&store, conversation, agent).await;
    store.change_owner(conversation, Change::Close { agent }, None, AT).await.unwrap();
    assert_eq!(store.append(conversation, Guard::Open, said("hello", id)).await.unwrap(), again);
    let late = store.append(conversation, Guard::Open, said("late", Clock::System.id())).await;
    assert!(matches!(late, Err(Error::Closed)), "{late:?}");
    store.append(conversation, Guard::Exists, said("rated", Clock::System.id())).await.unwrap();
}

#[tokio::test]
async fn only_the_owner_passes_the_guard() {
    let (_folder, store, conversation) = open().await;
    let (ada, bob) = (hire(&store, "ada@shop.example").await, hire(&store, "bob@shop.example").await);
    let write = async |guard| {
        let mut event = NewEvent::new(EventKind::Message, Author::Agent, AT);
        event.text = Some("I look into it".to_owned());
        store.append(conversation, guard, event).await
    };
    assert!(matches!(write(Guard::OwnedBy(ada)).await, Err(Error::NotOwner)));
    assert!(write(Guard::Unassigned).await.is_ok());
    claim(&store, conversation, ada).await;
    assert!(matches!(write(Guard::Unassigned).await, Err(Error::NotOwner)));
    assert!(matches!(write(Guard::OwnedBy(bob)).await, Err(Error::NotOwner)));
    assert!(write(Guard::OwnedBy(ada)).await.is_ok());
    let nowhere =
        store.append(ConversationId(Clock::System.id()), Guard::Open, said("hello", Clock::System.id())).await;
    assert!(matches!(nowhere, Err(Error::NotFound)), "{nowhere:?}");
}

#[tokio::test]
async fn a_turn_is_stored_once_with_its_answer() {
    let (_folder, store, conversation) = open().await;
    let seq = store.append(conversation, Guard::Open, said("where is it", Clock::System.id())).await.unwrap().seq;
    assert_eq!(store.unread_turns(conversation).await.unwrap().len(), 1);
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Answered);
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Repeated);
    assert!(store.unread_turns(conversation).await.unwrap().is_empty());
    let (row, dialogue) = store.conversation_with_dialogue(conversation).await.unwrap().unwrap();
    assert_eq!((row.last_seq, dialogue), (seq + 1, Some(json!({ "topic": "delivery" }))));
    let turns = store.turns_after(conversation, 0).await.unwrap();
    assert_eq!(turns, [decided(conversation, seq).record]);
    let nowhere = store.record_turn(decided(ConversationId(Clock::System.id()), 1)).await;
    assert!(matches!(nowhere, Err(Error::NotFound)), "{nowhere:?}");
}

#[tokio::test]
async fn the_bot_is_silent_where_a_person_took_over() {
    let (_folder, store, conversation) = open().await;
    let seq = store.append(conversation, Guard::Open, said("where is it", Clock::System.id())).await.unwrap().seq;
    let agent = hire(&store, "ada@shop.example").await;
    claim(&store, conversation, agent).await;
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Superseded);
    let turns = store.turns_after(conversation, 0).await.unwrap();
    assert_eq!(turns.first().map(|turn| (turn.action, turn.reasons.len())), Some((ActionKind::Silent, 0)));
    let (row, dialogue) = store.conversation_with_dialogue(conversation).await.unwrap().unwrap();
    assert_eq!((row.last_seq, dialogue), (seq + 1, None), "no answer, only the claim");
}

/// All of these wait at once, so that they share one transaction.
#[tokio::test]
async fn a_refused_item_does_not_harm_its_neighbours() {
    let (_folder, store, conversation) = open().await;
    let other = ConversationId(Clock::System.id());
    let append = |text| store.append(conversation, Guard::Open, said(text, Clock::System.id()));
    let half_done = || {
        store.writer.write(move |connection| {
            Box::pin(async move {
                let event = said("never", Clock::System.id());
                super::events::insert_event(connection, conversation, Guard::Open, &event).await?;
                // No visitor has this id, so the second statement fails after the first has written.
                sqlx::query("UPDATE conversation SET visitor_id = $2 WHERE id = $1")
                    .bind(conversation)
                    .bind(Clock::System.id())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
    };
    let nowhere = store.append(other, Guard::Open, said("nowhere", Clock::System.id()));
    let outcomes = tokio::join!(
        append("one"),
        half_done(),
        append("two"),
        nowhere,
        append("three"),
        half_done(),
        half_done(),
        append("four"),
    );
    assert!(matches!((outcomes.1, outcomes.5, outcomes.6), (Err(_), Err(_), Err(_))));
    assert!(matches!(outcomes.3, Err(Error::NotFound)));
    let seqs = [outcomes.0, outcomes.2, outcomes.4, outcomes.7].map(|outcome| outcome.unwrap().seq);
    assert_eq!(seqs, [2, 3, 4, 5]);
    let texts: Vec<_> =
        store.events_after(conversation, 1).await.unwrap().into_iter().filter_map(|event| event.text).collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
    assert_eq!((hits(&store, "never").await, hits(&store, "three").await), (0, 1));
}

#[tokio::test]
async fn more_reads_than_connections_wait_for_their_turn() {
    let (_folder, store, conversation) = open().await;
    let found = futures_util::future::join_all((0..40).map(|_| store.conversation(conversation))).await;
    assert!(found.iter().all(|found| found.as_ref().is_ok_and(Option::is_some)));
    store.close().await;
    assert!(matches!(store.conversation(conversation).await, Err(Error::Busy)));
}
