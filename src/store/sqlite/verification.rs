//! Looks a whole database over: SQLite's own check, and what must hold of our rows. It reads in one transaction, so
//! that a server may go on writing, and gives ids only, never a text.
//!
//! The statements of [`ROWS`] are portable, and use only what the first schema has: also an old backup can be looked
//! over; what is SQLite's alone stands in [`FILE`] and in the functions.

use super::open::{newest, refuse_newer, schema_of};
use super::{Fault, FileError, transitions};
use crate::domain::ConversationId;
use crate::store::{Error, Result};
use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::path::Path;

/// Most findings of one check.
pub(super) const MOST: i64 = 100;

/// Something that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check that found it.
    pub check: &'static str,
    /// What that means.
    pub about: &'static str,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The event or turn in it.
    pub seq: Option<i64>,
    /// What SQLite says: pages, tables, numbers of rows.
    pub detail: Option<String>,
}

/// What was looked over and found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Conversations.
    pub conversations: i64,
    /// Events of their logs.
    pub events: i64,
    /// What is wrong; at most a hundred of each check.
    pub findings: Vec<Finding>,
}

/// A check: name, what a finding means, and a statement that gives the conversation and the sequence number of each.
type Rows = (&'static str, &'static str, &'static str);

/// What must hold of the rows.
const ROWS: [Rows; 8] = [
    (
        "gap",
        "the log's numbers are not 1, 2, 3 and so on",
        "SELECT conversation_id, MAX(seq) FROM event GROUP BY conversation_id
         HAVING MIN(seq) <> 1 OR MAX(seq) <> COUNT(*) LIMIT $1",
    ),
    (
        "last_seq",
        "the counter is not the number of the newest event",
        "SELECT c.id, c.last_seq FROM conversation c
         WHERE c.last_seq <> (SELECT COALESCE(MAX(e.seq), 0) FROM event e WHERE e.conversation_id = c.id) LIMIT $1",
    ),
    (
        "customer_turns",
        "the count of what the customer said is wrong",
        "SELECT c.id, c.last_seq FROM conversation c
         WHERE c.customer_turns <> (SELECT COUNT(*) FROM event e WHERE e.conversation_id = c.id
                                    AND e.author = 'customer' AND e.kind IN ('message', 'human_request')) LIMIT $1",
    ),
    (
        "customer_read",
        "the customer has read what is not there",
        "SELECT id, customer_read FROM conversation WHERE customer_read < 0 OR customer_read > last_seq LIMIT $1",
    ),
    (
        "answered_twice",
        "a customer's event has two answers, or a client's message two places",
        "SELECT conversation_id, MAX(seq) FROM event WHERE in_reply_to IS NOT NULL
         GROUP BY conversation_id, in_reply_to HAVING COUNT(*) > 1
         UNION ALL
         SELECT conversation_id, MAX(seq) FROM event WHERE client_id IS NOT NULL
         GROUP BY conversation_id, client_id HAVING COUNT(*) > 1 LIMIT $1",
    ),
    (
        "answer",
        "an answer has no earlier customer's event that it answers",
        "SELECT r.conversation_id, r.seq FROM event r WHERE r.in_reply_to IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM event q WHERE q.conversation_id = r.conversation_id AND q.seq = r.in_reply_to
             AND q.seq < r.seq AND q.author = 'customer') LIMIT $1",
    ),
    (
        "turn",
        "a turn has no customer's event that it read",
        "SELECT t.conversation_id, t.seq FROM turn t WHERE NOT EXISTS
            (SELECT 1 FROM event e WHERE e.conversation_id = t.conversation_id AND e.seq = t.seq
             AND e.author = 'customer') LIMIT $1",
    ),
    (
        "owner",
        "the state does not fit its owner or its times",
        "SELECT id, last_seq FROM conversation
         WHERE state NOT IN ('bot', 'offered', 'queued', 'assigned', 'closed')
            OR (state = 'assigned' AND agent_id IS NULL) OR (state <> 'assigned' AND agent_id IS NOT NULL)
            OR (state = 'queued' AND queued_at IS NULL) OR (state = 'closed' AND closed_at IS NULL) LIMIT $1",
    ),
];

