//! The stored past, to be read as a whole: every customer turn with its reading and its decision, for replays.
//!
//! Opens a database that a server may be using at the same time, reads only, and changes no schema.

use super::database::Reader;
use super::postgres::Postgres;
use super::readers::Readers;
use super::sql::sql;
use super::{Error, Location, Result};
use crate::domain::{ActionKind, ConversationId, EventKind, Reason, Timestamp};
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

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
    database: ReadOnly,
}

/// Connections that cannot write.
#[derive(Clone, Debug)]
enum ReadOnly {
    Sqlite(Readers),
    Postgres(Postgres),
}

impl ReadOnly {
    async fn read(&self) -> Result<Reader<'_>> {
        match self {
            Self::Sqlite(readers) => readers.get().await.map(Reader::Sqlite),
            Self::Postgres(server) => server.get().await.map(Reader::Postgres),
        }
    }
}

impl Archive {
    /// Opens the database at `location` for reading.
    ///
    /// # Errors
    /// If there is none, or no server of this version has opened it yet.
    pub async fn open(location: impl Into<Location>) -> Result<Self> {
        match location.into() {
            Location::File(path) => Self::open_file(&path).await,
            Location::Server(url) => Ok(Self { database: ReadOnly::Postgres(Postgres::open_to_read(&url).await?) }),
        }
    }

    async fn open_file(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).pragma("query_only", "ON");
        let archive = Self { database: ReadOnly::Sqlite(Readers::open(&options).await?) };
        let newest = sqlx::migrate!("migrations/sqlite").iter().map(|step| step.version).max();
        let newest_here = sql!("SELECT MAX(version) FROM _sqlx_migrations WHERE success");
        let found: Option<i64> = archive.database.read().await?.query(newest_here).scalar().await?;
        if found == newest { Ok(archive) } else { Err(Error::OtherSchema { found, expected: newest }) }
    }

    /// The turns after `cursor` (a conversation and a sequence number), by conversation and then in the order of
    /// their log; at most a page of them. Only conversations that were opened at or after `since`; without the
    /// sample day's.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn turns(&self, cursor: Option<(ConversationId, i64)>, since: Timestamp) -> Result<Vec<ArchivedTurn>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT t.conversation_id, t.seq, t.at, e.kind, e.text, t.action, t.reasons, t.trace
             FROM turn t
             JOIN event e ON e.conversation_id = t.conversation_id AND e.seq = t.seq
             JOIN conversation c ON c.id = t.conversation_id
             WHERE NOT c.demo AND c.created_at >= $1
               AND (t.conversation_id > $2 OR (t.conversation_id = $2 AND t.seq > $3))
             ORDER BY t.conversation_id, t.seq LIMIT $4"
            ))
            .bind(since)
            .bind(cursor.map_or(Uuid::nil(), |(conversation, _)| conversation.0))
            .bind(cursor.map_or(0, |(_, seq)| seq))
            .bind(PAGE)
            .fetch_all()
            .await
    }

    /// Every conversation that staff labelled.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn labels(&self) -> Result<BTreeMap<ConversationId, HandoverLabels>> {
        let rows: Vec<(ConversationId, i64, bool)> = self
            .database
            .read()
            .await?
            .query(sql!("SELECT conversation_id, seq, needed FROM handover_label ORDER BY conversation_id, seq"))
            .fetch_all()
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
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT c.closed_at - MIN(h.claimed_at) FROM handover h JOIN conversation c ON c.id = h.conversation_id
             WHERE c.closed_at IS NOT NULL AND h.claimed_at IS NOT NULL AND NOT c.demo
             GROUP BY c.id, c.closed_at ORDER BY c.closed_at DESC LIMIT 1000"
            ))
            .scalars()
            .await
    }

    /// Closes the connections.
    pub async fn close(&self) {
        match &self.database {
            ReadOnly::Sqlite(readers) => readers.close().await,
            ReadOnly::Postgres(server) => server.close().await,
        }
    }
}
