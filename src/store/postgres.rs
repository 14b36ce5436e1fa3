//! A PostgreSQL server: a pool of connections, each of which may read and write. A write is one transaction at the
//! default isolation level; whatever it decides on is locked first, so that several servers can share a database.

use super::database::Connection;
use super::location::ServerUrl;
use super::{Error, Options, Result};
use crate::server_address;
use crate::telemetry::{COMMIT_SECONDS, COMMITS, STORE_REFUSED, STORE_WRITABLE};
use futures_util::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection, PgPool};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// The oldest server that is tested.
const OLDEST_SERVER: i32 = 150_000;
/// Urgent writes that may wait before a caller is told that storage is busy.
const QUEUE: usize = 1_024;
/// How long somebody waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is asked whether it still lives.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Times that a transaction is tried when it loses against another one.
const ATTEMPTS: u32 = 5;
/// The pause before it is tried again, which grows with each time.
const PAUSE: Duration = Duration::from_millis(10);

/// Settings of every connection that serves. What is acknowledged has been flushed, whatever the server's own
/// default; nothing runs, waits or holds locks for ever.
const SESSION: [(&str, &str); 4] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "30s"),
];

/// The schema's steps. A newer version may have been here: its steps only add, and this one goes on beside it.
pub(super) fn steps() -> Migrator {
    let mut steps = sqlx::migrate!("migrations/postgres");
    steps.set_ignore_missing(true);
    steps
}

/// A server. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pool: PgPool,
    /// Places of urgent writes, running or waiting.
    urgent: Arc<Semaphore>,
    /// Connections that background writes may hold at a time.
    background: Arc<Semaphore>,
}

impl Postgres {
    /// Connects, brings the schema up to date or checks that it is, and opens the pool.
    pub(super) async fn open(url: &ServerUrl, options: &Options) -> Result<Self> {
        let place = parse(url)?;
        prepare(&place, options.migrate).await.map_err(|error| explain(error, &place))?;
        Self::connect(place, options, &SESSION).await
    }

    /// Opens a pool that cannot write, on a schema of this version.
    pub(super) async fn open_to_read(url: &ServerUrl) -> Result<Self> {
        let place = parse(url)?;
        prepare(&place, false).await.map_err(|error| explain(error, &place))?;
        Self::connect(place, &Options::default(), &[("default_transaction_read_only", "on")]).await
    }

    async fn connect(place: PgConnectOptions, options: &Options, session: &[(&str, &str)]) -> Result<Self> {
        let connections = options.connections.max(2);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE)
            // Asking a connection that answered a moment ago would cost each read a second way to the server.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move { Ok(about.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) })
            })
            .connect_with(place.options(session.iter().copied()))
            .await?;
        let background = usize::try_from(connections / 4).unwrap_or(1).max(1);
        Ok(Self { pool, urgent: Arc::new(Semaphore::new(QUEUE)), background: Arc::new(Semaphore::new(background)) })
    }

    /// A connection, as soon as there is one.
    pub(super) async fn get(&self) -> Result<PoolConnection<sqlx::Postgres>> {
        self.pool.acquire().await.map_err(classify)
    }

    /// Urgent writes that found every connection taken.
    pub(super) fn urgent_waiting(&self) -> usize {
        let running = usize::try_from(self.pool.options().get_max_connections()).unwrap_or(usize::MAX);
        (QUEUE - self.urgent.available_permits()).saturating_sub(running)
    }

    /// See [`Database::write`](super::database::Database::write).
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T>
    where
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Clone,
    {
        let _place = self.urgent.try_acquire().map_err(|_| refused())?;
        self.run(job, false).await
    }

    /// See [`Database::write_in_background`](super::database::Database::write_in_background).
    pub(super) async fn write_in_background<T, F>(&self, job: F) -> Result<T>
    where
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Clone,
    {
        let _place = self.background.acquire().await.map_err(|_| Error::Busy)?;
        self.run(job, false).await
    }

    /// See [`Database::write_single`](super::database::Database::write_single): the statement is its own transaction.
    pub(super) async fn write_single<T, F>(&self, job: F) -> Result<T>
    where
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Clone,
    {
        let _place = self.urgent.try_acquire().map_err(|_| refused())?;
        self.run(job, true).await
    }

    /// Runs a job, again if it lost against another transaction, and says that storage is busy when it goes on losing.
    async fn run<T, F>(&self, job: F, single: bool) -> Result<T>
    where
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Clone,
    {
        let begin = Instant::now();
        for tried in 1..=ATTEMPTS {
            let job = job.clone();
            let outcome = if single { self.run_alone(job).await } else { self.transact(job).await };
            match outcome {
                Err(error) if is_conflict(&error) => tokio::time::sleep(PAUSE * tried).await,
                outcome => {
                    count(&outcome, begin);
                    return outcome;
                }
            }
        }
        count::<()>(&Err(Error::Busy), begin);
        Err(Error::Busy)
    }

    /// Whether this server takes writes: a standby, or a primary that was taken out of service, answers and does not.
    pub(super) async fn is_writable(&self) -> Result<bool> {
        let mut connection = self.get().await?;
        let writable =
            sqlx::query_scalar("SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'");
        writable.fetch_one(&mut *connection).await.map_err(classify)
    }

    async fn run_alone<T, F>(&self, job: F) -> Result<T>
    where
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>>,
    {
        let mut connection = self.get().await?;
        job(Connection::Postgres(&mut connection)).await
    }

    async fn transact<T, F>(&self, job: F) -> Result<T>
    where
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>>,
    {
        let mut transaction = self.pool.begin().await.map_err(classify)?;
        match job(Connection::Postgres(&mut transaction)).await {
            Ok(value) => {
                transaction.commit().await.map_err(classify)?;
                Ok(value)
            }
            Err(error) => {
                // Its locks go now, not when the connection is used again.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    pub(super) fn is_running(&self) -> bool {
        !self.pool.is_closed()
    }

    /// Waits for what is running, then closes the connections.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A write for which there was no place.
fn refused() -> Error {
    metrics::counter!(STORE_REFUSED).increment(1);
    Error::Busy
}

/// What a write told of the server. That a statement was refused tells nothing.
fn count<T>(outcome: &Result<T>, begin: Instant) {
    match outcome {
        Ok(_) => {
            metrics::counter!(COMMITS).increment(1);
            metrics::histogram!(COMMIT_SECONDS).record(begin.elapsed());
            metrics::gauge!(STORE_WRITABLE).set(1.0);
        }
        Err(Error::Busy) => {
            metrics::counter!(STORE_REFUSED).increment(1);
            metrics::gauge!(STORE_WRITABLE).set(0.0);
        }
        Err(_) => {}
    }
}

/// Codes of PostgreSQL: a serialisation failure and a deadlock, of which the other side goes on.
fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Database(sqlx::Error::Database(cause)) if matches!(cause.code().as_deref(), Some("40001" | "40P01")))
}

