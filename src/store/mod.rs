//! Storage: the only module that runs SQL. A method is one step of a use case and one transaction;
//! transactions never leave this module. It knows nothing of sockets, models or texts for people.
//!
//! Statements use `$n`, explicit columns and no dialect functions, so that PostgreSQL takes the
//! same text; what must differ (full-text search) stands in `search.rs`.

mod agents;
mod archive;
mod churn;
mod conversations;
mod demo;
mod events;
mod handovers;
mod invitations;
mod labels;
mod outbox;
mod ownership;
mod readers;
mod reports;
mod search;
#[cfg(test)]
mod tests;
mod turns;
mod visitors;
mod writer;

pub use agents::{AgentUpdate, Credentials, NewAgent};
pub use archive::{Archive, ArchivedTurn, HandoverLabels};
pub use conversations::{CardRow, Forgotten, Opening, QueuePlace};
pub use events::{Appended, Guard, NewEvent};
pub use handovers::{NewHandover, PastWait, Waiting};
pub use invitations::ArmCount;
pub use outbox::{Attempt, Delivery, NewDelivery, OutboxKind};
pub use ownership::Change;
pub use reports::{DayCount, Figures, ReasonCount};
pub use search::{HIT_END, HIT_START, TranscriptFilter, TranscriptRow};
pub use turns::{BotMessage, NextState, TurnOutcome, TurnWrite};
pub use visitors::Visitor;

use crate::clock::Clock;
use readers::Readers;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};
use std::path::Path;
use std::time::Duration;
use writer::Writer;

/// The oldest SQLite without the WAL-reset corruption race (3.7.0 to 3.51.2 have it).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// What can go wrong in storage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The row that an operation needs does not exist.
    #[error("not found")]
    NotFound,
    /// The same client id was used for another content.
    #[error("this id was used before for something else")]
    Conflict,
    /// The conversation is closed.
    #[error("the conversation is closed")]
    Closed,
    /// Somebody else owns the conversation, or the step is not possible in its state.
    #[error("the conversation is not in a state that allows this")]
    NotOwner,
    /// A value that must be unique exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The writer has stopped, or its queue is full.
    #[error("storage is not accepting writes now")]
    Busy,
    /// The SQLite library in use has a known corruption bug.
    #[error("SQLite {0} is too old: 3.51.3 or later is needed")]
    OldSqlite(String),
    /// The database's schema is not the one of this version.
    #[error("the database has schema {found:?} and this version needs {expected:?}: start the server on it once")]
    OtherSchema {
        /// What the database has; none if candor never opened it.
        found: Option<i64>,
        /// What this version needs.
        expected: Option<i64>,
    },
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Result of a storage step.
pub type Result<T> = std::result::Result<T, Error>;

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    readers: Readers,
    writer: Writer,
    clock: Clock,
    epoch: String,
}

impl Store {
    /// Opens (and creates, and migrates) the SQLite database at `path`.
    ///
    /// # Errors
    /// If the file cannot be opened, the library is too old, or a migration fails.
    pub async fn open(path: &Path, clock: Clock) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged message survives a power cut; group commit pays for it.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .pragma("mmap_size", "0")
            .pragma("secure_delete", "ON")
            .pragma("journal_size_limit", "67108864")
            .pragma("temp_store", "MEMORY");
        let mut connection = SqliteConnection::connect_with(&options).await?;
        require_sound_sqlite(&mut connection).await?;
        sqlx::migrate!("migrations/sqlite").run(&mut connection).await?;
        let epoch = read_or_create_epoch(&mut connection, &clock).await?;
        let readers = Readers::open(&options.pragma("query_only", "ON")).await?;
        Ok(Self { readers, writer: Writer::start(connection), clock, epoch })
    }

    /// Identity of this history. It changes on a restore from backup, so that clients reload.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Whether the database answers and takes writes.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<()> {
        if !self.writer.is_running() {
            return Err(Error::Busy);
        }
        sqlx::query("SELECT 1").execute(&mut *self.readers.get().await?).await?;
        Ok(())
    }

    /// Commits what is queued, then closes the connections.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.readers.close().await;
    }
}

async fn require_sound_sqlite(connection: &mut SqliteConnection) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < OLDEST_SQLITE {
        return Err(Error::OldSqlite(version));
    }
    Ok(())
}

async fn read_or_create_epoch(connection: &mut SqliteConnection, clock: &Clock) -> Result<String> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ('epoch', $1) ON CONFLICT (key) DO NOTHING")
        .bind(clock.id().to_string())
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = 'epoch'").fetch_one(connection).await?)
}
