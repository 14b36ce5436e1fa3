//! What the store promises its callers, held by both databases: every case is written once and runs on a SQLite file
//! and, where `TEST_POSTGRES_URL` names a server, on PostgreSQL.

mod attachments;
mod conversations;
mod figures;
mod log;
mod nodes;
mod rights;
mod schema;
mod speed;
mod staff;
mod statements;
mod waits;

use crate::postgres::TestDatabase;
use candor::clock::Clock;
use candor::domain::{
    ActionKind, AgentId, Author, ConversationId, EventKind, Mood, Role, Source, State, Timestamp, TurnRecord,
};
use candor::store::{
    BotMessage, Change, Guard, Location, NewAgent, NewEvent, NewHandover, NextState, Opening, Store, TurnWrite,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const AT: Timestamp = Timestamp(1_000);

/// An open store with one conversation.
struct Fixture {
    store: Store,
    conversation: ConversationId,
    location: Location,
    folder: TempDir,
    server: Option<TestDatabase>,
}

impl Fixture {
    async fn on_sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let location = Location::from(&folder.path().join("candor.db"));
        Self::new(folder, location, None).await
    }

    /// None where there is no server.
    async fn on_postgres() -> Option<Self> {
        let database = TestDatabase::create().await?;
        let location = Location::from(&database.url);
        Some(Self::new(TempDir::new().unwrap(), location, Some(database)).await)
    }

    async fn new(folder: TempDir, location: Location, server: Option<TestDatabase>) -> Self {
        let store = Store::open(location.clone(), Clock::System).await.unwrap();
        let conversation = open(&store, vec![1; 32], Timestamp(0), false).await;
        Self { store, conversation, location, folder, server }
    }

    async fn end(self) {
        self.store.close().await;
        if let Some(server) = self.server {
            server.drop().await;
        }
        self.folder.close().unwrap();
    }
}

/// Makes each case a test of each database.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture = crate::store::Fixture::on_sqlite().await;
                super::$case(&fixture).await;
                fixture.end().await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let Some(fixture) = crate::store::Fixture::on_postgres().await else { return };
                super::$case(&fixture).await;
                fixture.end().await;
            })+
        }
    };
}
use on_both;

/// A conversation of a new visitor.
async fn open(store: &Store, token_hash: Vec<u8>, at: Timestamp, demo: bool) -> ConversationId {
    let visitor = store.create_visitor(token_hash, AT).await.unwrap();
    let opening = Opening { visitor, locale: None, page: None, disclosure: "1".to_owned(), demo, at };
    store.open_conversation(opening).await.unwrap()
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

/// Says something and returns where it stands.
async fn say(store: &Store, conversation: ConversationId, text: &str) -> i64 {
    store.append(conversation, Guard::Open, said(text, Clock::System.id())).await.unwrap().seq
}

fn decided(conversation_id: ConversationId, seq: i64) -> TurnWrite {
    let record = TurnRecord {
        conversation_id,
        seq,
        at: AT,
        source: Source::Rules,
        mood: Mood::Neutral,
        negative: 0.25,
        positive: 0.1,
        frustration: 0.125,
        intent: Some("delivery".to_owned()),
        action: ActionKind::Reply,
        reasons: Vec::new(),
        trace: json!({ "rule": 1, "score": 0.1, "none": null, "text": "naïve ☕" }),
        words: None,
    };
    let reply = BotMessage { name: "Bot".to_owned(), text: "On its way.".to_owned(), data: Value::Null };
    TurnWrite { record, reply: Some(reply), next: None, dialogue: json!({ "topic": "delivery" }), churn: None }
}

/// A turn that hands over.
fn handing_over(conversation: ConversationId, seq: i64, at: Timestamp, handover: NewHandover) -> TurnWrite {
    let mut turn = decided(conversation, seq);
    turn.record.at = at;
    turn.record.action = ActionKind::Handoff;
    turn.next = Some(NextState {
        state: State::Queued,
        reason: Some("asked".to_owned()),
        priority: 2,
        data: Map::new(),
        handover,
    });
    turn
}
