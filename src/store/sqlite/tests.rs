//! What holds of the file: who may open it, what is found in it, what a copy is, and what a panic or a dead
//! connection does.

use super::{Check, DatabaseFile, FileError, back_up, beside, restore, verify};
use crate::clock::Clock;
use crate::domain::{Author, ConversationId, EventKind, Timestamp};
use crate::store::database::Database;
use crate::store::readers::Readers;
use crate::store::sql::sql;
use crate::store::{Change, Error, Guard, NewEvent, Opening, Store, TranscriptFilter};
use sqlx::{Connection as _, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap().join("candor.db");
    Place { _folder: folder, path }
}

async fn open(path: &Path) -> Store {
    Store::open(path, Clock::System).await.unwrap()
}

async fn converse(store: &Store) -> ConversationId {
    let visitor = store.create_visitor(Clock::System.id().as_bytes().to_vec(), Timestamp(1)).await.unwrap();
    let opening =
        Opening { visitor, locale: None, page: None, disclosure: "1".to_owned(), demo: false, at: Timestamp(1) };
    store.open_conversation(opening).await.unwrap()
}

async fn say(store: &Store, conversation: ConversationId, text: &str) -> Result<i64, Error> {
    let mut event = NewEvent::new(EventKind::Message, Author::Customer, Timestamp(2));
    event.client_id = Some(Clock::System.id());
    event.text = Some(text.to_owned());
    Ok(store.append(conversation, Guard::Open, event).await?.seq)
}

/// Statements on a database that nobody else uses, without the rules of its tables.
async fn tamper(path: &Path, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(false)
        .pragma("ignore_check_constraints", "ON");
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn checks(path: &Path) -> Vec<&'static str> {
    let mut found: Vec<_> = verify(path).await.unwrap().findings.iter().map(|finding| finding.check).collect();
    found.dedup();
    found
}

fn file(store: &Store) -> &DatabaseFile {
    match &store.database {
        Database::Sqlite { file, .. } => file,
        Database::Postgres(_) => panic!("it is a file"),
    }
}

fn readers(store: &Store) -> &Readers {
    match &store.database {
        Database::Sqlite { readers, .. } => readers,
        Database::Postgres(_) => panic!("it is a file"),
    }
}

#[tokio::test]
async fn a_database_has_one_server_and_visitors() {
    let place = place();
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    let second = Store::open(&place.path, Clock::System).await.unwrap_err();
    let said = second.to_string();
    assert!(said.contains(&std::process::id().to_string()) && said.contains("--database"), "{said}");
    let link = place.path.with_file_name("link.db");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    assert!(matches!(Store::open(&link, Clock::System).await, Err(Error::File(FileError::InUse { .. }))));

    let visitor = Store::visit(&place.path, Clock::System).await.unwrap();
    assert_eq!(say(&visitor, conversation, "beside").await.unwrap(), 2);
    visitor.close().await;
    assert_eq!(say(&store, conversation, "after").await.unwrap(), 3);
    store.close().await;
    open(&place.path).await.close().await;
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let place = place();
    assert!(matches!(Store::visit(&place.path, Clock::System).await, Err(Error::File(FileError::Missing { .. }))));
    std::fs::write(&place.path, "Dear diary").unwrap();
    let refused = Store::open(&place.path, Clock::System).await.unwrap_err();
    assert!(matches!(refused, Error::File(FileError::NotSqlite { .. })), "{refused}");
    assert_eq!(std::fs::read(&place.path).unwrap(), b"Dear diary");
    assert!(matches!(verify(&place.path).await, Err(Error::File(FileError::NotSqlite { .. }))));
    std::fs::remove_file(&place.path).unwrap();

    open(&place.path).await.close().await;
    tamper(
        &place.path,
        "UPDATE _sqlx_migrations SET version = 9000 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)",
    )
    .await;
    let refused = Store::open(&place.path, Clock::System).await.unwrap_err();
    assert!(matches!(refused, Error::File(FileError::Newer { found: 9000, .. })), "{refused}");
    assert!(matches!(verify(&place.path).await, Err(Error::File(FileError::Newer { .. }))));
    let nowhere = place.path.with_file_name("no").join("candor.db");
    assert!(matches!(Store::open(&nowhere, Clock::System).await, Err(Error::File(FileError::Missing { .. }))));
}