/// What must hold of the index of words, which is SQLite's own. Its inside is part of `integrity_check`.
const FILE: [Rows; 2] = [
    (
        "search",
        "a text cannot be found by its words",
        "SELECT conversation_id, seq FROM
            (SELECT conversation_id, seq, text FROM event WHERE text IS NOT NULL
             EXCEPT SELECT conversation_id, seq, text FROM event_search) LIMIT $1",
    ),
    (
        "search_left",
        "words are found of what is not there, or twice",
        "SELECT conversation_id, seq FROM
            (SELECT conversation_id, seq FROM
                (SELECT conversation_id, seq, text FROM event_search EXCEPT SELECT conversation_id, seq, text FROM event)
             UNION
             SELECT conversation_id, seq FROM event_search GROUP BY conversation_id, seq HAVING COUNT(*) > 1) LIMIT $1",
    ),
];

/// Looks over the SQLite database at `path`, which a server may be using.
///
/// # Errors
/// If it cannot be opened, is not candor's, or is a newer version's. What is wrong in it is no error but a finding.
pub async fn verify(path: &Path) -> Result<Verification> {
    let mut connection = open_to_read(path).await?;
    let outcome = look_over(&mut connection).await;
    let _ = connection.close().await;
    outcome
}

/// A connection that can do nothing but read.
pub(super) async fn open_to_read(path: &Path) -> Result<SqliteConnection> {
    if !path.exists() {
        return Err(FileError::Missing { path: path.to_owned() }.into());
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON");
    let opened = SqliteConnection::connect_with(&options).await;
    let mut connection = opened.map_err(|error| not_sqlite(error, path))?;
    // Nothing is read before the first statement: here it shows whether this is a database.
    sqlx::query("SELECT 1 FROM sqlite_master")
        .execute(&mut connection)
        .await
        .map_err(|error| not_sqlite(error, path))?;
    Ok(connection)
}

fn not_sqlite(error: sqlx::Error, path: &Path) -> Error {
    let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
    match code.as_deref() {
        Some("26") => FileError::NotSqlite { path: path.to_owned() }.into(),
        _ => error.into(),
    }
}

async fn look_over(connection: &mut SqliteConnection) -> Result<Verification> {
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    let mut findings = integrity(connection).await?;
    if !findings.is_empty() {
        // Of a damaged file the rows say nothing certain, and asking for them may fail.
        return Ok(Verification { conversations: 0, events: 0, findings });
    }
    let found = schema_of(connection).await?;
    refuse_newer(found)?;
    if found.is_none() {
        return Err(Error::OtherSchema { found, expected: newest() });
    }
    for (check, about, statement) in ROWS.into_iter().chain(FILE) {
        let rows: Vec<(Option<ConversationId>, Option<i64>)> =
            sqlx::query_as(statement).bind(MOST).fetch_all(&mut *connection).await?;
        let finding = |(conversation, seq)| Finding { check, about, conversation, seq, detail: None };
        findings.extend(rows.into_iter().map(finding));
    }
    findings.extend(references(connection).await?);
    findings.extend(transitions::illegal(connection).await?);
    let conversations = sqlx::query_scalar("SELECT COUNT(*) FROM conversation").fetch_one(&mut *connection).await?;
    let events = sqlx::query_scalar("SELECT COUNT(*) FROM event").fetch_one(&mut *connection).await?;
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(Verification { conversations, events, findings })
}

/// What SQLite finds: pages, indexes, checks of the schema, and the inside of the index of words.
async fn integrity(connection: &mut SqliteConnection) -> Result<Vec<Finding>> {
    let said: sqlx::Result<Vec<String>> =
        sqlx::query_scalar("PRAGMA integrity_check(100)").fetch_all(&mut *connection).await;
    let said = match said {
        Ok(said) => said,
        Err(error) if Fault::of(&error) == Some(Fault::Damaged) => vec![error.to_string()],
        Err(error) => return Err(error.into()),
    };
    let finding = |detail| Finding {
        check: "integrity",
        about: "the file is damaged",
        conversation: None,
        seq: None,
        detail: Some(detail),
    };
    Ok(said.into_iter().filter(|line| line != "ok").map(finding).collect())
}

/// Rows that point at nothing: what a deleted conversation left behind shows here.
async fn references(connection: &mut SqliteConnection) -> Result<Vec<Finding>> {
    let rows: Vec<(String, Option<i64>, String, i64)> =
        sqlx::query_as("PRAGMA foreign_key_check").fetch_all(connection).await?;
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let finding = |(table, row, parent, _): (String, Option<i64>, String, i64)| Finding {
        check: "reference",
        about: "a row belongs to something that is not there",
        conversation: None,
        seq: None,
        detail: Some(format!("{table} row {} points at no {parent}", row.unwrap_or_default())),
    };
    Ok(rows.into_iter().take(most).map(finding).collect())
}
