//! What of the store its callers cannot see: how jobs of one transaction, and of two at once, are kept apart. What it
//! promises them is tested in tests/it/store.

#[path = "../../tests/it/postgres.rs"]
mod server;

use super::database::Database;
use super::events::insert_event;
use super::sql::{LOCK_CONVERSATION, sql};
use super::{Error, Guard, Location, NewEvent, Opening, Options, Store};
use crate::clock::Clock;
use crate::domain::{Author, ConversationId, EventKind, Timestamp};
use server::TestDatabase;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Barrier;

const AT: Timestamp = Timestamp(1_000);

async fn open_conversation(store: &Store, token: u8) -> ConversationId {
    let visitor = store.create_visitor(vec![token; 32], AT).await.unwrap();
    let opening = Opening { visitor, locale: None, page: None, disclosure: "1".to_owned(), demo: false, at: AT };
    store.open_conversation(opening).await.unwrap()
}

fn said(text: &str) -> NewEvent {
    let mut event = NewEvent::new(EventKind::Message, Author::Customer, AT);
    event.client_id = Some(Clock::System.id());
    event.text = Some(text.to_owned());
    event
}

/// All of these wait at once, so that in SQLite they share one transaction.
async fn a_refused_item_does_not_harm_its_neighbours(store: &Store) {
    let conversation = open_conversation(store, 1).await;
    let other = ConversationId(Clock::System.id());
    let append = |text| store.append(conversation, Guard::Open, said(text));
    let half_done = || {
        store.database.write(move |mut connection| {
            Box::pin(async move {
                insert_event(&mut connection, conversation, Guard::Open, &said("never")).await?;
                // No visitor has this id, so the second statement fails after the first has written.
                connection
                    .query(sql!("UPDATE conversation SET visitor_id = $2 WHERE id = $1"))
                    .bind(conversation)
                    .bind(Clock::System.id())
                    .execute()
                    .await?;
                Ok(())
            })
        })
    };
    let nowhere = store.append(other, Guard::Open, said("nowhere"));
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
    let mut seqs = [outcomes.0, outcomes.2, outcomes.4, outcomes.7].map(|outcome| outcome.unwrap().seq);
    if matches!(store.database, Database::Postgres(_)) {
        // Its connections keep no order among callers who do not wait for one another.
        seqs.sort_unstable();
    }
    assert_eq!(seqs, [2, 3, 4, 5]);
    let texts: Vec<_> =
        store.events_after(conversation, 1).await.unwrap().into_iter().filter_map(|event| event.text).collect();
    assert!(texts.len() == 4 && !texts.iter().any(|text| text == "never"), "{texts:?}");
}

#[tokio::test]
async fn a_refused_item_does_not_harm_its_neighbours_in_sqlite() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("candor.db"), Clock::System).await.unwrap();
    a_refused_item_does_not_harm_its_neighbours(&store).await;
    store.close().await;
}

async fn on_server(connections: u32) -> Option<(TestDatabase, Store)> {
    let database = TestDatabase::create().await?;
    let options = Options { connections, ..Options::default() };
    let store = Store::open_with(Location::from(&database.url), options, Clock::System).await.unwrap();
    Some((database, store))
}

#[tokio::test]
async fn a_refused_item_does_not_harm_its_neighbours_in_postgres() {
    let Some((database, store)) = on_server(20).await else { return };
    a_refused_item_does_not_harm_its_neighbours(&store).await;
    store.close().await;
    database.drop().await;
}

/// Two jobs that lock two rows in opposite orders: the database ends one of them, and it runs again.
#[tokio::test]
async fn the_loser_of_a_deadlock_tries_again() {
    let Some((database, store)) = on_server(4).await else { return };
    let (one, other) = (open_conversation(&store, 1).await, open_conversation(&store, 2).await);
    let (barrier, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let lock = |first, second| {
        let (barrier, runs) = (Arc::clone(&barrier), Arc::clone(&runs));
        store.database.write(move |mut connection| {
            Box::pin(async move {
                connection.query(LOCK_CONVERSATION).bind(first).execute().await?;
                if runs.fetch_add(1, Ordering::Relaxed) < 2 {
                    barrier.wait().await;
                }
                connection.query(LOCK_CONVERSATION).bind(second).execute().await?;
                insert_event(&mut connection, second, Guard::Open, &said("both")).await
            })
        })
    };
    let (first, second) = tokio::join!(lock(one, other), lock(other, one));
    assert_eq!((first.unwrap().seq, second.unwrap().seq), (2, 2));
    assert_eq!(runs.load(Ordering::Relaxed), 3, "one of them ran twice");
    store.close().await;
    database.drop().await;
}

/// Connections that the server cuts off are an answer for clients to send again on, and are replaced.
#[tokio::test]
async fn a_lost_connection_is_busy_for_a_moment() {
    let Some((database, store)) = on_server(2).await else { return };
    let conversation = open_conversation(&store, 1).await;
    let cut = |store: &Store| {
        let store = store.clone();
        async move {
            let job = store.database.write(move |mut connection| {
                Box::pin(async move {
                    insert_event(&mut connection, conversation, Guard::Open, &said("cut off")).await?;
                    connection.query(sql!("SELECT pg_terminate_backend(pg_backend_pid())")).execute().await
                })
            });
            job.await
        }
    };
    let lost = cut(&store).await;
    assert!(matches!(lost, Err(Error::Busy)), "{lost:?}");
    let mut refused = 0;
    let appended = loop {
        match store.append(conversation, Guard::Open, said("hello")).await {
            Ok(appended) => break appended,
            Err(Error::Busy) if refused < 5 => refused += 1,
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(appended.seq, 2, "what was cut off left nothing behind");
    store.close().await;
    database.drop().await;
}

/// However much waits in the background, somebody at a socket finds a connection.
#[tokio::test]
async fn background_writes_leave_room_for_urgent_ones() {
    let Some((database, store)) = on_server(4).await else { return };
    let conversation = open_conversation(&store, 1).await;
    let slow = || {
        store.database.write_in_background(|_| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(())
            })
        })
    };
    let background = futures_util::future::join_all((0..10).map(|_| slow()));
    let urgent = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = std::time::Instant::now();
        store.append(conversation, Guard::Open, said("hello")).await.unwrap();
        begun.elapsed()
    };
    let (slow, waited) = tokio::join!(background, urgent);
    assert!(slow.into_iter().all(|outcome| outcome.is_ok()));
    assert!(waited < Duration::from_millis(500), "one second of background work was waited for: {waited:?}");
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn what_was_owed_before_the_column_is_owed_after_it() {
    const OWED: &str = include_str!("../../migrations/sqlite/0008_owed.sql");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("candor.db");
    let store = Store::open(Location::from(&path), Clock::System).await.unwrap();
    let conversation = open_conversation(&store, 1).await;
    store.append(conversation, Guard::Open, said("where is it")).await.unwrap();
    store.close().await;
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap();
    let undo = "DROP TRIGGER event_owed; DROP TRIGGER turn_decided; DROP INDEX conversation_owed;
                ALTER TABLE conversation DROP COLUMN owed_since;";
    for script in [undo, OWED] {
        sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
    }
    let owed: Vec<i64> = sqlx::query_scalar("SELECT owed_since FROM conversation WHERE owed_since IS NOT NULL")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(owed, [AT.0]);
    let explained = format!("EXPLAIN QUERY PLAN {}", super::events::UNANSWERED.sqlite);
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(explained)).bind(AT).fetch_all(&mut connection).await.unwrap();
    assert!(plan.len() == 1 && plan[0].3.contains("USING INDEX conversation_owed"), "{plan:?}");
}
