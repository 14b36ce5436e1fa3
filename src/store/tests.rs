//! What the store promises its callers, on a real file.

use super::{
    Appended, BotMessage, Change, Error, Guard, NewAgent, NewEvent, Opening, Store, TranscriptFilter, TurnOutcome,
    TurnWrite,
};
use crate::clock::Clock;
use crate::domain::{
    ActionKind, AgentId, Author, ConversationId, Customer, EventKind, Mood, Profile, Role, Source, Timestamp,
    TurnRecord, WordWeight,
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
        words: None,
    };
    let reply = BotMessage { name: "Bot".to_owned(), text: "On its way.".to_owned(), data: Value::Null };
    TurnWrite { record, reply: Some(reply), next: None, dialogue: json!({ "topic": "delivery" }), churn: None }
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
async fn the_words_of_a_turn_are_stored_beside_it() {
    let (_folder, store, conversation) = open().await;
    let seq = store.append(conversation, Guard::Open, said("hello", Clock::System.id())).await.unwrap().seq;
    let words = vec![WordWeight { start: 0, end: 5, frustration: 0.25 }];
    assert!(store.record_words(conversation, seq, words.clone()).await.is_err(), "there is no turn yet");
    store.record_turn(decided(conversation, seq)).await.unwrap();
    store.record_words(conversation, seq, words.clone()).await.unwrap();
    let turns = store.turns_after(conversation, 0).await.unwrap();
    assert_eq!(turns, [TurnRecord { words: Some(words), ..decided(conversation, seq).record }]);
}

#[tokio::test]
async fn a_turn_is_stored_once_with_its_answer() {
    let (_folder, store, conversation) = open().await;
    let seq = store.append(conversation, Guard::Open, said("where is it", Clock::System.id())).await.unwrap().seq;
    assert_eq!(store.unread_turns(conversation).await.unwrap().len(), 1);
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Answered);
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Repeated);
    assert!(store.unread_turns(conversation).await.unwrap().is_empty());
    let (row, dialogue, _) = store.conversation_with_dialogue(conversation).await.unwrap().unwrap();
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
    let (row, dialogue, _) = store.conversation_with_dialogue(conversation).await.unwrap().unwrap();
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

#[tokio::test]
async fn a_customer_is_one_in_all_browsers_and_their_last_rating_counts() {
    let (_folder, store, first) = open().await;
    let open_at = async |visitor, at| {
        let opening =
            Opening { visitor, locale: Some("fr".to_owned()), page: None, disclosure: "1".to_owned(), demo: false, at };
        let id = store.open_conversation(opening).await.unwrap();
        store.append(id, Guard::Open, said("hello", Clock::System.id())).await.unwrap();
        id
    };
    let customer = async |id| store.conversation_with_dialogue(id).await.unwrap().unwrap().2;
    let hour = 3_600_000;
    let (phone, laptop) =
        (store.create_visitor(vec![2; 32], AT).await.unwrap(), store.create_visitor(vec![3; 32], AT).await.unwrap());
    let long_ago = open_at(phone, Timestamp(hour)).await;
    let lately = open_at(phone, Timestamp(30 * hour)).await;
    let now = open_at(laptop, Timestamp(40 * hour)).await;
    for (rated, score, at) in [(long_ago, 5, 2), (lately, 2, 31), (now, 4, 41)] {
        let event = NewEvent::new(EventKind::Rating, Author::Customer, Timestamp(at * hour));
        store.rate(rated, "csat", score, None, event).await.unwrap();
    }
    assert_eq!((customer(now).await.contacts, customer(now).await.last_rating), (0, None), "nobody said who they are");
    assert_eq!(customer(now).await.locale.as_deref(), Some("fr"));

    let profile = Profile { name: Some("Ada".to_owned()), vip: true, ..Profile::default() };
    for visitor in [phone, laptop] {
        store.identify(visitor, "cust-7".to_owned(), &profile).await.unwrap();
    }
    let known = customer(now).await;
    assert_eq!((known.contacts, known.last_rating), (1, Some(2)), "a day back, and the latest rating before this one");
    assert!(known.verified && known.vip && known.name.as_deref() == Some("Ada"));
    assert_eq!(customer(long_ago).await.last_rating, None);
    assert_eq!(customer(first).await, Customer::default());
    assert_eq!(store.card(now).await.unwrap().unwrap().customer_name().as_deref(), Some("Ada"));
    let visitor = store.visitor(vec![3; 32]).await.unwrap().unwrap();
    assert!(
        visitor.is("cust-7", &profile) && !visitor.is("cust-8", &profile) && !visitor.is("cust-7", &Profile::default())
    );
}
