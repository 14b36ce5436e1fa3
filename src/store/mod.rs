//! Storage: the only module that runs SQL. A method is one step of a use case and one transaction;
//! transactions never leave this module. It knows nothing of sockets, models or texts for people.
//!
//! SQLite and PostgreSQL stand behind one face (`database.rs`). Statements use `$n`, explicit columns and no
//! functions of one database, so that each is written once; what must differ stands as pairs in `sql.rs` and
//! `search.rs`.

mod agents;
mod archive;
mod attachments;
mod churn;
mod conversations;
mod database;
mod demo;
mod events;
mod handovers;
mod invitations;
mod labels;
mod leases;
mod location;
mod newest;
mod outbox;
mod ownership;
mod postgres;
mod readers;
mod reports;
mod retention;
mod rights;
mod search;
mod seats;
mod setup;
mod snippet;
mod sql;
mod sqlite;
#[cfg(test)]
mod tests;
mod turns;
mod visitors;
mod writer;

pub use agents::{AgentUpdate, Credentials, NewAgent};
pub use archive::{Archive, ArchivedTurn, HandoverLabels};
pub use attachments::Attached;
pub use conversations::{CardRow, Opening, Queued};
pub use events::{Appended, Guard, NewEvent, PAGE, is_last_page};
pub use handovers::{NewHandover, OpenWait, PastWait, Waiting};
pub use invitations::ArmCount;
pub use location::{Location, ServerUrl};
pub use newest::{NEWEST_PAGE, UPDATED_PAGE, UpdatedRow};
pub use outbox::{Attempt, Delivery, NewDelivery, OutboxKind};
pub use ownership::{Change, NextSurvey};
pub use reports::{DayCount, Figures, ReasonCount};
pub use retention::Forgotten;
pub use rights::{KnownVisitor, Rating, SurveyFacts};
pub use search::{HIT_END, HIT_START, TranscriptFilter, TranscriptRow};
pub use seats::{OtherSeat, OwnSeat};
pub use sqlite::{Backup, Check, FileError, Finding, Restored, StorageHealth, Verification, back_up, restore, verify};
pub use turns::{BotMessage, NextState, TurnOutcome, TurnWrite};
pub use visitors::Visitor;

use crate::clock::Clock;
use database::{Connection, Database};
use postgres::Postgres;
use sql::sql;
use writer::Writer;

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
    #[error(
        "the database has schema {found:?} and this version needs {expected:?}: start the server on it once, without --no-migrate"
    )]
    OtherSchema {
        /// What the database has; none if candor never opened it.
        found: Option<i64>,
        /// What this version needs.
        expected: Option<i64>,
    },
    /// The address of a server cannot be read.
    #[error("{0} is no address of a PostgreSQL database (postgres://user@host:port/database)")]
    Address(String),
    /// The server cannot be used.
    #[error("this PostgreSQL server cannot be used: {0}")]
    Unfit(String),
    /// The file is not opened, copied or put back.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl Error {
    /// Whether the database refused a value for what it is: the same write would be refused each time.
    #[must_use]
    pub fn is_refused_value(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let sqlx::Error::Database(cause) = error else { return matches!(error, sqlx::Error::Encode(_)) };
        let code = cause.code().unwrap_or_default();
        // PostgreSQL says five signs (classes 22, data, and 23, constraints), SQLite a number (too big, a constraint,
        // a wrong type).
        match code.parse::<i64>() {
            Ok(code) if cause.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() => {
                matches!(code & 0xff, 18..=20)
            }
            _ => code.starts_with("22") || code.starts_with("23"),
        }
    }
}

/// Result of a storage step.
pub type Result<T> = std::result::Result<T, Error>;

/// How a database is opened. What SQLite has no use for is passed over there.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections to a server at most.
    pub connections: u32,
    /// Whether a server's schema is brought up to date; SQLite's always is.
    pub migrate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 20, migrate: true }
    }
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    clock: Clock,
    epoch: String,
}

impl Store {
    /// Opens and migrates the database at `location`, for a server; a SQLite file is created, and belongs to the one
    /// server that has it.
    ///
    /// # Errors
    /// If it cannot be opened, another server has the file, the library or the server is too old, or a migration
    /// fails.
    pub async fn open(location: impl Into<Location>, clock: Clock) -> Result<Self> {
        Self::open_with(location, Options::default(), clock).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Store::open`]; `OtherSchema` if a server's schema is older than this version and stays as it is.
    pub async fn open_with(location: impl Into<Location>, options: Options, clock: Clock) -> Result<Self> {
        Self::open_for(location.into(), options, clock, sqlite::Use::Serve).await
    }

    /// Opens the database at `location` for a few statements, beside servers that may be running on it.
    ///
    /// # Errors
    /// If there is none, or no server of this version has opened it yet.
    pub async fn visit(location: impl Into<Location>, clock: Clock) -> Result<Self> {
        let options = Options { connections: 2, migrate: false };
        Self::open_for(location.into(), options, clock, sqlite::Use::Visit).await
    }

    async fn open_for(location: Location, options: Options, clock: Clock, purpose: sqlite::Use) -> Result<Self> {
        let (database, epoch) = match location {
            Location::File(path) => {
                let sqlite::Opened { file, connection, readers, epoch } = sqlite::open(&path, &clock, purpose).await?;
                let writer = Writer::start(connection, file.clone(), readers.clone());
                (Database::Sqlite { readers, writer, file }, epoch)
            }
            Location::Server(url) => {
                let server = Postgres::open(&url, &options).await?;
                let id = clock.id().to_string();
                let epoch = read_or_create_epoch(Connection::Postgres(&mut *server.get().await?), &id).await?;
                (Database::Postgres(server), epoch)
            }
        };
        Ok(Self { database, clock, epoch })
    }

    /// Identity of this history. It changes on a restore from backup, so that clients reload.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// How many messages wait to be stored.
    #[must_use]
    pub fn writes_waiting(&self) -> usize {
        self.database.writes_waiting()
    }

    /// Whether the database answers and takes writes.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<()> {
        if !self.database.is_running() {
            return Err(Error::Busy);
        }
        if self.database.answers().await? { Ok(()) } else { Err(Error::Busy) }
    }

    /// Whether storage can do its work, and what is wrong if it cannot.
    #[must_use]
    pub fn health(&self) -> StorageHealth {
        self.database.health()
    }

    /// Commits what is queued, then closes the connections and lets others have the database.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// Of several servers that start on an empty database at once, one writes its id.
async fn read_or_create_epoch(mut connection: Connection<'_>, id: &str) -> Result<String> {
    connection
        .query(sql!("INSERT INTO meta (key, value) VALUES ('epoch', $1) ON CONFLICT (key) DO NOTHING"))
        .bind(id)
        .execute()
        .await?;
    connection.query(sql!("SELECT value FROM meta WHERE key = 'epoch'")).scalar().await
}
