//! The stored past, to be read as a whole: every customer turn with its reading and its decision, for replays.
//!
//! Opens a database that a server may be using at the same time, reads only, and changes no schema.

use super::readers::Readers;
use super::{Error, Result};
use crate::domain::{ActionKind, ConversationId, EventKind, Reason, Timestamp};
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::BTreeMap;
use std::path::Path;

/// Turns in one page: a few megabytes of traces.
const PAGE: i64 = 1_000;

/// One customer turn of the past.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ArchivedTurn {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Sequence number of the customer's event.
    pub seq: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// A message, or the button for a person.
    pub kind: EventKind,
    /// The message.
    pub text: Option<String>,
    /// What was done.
    pub action: ActionKind,
    /// Why a person was offered or came.
    #[sqlx(json)]
    pub reasons: Vec<Reason>,
    /// Everything that the decision saw.
    #[sqlx(json)]
    pub trace: serde_json::Value,
}

/// When staff say that a person should have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandoverLabels {
    /// The turns at which one was needed; empty if none ever was.
    pub needed_at: Vec<i64>,
}

/// The past of one database.
#[derive(Clone, Debug)]
pub struct Archive {
    readers: Readers,
}

impl Archive {
    /// Opens the SQLite database at `path` for reading.
    ///
    /// # Errors
    /// If there is no such file, or no server of this version has opened it yet.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).pragma("query_only", "ON");
        let archive = Self { readers: Readers::open(&options).await? };
        let newest = sqlx::migrate!("migrations/sqlite").iter().map(|step| step.version).max();
        let found: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut *archive.readers.get().await?)
            .await?;
        if found == newest { Ok(archive) } else { Err(Error::OtherSchema { found, expected: newest }) }
    }

    /// The turns after `cursor` (a conversation and a sequence number), by conversation and then in the order of
    /// their log; at most a page of them. Only conversations that were opened at or after `since`; without the
    /// sample day's.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn turns(&self, cursor: Option<(ConversationId, i64)>, since: Timestamp) -> Result<Vec<ArchivedTurn>> {
        Ok(sqlx::query_as(
            "SELECT t.conversation_id, t.seq, t.at, e.kind, e.text, t.action, t.reasons, t.trace
             FROM turn t
             JOIN event e ON e.conversation_id = t.conversation_id AND e.seq = t.seq
             JOIN conversation c ON c.id = t.conversation_id
             WHERE c.demo = 0 AND c.created_at >= $1
               AND ($2 IS NULL OR t.conversation_id > $2 OR (t.conversation_id = $2 AND t.seq > $3))
             ORDER BY t.conversation_id, t.seq LIMIT $4",
        )
        .bind(since)
        .bind(cursor.map(|(conversation, _)| conversation))
        .bind(cursor.map_or(0, |(_, seq)| seq))
        .bind(PAGE)
        .fetch_all(&mut *self.readers.get().await?)
        .await?)
    }

    /// Every conversation that staff labelled.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn labels(&self) -> Result<BTreeMap<ConversationId, HandoverLabels>> {
        let rows: Vec<(ConversationId, i64, bool)> =
            sqlx::query_as("SELECT conversation_id, seq, needed FROM handover_label ORDER BY conversation_id, seq")
                .fetch_all(&mut *self.readers.get().await?)
                .await?;
        let mut labels: BTreeMap<ConversationId, HandoverLabels> = BTreeMap::new();
        for (conversation, seq, needed) in rows {
            let own = labels.entry(conversation).or_default();
            own.needed_at.extend(needed.then_some(seq));
        }
        Ok(labels)
    }

    /// How long agents were busy with conversations that they closed, in milliseconds from taking one to its end;
    /// the latest first, at most a thousand.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn handling_times(&self) -> Result<Vec<i64>> {
        Ok(sqlx::query_scalar(
            "SELECT c.closed_at - MIN(h.claimed_at) FROM handover h JOIN conversation c ON c.id = h.conversation_id
             WHERE c.closed_at IS NOT NULL AND h.claimed_at IS NOT NULL AND c.demo = 0
             GROUP BY c.id, c.closed_at ORDER BY c.closed_at DESC LIMIT 1000",
        )
        .fetch_all(&mut *self.readers.get().await?)
        .await?)
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.readers.close().await;
    }
}