/// What a failure means for whoever asked: a server that is away, full, stopping, or not the primary any more is
/// busy, and clients send again.
pub(super) fn classify(error: sqlx::Error) -> Error {
    let away = match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| is_away(&code)),
        _ => false,
    };
    if away {
        tracing::warn!(%error, "the database is not available");
        return Error::Busy;
    }
    Error::Database(error)
}

/// Classes 08 (connection), 53 (resources), 57P (operator), and a server that has become read-only, a lock and a
/// statement that took too long.
fn is_away(code: &str) -> bool {
    code.starts_with("08")
        || code.starts_with("53")
        || code.starts_with("57P")
        || matches!(code, "25006" | "55P03" | "57014")
}

/// The way to the server, without what may be said about the address in an error.
fn parse(url: &ServerUrl) -> Result<PgConnectOptions> {
    let place = server_address::read(url.reveal()).ok_or_else(|| Error::Address(url.to_string()))?;
    Ok(place.application_name("candor"))
}

/// An error of the first connection, with what helps against it.
fn explain(error: Error, place: &PgConnectOptions) -> Error {
    let unsafe_way = match &error {
        Error::Database(sqlx::Error::Tls(_)) => true,
        // A certificate that does not hold.
        Error::Database(sqlx::Error::Io(cause)) => cause.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    };
    if unsafe_way && matches!(place.get_ssl_mode(), PgSslMode::VerifyFull) {
        return Error::Unfit(format!("{error} (?sslrootcert= names who vouches for it, ?sslmode= asks for less)"));
    }
    error
}

/// One connection of its own, which no time limit interrupts: checks the server and its schema.
async fn prepare(place: &PgConnectOptions, migrate: bool) -> Result<()> {
    let mut connection = PgConnection::connect_with(place).await?;
    let outcome = check(&mut connection, migrate).await;
    let _ = connection.close().await;
    outcome
}

async fn check(connection: &mut PgConnection, migrate: bool) -> Result<()> {
    let (version, encoding): (i32, String) =
        sqlx::query_as("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
            .fetch_one(&mut *connection)
            .await?;
    if version < OLDEST_SERVER {
        return Err(Error::Unfit(format!("version {} is older than 15", version / 10_000)));
    }
    if encoding != "UTF8" {
        return Err(Error::Unfit(format!("the database has the encoding {encoding} and not UTF8")));
    }
    let unsafe_settings: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    if !unsafe_settings.is_empty() {
        // Not refused: a database for tests is faster so. It is said at every start.
        tracing::error!(
            settings = unsafe_settings.join(", "),
            "the PostgreSQL server runs with this off: a power cut loses messages that were acknowledged"
        );
    }
    if migrate {
        return Ok(steps().run(connection).await?);
    }
    let expected = steps().iter().map(|step| step.version).max();
    let known: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    let found: Option<i64> = if known {
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success").fetch_one(connection).await?
    } else {
        None
    };
    if found >= expected { Ok(()) } else { Err(Error::OtherSchema { found, expected }) }
}