#[tokio::test]
async fn after_an_unclean_stop_the_file_is_checked() {
    let place = place();
    let store = open(&place.path).await;
    assert_eq!(store.health().check, Check::NotNeeded, "a new one");
    let conversation = converse(&store).await;
    for text in 0..50 {
        say(&store, conversation, &format!("number {text}")).await.unwrap();
    }
    store.close().await;
    let store = open(&place.path).await;
    assert_eq!(store.health().check, Check::NotNeeded, "it was closed in order");
    store.close().await;

    let checked = async |path: &Path| {
        std::fs::write(beside(path, ".lock"), "running 1\n").unwrap();
        let store = open(path).await;
        while store.health().check == Check::Running {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let health = store.health();
        store.close().await;
        health
    };
    let health = checked(&place.path).await;
    assert!(health.check == Check::Sound && health.ready, "{health:?}");
    // An index that lacks a row.
    tamper(&place.path, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'conversation_by_state') WHERE name = 'event_by_client'").await;
    assert_eq!(checks(&place.path).await, ["integrity"]);
    let health = checked(&place.path).await;
    assert!(health.check == Check::Damaged && !health.ready && health.writable, "{health:?}");
    assert!(health.reason.unwrap().contains("damaged"));
}

#[tokio::test]
async fn every_broken_promise_is_found() {
    let place = place();
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    for text in ["one", "two", "three"] {
        say(&store, conversation, text).await.unwrap();
    }
    store.close().await;
    let found = verify(&place.path).await.unwrap();
    assert_eq!((found.conversations, found.events, found.findings.len()), (1, 4, 0), "{found:?}");
    let copy = beside(&place.path, ".copy");
    for (statement, expected) in [
        (
            "UPDATE event SET seq = 9 WHERE seq = 4; UPDATE conversation SET last_seq = 9",
            &["gap", "search", "search_left"][..],
        ),
        ("UPDATE conversation SET last_seq = 5", &["last_seq"]),
        ("UPDATE conversation SET customer_turns = 1", &["customer_turns"]),
        ("UPDATE conversation SET customer_read = 77", &["customer_read"]),
        ("DROP INDEX event_by_reply; UPDATE event SET in_reply_to = 2 WHERE seq > 2", &["answered_twice"]),
        ("UPDATE event SET in_reply_to = 3 WHERE seq = 2", &["answer"]),
        (
            "INSERT INTO turn SELECT id, 1, 0, 'rules', 'neutral', 0, 0, 0, NULL, 'reply', '[]', '{}', NULL FROM conversation",
            &["turn"],
        ),
        ("UPDATE conversation SET state = 'queued'", &["owner", "state"]),
        ("UPDATE event_search SET text = 'other' WHERE seq = 2", &["search", "search_left"]),
        ("DELETE FROM event_search WHERE seq = 3", &["search"]),
        (
            "INSERT INTO event_search (text, conversation_id, seq) SELECT text, conversation_id, seq FROM event WHERE seq = 2",
            &["search_left"],
        ),
        ("DELETE FROM conversation", &["reference"]),
        (
            "UPDATE event SET kind = 'state', data = '{\"state\":\"queued\"}' WHERE seq > 2;
             UPDATE conversation SET customer_turns = 1, state = 'queued', queued_at = 1",
            &["transition"],
        ),
    ] {
        std::fs::copy(&place.path, &copy).unwrap();
        tamper(&copy, statement).await;
        assert_eq!(checks(&copy).await, expected, "{statement}");
    }
    let shown = serde_json::to_string(&verify(&copy).await.unwrap()).unwrap();
    assert!(shown.contains(&conversation.to_string()) && !shown.contains("three"), "{shown}");
}

#[tokio::test]
async fn a_backup_is_a_copy_that_can_take_the_place_of_its_database() {
    let place = place();
    let backup = place.path.with_file_name("backup.db");
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    say(&store, conversation, "before").await.unwrap();
    let epoch = store.epoch().to_owned();
    let made = back_up(&place.path, &backup, false).await.unwrap();
    assert_eq!((made.conversations, made.events, made.bytes), (1, 2, backup.metadata().unwrap().len()));
    assert!(matches!(back_up(&place.path, &backup, false).await, Err(Error::File(FileError::Exists { .. }))));
    say(&store, conversation, "after").await.unwrap();
    let refused = restore(&backup, &place.path, &Clock::System).await;
    assert!(matches!(refused, Err(Error::File(FileError::InUse { .. }))), "{refused:?}");
    store.close().await;

    std::fs::write(beside(&place.path, ".part-journal"), "of a restore that was cut off").unwrap();
    let made = restore(&backup, &place.path, &Clock::System).await.unwrap();
    assert_eq!((made.conversations, made.events), (1, 2));
    assert_eq!(verify(&made.kept.unwrap()).await.unwrap().events, 3, "the old one is kept");
    let store = open(&place.path).await;
    assert_eq!(store.health().check, Check::NotNeeded);
    assert_ne!(store.epoch(), epoch);
    let texts: Vec<_> =
        store.events_after(conversation, 0).await.unwrap().into_iter().filter_map(|event| event.text).collect();
    assert_eq!(texts, ["before"]);
    assert_eq!(say(&store, conversation, "anew").await.unwrap(), 3);
    store.close().await;
    let left: Vec<_> = std::fs::read_dir(place.path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("part") || name.starts_with("backup.db-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_unsound_backup_is_not_put_in_place() {
    let place = place();
    let backup = place.path.with_file_name("backup.db");
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    back_up(&place.path, &backup, false).await.unwrap();
    tamper(&backup, "UPDATE conversation SET last_seq = 7").await;
    store.close().await;
    let refused = restore(&backup, &place.path, &Clock::System).await.unwrap_err();
    assert!(matches!(refused, Error::File(FileError::Unsound(_))), "{refused}");
    let store = open(&place.path).await;
    assert_eq!(say(&store, conversation, "still there").await.unwrap(), 2);
    store.close().await;
    // A restore that was cut off after the old one was put aside.
    std::fs::write(beside(&place.path, ".lock"), "restoring 1\n").unwrap();
    std::fs::remove_file(&place.path).unwrap();
    for refused in [Store::open(&place.path, Clock::System).await, Store::visit(&place.path, Clock::System).await] {
        assert!(matches!(refused, Err(Error::File(FileError::HalfRestored))), "{refused:?}");
    }
    assert!(!place.path.exists(), "no empty database hides it");
}

#[tokio::test]
async fn a_log_without_its_database_is_kept_and_never_read_as_anothers() {
    let place = place();
    let backup = place.path.with_file_name("backup.db");
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    say(&store, conversation, "before").await.unwrap();
    back_up(&place.path, &backup, false).await.unwrap();
    say(&store, conversation, "after").await.unwrap();
    // As a crash leaves it, had the database been lost.
    let (log, kept) = (beside(&place.path, "-wal"), place.path.with_file_name("kept"));
    std::fs::copy(&log, &kept).unwrap();
    let epoch = store.epoch().to_owned();
    store.close().await;
    std::fs::remove_file(&place.path).unwrap();
    std::fs::rename(&kept, &log).unwrap();
    let bytes = std::fs::read(&log).unwrap();
    assert!(!bytes.is_empty());

    let refused = Store::open(&place.path, Clock::System).await.unwrap_err();
    assert!(matches!(refused, Error::File(FileError::LogAlone { .. })), "{refused}");
    assert_eq!(std::fs::read(&log).unwrap(), bytes, "no empty database has emptied it");
    let made = restore(&backup, &place.path, &Clock::System).await.unwrap();
    assert_eq!(std::fs::read(beside(&made.kept.unwrap(), "-wal")).unwrap(), bytes);
    let store = open(&place.path).await;
    assert_ne!(store.epoch(), epoch);
    assert_eq!(say(&store, conversation, "anew").await.unwrap(), 3, "the backup's two, and not the log's");
    store.close().await;
}

#[tokio::test]
async fn a_database_that_is_moved_under_the_server_takes_no_message_until_it_is_back() {
    let place = place();
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    say(&store, conversation, "before").await.unwrap();
    let log = beside(&place.path, "-wal").metadata().unwrap().len();
    let away = place.path.with_file_name("away.db");
    std::fs::rename(&place.path, &away).unwrap();
    assert!(matches!(say(&store, conversation, "into the void").await, Err(Error::Busy)));
    let health = store.health();
    assert!(!health.ready && health.reason.unwrap().contains("moved"), "{health:?}");
    assert!(file(&store).connect().await.is_err());
    // Longer than the upkeep's look.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!place.path.exists(), "no empty database takes its place");
    assert!(beside(&place.path, "-wal").metadata().unwrap().len() >= log, "the log is left alone");
    std::fs::rename(&away, &place.path).unwrap();
    while !store.health().ready {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say(&store, conversation, "after").await.unwrap();
    store.close().await;
    assert_eq!(verify(&place.path).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_check_that_did_not_end_is_made_again() {
    let place = place();
    let store = open(&place.path).await;
    file(&store).0.health.note_check(Check::Unfinished);
    store.close().await;
    let store = open(&place.path).await;
    assert_ne!(store.health().check, Check::NotNeeded);
    while store.health().check == Check::Running {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close().await;
    let store = open(&place.path).await;
    assert_eq!(store.health().check, Check::NotNeeded);
    // A store that nobody closes lets others have the file too.
    drop(store);
    open(&place.path).await.close().await;
}

#[tokio::test]
async fn a_reader_that_is_away_refuses_nobody_while_others_read() {
    let place = place();
    let store = open(&place.path).await;
    readers(&store).break_one().await;
    let (one, two, three) =
        (readers(&store).get().await.unwrap(), readers(&store).get().await.unwrap(), readers(&store).get().await);
    let ends = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop((one, two, three));
    };
    let (waited, ()) = tokio::join!(readers(&store).get(), ends);
    assert!(waited.is_ok(), "it waits for one of those that live");
    drop(waited);
    store.close().await;
}

#[tokio::test]
async fn a_panic_undoes_its_group_and_the_writer_goes_on() {
    let place = place();
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    let panics = store.database.write::<(), _>(|mut connection| {
        Box::pin(async move {
            connection.query(sql!("UPDATE conversation SET priority = 99")).execute().await?;
            panic!("a defect")
        })
    });
    let (first, panicked, second) =
        tokio::join!(say(&store, conversation, "a"), panics, say(&store, conversation, "b"));
    assert!(matches!(panicked, Err(Error::Busy)));
    // Whether they shared the panic's group is a matter of time; nothing in between is possible.
    let stored = store.events_after(conversation, 1).await.unwrap().len();
    assert_eq!(stored, usize::from(first.is_ok()) + usize::from(second.is_ok()));
    assert_eq!(store.conversation(conversation).await.unwrap().unwrap().priority, 0);
    say(&store, conversation, "goes on").await.unwrap();
    assert!(store.health().ready);
    store.ping().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_reading_connection_that_ended_is_replaced() {
    let place = place();
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    readers(&store).break_one().await;
    let all = || futures_util::future::join_all((0..40).map(|_| store.conversation(conversation)));
    readers(&store).mend().await;
    assert!(all().await.iter().all(Result::is_ok));
    store.close().await;
    readers(&store).mend().await;
    assert!(matches!(store.conversation(conversation).await, Err(Error::Busy)), "what was closed stays closed");
}

#[tokio::test]
async fn after_an_unconfirmed_write_the_database_is_opened_anew() {
    let place = place();
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    say(&store, conversation, "before").await.unwrap();
    file(&store).note(super::Fault::Sync("io_fsync"), &"a test");
    assert!(!store.health().writable);
    // The writer was woken, and nobody needs to write for it.
    while !store.health().ready {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(say(&store, conversation, "after").await.unwrap(), 3);
    assert_eq!(store.events_after(conversation, 1).await.unwrap().len(), 2);

    // A disk that gave its word and lost what it was given.
    for _ in 0..10 {
        file(&store).committed(1);
    }
    file(&store).note(super::Fault::Sync("io_fsync"), &"a test");
    while !file(&store).has_lost() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(say(&store, conversation, "never").await, Err(Error::Busy)));
    let health = store.health();
    assert!(!health.ready && health.reason.unwrap().contains("lost"), "{health:?}");
    assert_eq!(store.events_after(conversation, 1).await.unwrap().len(), 2, "what is there can be read");
    let epoch = store.epoch().to_owned();
    store.close().await;
    // A restart does not forget it, and would give the lost numbers to other messages.
    for refused in [Store::open(&place.path, Clock::System).await, Store::visit(&place.path, Clock::System).await] {
        assert!(matches!(refused, Err(Error::File(FileError::Lost))), "{refused:?}");
    }
    let backup = place.path.with_file_name("backup.db");
    back_up(&place.path, &backup, false).await.unwrap();
    restore(&backup, &place.path, &Clock::System).await.unwrap();
    let store = open(&place.path).await;
    assert_ne!(store.epoch(), epoch);
    assert_eq!(say(&store, conversation, "anew").await.unwrap(), 4);
    store.close().await;
}

/// The schema of before the triggers, filled as that version did it, comes through the migration whole.
#[tokio::test]
async fn a_database_from_before_the_triggers_is_migrated() {
    let place = place();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&place.path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let first = super::open::SCHEMA.iter().filter(|step| step.version == 1).cloned().collect::<Vec<_>>();
    assert_eq!(first.len(), 1);
    let schema = sqlx::migrate::Migrator { migrations: first.into(), ..sqlx::migrate::Migrator::DEFAULT };
    schema.run(&mut connection).await.unwrap();
    let rows = "INSERT INTO meta VALUES ('epoch', 'old');
        INSERT INTO visitor VALUES (zeroblob(16), x'01', 1);
        INSERT INTO conversation (id, visitor_id, state, last_seq, created_at, updated_at, customer_turns)
            VALUES (x'00000000000000000000000000000001', zeroblob(16), 'bot', 2, 1, 2, 1);
        INSERT INTO event (conversation_id, seq, at, kind, visibility, author)
            VALUES (x'00000000000000000000000000000001', 1, 1, 'disclosure', 'all', 'system');
        INSERT INTO event (conversation_id, seq, at, kind, visibility, author, text)
            VALUES (x'00000000000000000000000000000001', 2, 2, 'message', 'all', 'customer', 'an old umbrella');
        INSERT INTO event_search VALUES ('an old umbrella', x'00000000000000000000000000000001', 2);
        INSERT INTO turn VALUES (x'00000000000000000000000000000001', 2, 2, 'rules', 'neutral', 0, 0, 0, NULL, 'reply', '[]', '{}')";
    sqlx::query(rows).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(verify(&place.path).await.unwrap().findings, [], "an old one can be looked over");

    let store = open(&place.path).await;
    let conversation = ConversationId(uuid::Uuid::from_u128(1));
    assert_eq!(say(&store, conversation, "a new umbrella").await.unwrap(), 3);
    let found = async |word: &str| {
        let filter = TranscriptFilter { query: Some(word.to_owned()), limit: 10, ..TranscriptFilter::default() };
        store.transcripts(&filter).await.unwrap().first().map(|row| row.turns)
    };
    assert_eq!((found("old").await, found("new").await, found("absent").await), (Some(2), Some(2), None));
    assert_eq!(store.epoch(), "old");
    assert_eq!(store.turns_after(conversation, 0).await.unwrap().len(), 1);
    store.close().await;
    assert_eq!(verify(&place.path).await.unwrap().findings, []);
}

#[tokio::test]
async fn the_log_is_emptied_when_nobody_writes() {
    let place = place();
    let store = open(&place.path).await;
    let conversation = converse(&store).await;
    let log = beside(&place.path, "-wal");
    say(&store, conversation, "hello").await.unwrap();
    assert!(log.metadata().unwrap().len() > 0);
    let until = std::time::Instant::now() + Duration::from_secs(15);
    while log.metadata().unwrap().len() > 0 {
        assert!(std::time::Instant::now() < until, "it still has {} bytes", log.metadata().unwrap().len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    store
        .change_owner(
            conversation,
            Change::Close { agent: crate::domain::AgentId(Clock::System.id()), survey: None },
            None,
            Timestamp(3),
        )
        .await
        .unwrap_err();
    assert_eq!(say(&store, conversation, "again").await.unwrap(), 3);
    store.close().await;
}
