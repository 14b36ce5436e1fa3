//! Opening: everything that must hold before the first statement, in an order in which nothing is changed that is
//! not ours.

use super::health::{Check, Health};
use super::lock::{self, Lock, Note};
use super::{DatabaseFile, Fault, FileError, Inner, beside, file_system, folder_of, recovery};
use crate::clock::Clock;
use crate::store::readers::Readers;
use crate::store::{Error, Result};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The oldest SQLite without the WAL-reset corruption race (3.7.0 to 3.51.2 have it).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// The first bytes of every SQLite database.
const MAGIC: [u8; 16] = *b"SQLite format 3\0";
/// The schema, step by step.
pub(super) static SCHEMA: Migrator = sqlx::migrate!("migrations/sqlite");

/// What a process wants from the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Use {
    /// To be its server: alone, bringing the schema up to date.
    Serve,
    /// A few statements beside a server that may be running: no lock, and the schema must be this version's.
    Visit,
}

/// What opening gives.
pub(in crate::store) struct Opened {
    pub(in crate::store) file: DatabaseFile,
    /// The connection that writes.
    pub(in crate::store) connection: SqliteConnection,
    pub(in crate::store) readers: Readers,
    pub(in crate::store) epoch: String,
}

/// Opens the database at `path`; a server makes it if it is not there.
pub(in crate::store) async fn open(path: &Path, clock: &Clock, purpose: Use) -> Result<Opened> {
    let path = resolve(path)?;
    let (lock, last) = match purpose {
        Use::Serve => {
            require_local(&path)?;
            let (mut lock, last) = Lock::take(&path).await?;
            if let Some(refusal) = last.refusal() {
                return Err(refusal.into());
            }
            lock.note(Note::Running)?;
            (Some(lock), last)
        }
        Use::Visit => match lock::noted(&path).refusal() {
            Some(refusal) => return Err(refusal.into()),
            None => (None, Note::Stopped),
        },
    };
    let is_new = look_at(&path)?;
    if is_new && purpose == Use::Visit {
        return Err(FileError::Missing { path }.into());
    }
    refuse_log_alone(&path, is_new)?;
    if last != Note::Stopped {
        // The last run may have ended at a write that the disk did not take and the system still shows.
        recovery::forget_cached(&path);
    }
    let options = options(&path).create_if_missing(purpose == Use::Serve);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    require_sound_sqlite(&mut connection).await?;
    // Before anything is appended to a log that may not be on the disk as it is shown. Where that fails, for lack of
    // space or by a broken disk, the writer tries it again before it writes anything.
    let unsettled = match purpose {
        Use::Serve if last != Note::Stopped && !is_new => recovery::write_out(&mut connection).await.err(),
        _ => None,
    };
    let schema = schema_of(&mut connection).await?;
    match purpose {
        Use::Serve => {
            refuse_newer(schema)?;
            SCHEMA.run(&mut connection).await?;
        }
        Use::Visit => require_schema(schema)?,
    }
    let epoch = read_or_create(&mut connection, "epoch", &clock.id().to_string()).await?;
    let commits = read_or_create(&mut connection, "commits", "0").await?;
    // Only the first connection may make the file: a later one would put an empty one in the place of what was moved,
    // and SQLite would delete the log by its name.
    let options = options.create_if_missing(false);
    let inner = Inner {
        lock: Mutex::new(lock),
        serves: purpose == Use::Serve,
        health: Health::default(),
        commits: AtomicU64::new(commits.parse().unwrap_or(0)),
        writes: Default::default(),
        gate: Default::default(),
        alarm: Default::default(),
        stop: Default::default(),
        tasks: Default::default(),
        identity: identity(&path),
        path,
        options: options.clone(),
    };
    inner.health.note_sound();
    let database = DatabaseFile(Arc::new(inner));
    let readers = Readers::open(&options.pragma("query_only", "ON")).await?;
    if let Some(error) = unsettled {
        database.note(Fault::Sync("io_fsync"), &error);
    }
    if purpose == Use::Serve {
        database.start_upkeep(readers.clone());
        if last != Note::Stopped && !is_new {
            database.0.health.note_check(Check::Running);
            database.start_check();
        }
    }
    Ok(Opened { file: database, connection, readers, epoch })
}

/// How every connection of ours that may write is set.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
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
        // Checkpoints are made between transactions and beside them, where their errors are seen.
        .pragma("wal_autocheckpoint", "0")
        .pragma("temp_store", "MEMORY")
}

/// Which file stands at a path now; none if there is none.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Here files cannot be moved while they are open.
#[cfg(not(unix))]
pub(super) fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}

/// The file that a path means, through links, so that one database has one lock.
pub(super) fn resolve(path: &Path) -> std::result::Result<PathBuf, FileError> {
    match std::fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or_else(|| FileError::Missing { path: path.to_owned() })?;
            let folder = folder_of(path);
            Ok(std::fs::canonicalize(folder).map_err(|error| FileError::of_io(error, folder))?.join(name))
        }
        found => found.map_err(|error| FileError::of_io(error, path)),
    }
}

pub(super) fn require_local(path: &Path) -> std::result::Result<(), FileError> {
    let folder = folder_of(path);
    match file_system::network(folder) {
        Some(kind) => Err(FileError::Network { folder: folder.to_owned(), kind }),
        None => Ok(()),
    }
}

/// Whether there is no database yet; an error if what is there is none, or may not be written.
///
/// Only while this process has no connection to the file: closing any handle on it drops SQLite's locks.
pub(super) fn look_at(path: &Path) -> std::result::Result<bool, FileError> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(FileError::of_io(error, path)),
    };
    let mut first = Vec::with_capacity(MAGIC.len());
    file.by_ref()
        .take(MAGIC.len() as u64)
        .read_to_end(&mut first)
        .map_err(|source| FileError::Io { path: path.to_owned(), source })?;
    match first.as_slice() {
        [] => Ok(true),
        found if found == MAGIC => Ok(false),
        _ => Err(FileError::NotSqlite { path: path.to_owned() }),
    }
}

/// SQLite would delete a log that has no database, with every message in it.
fn refuse_log_alone(path: &Path, is_new: bool) -> std::result::Result<(), FileError> {
    let log = beside(path, "-wal");
    if is_new && std::fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
        return Err(FileError::LogAlone { path: path.to_owned(), log });
    }
    Ok(())
}

pub(super) async fn require_sound_sqlite(connection: &mut SqliteConnection) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < OLDEST_SQLITE {
        return Err(Error::OldSqlite(version));
    }
    Ok(())
}

/// The newest step of the schema that the file has; none if candor never opened it.
pub(super) async fn schema_of(connection: &mut SqliteConnection) -> Result<Option<i64>> {
    let known: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if known == 0 {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success").fetch_one(connection).await?)
}

/// The newest step that this version knows.
pub(super) fn newest() -> Option<i64> {
    SCHEMA.iter().map(|step| step.version).max()
}

/// A database that a newer version changed is left alone.
pub(super) fn refuse_newer(schema: Option<i64>) -> std::result::Result<(), FileError> {
    match (schema, newest()) {
        (Some(found), Some(known)) if found > known => Err(FileError::Newer { found, known }),
        _ => Ok(()),
    }
}

/// For whoever reads, or writes beside a server: the schema is this version's.
pub(super) fn require_schema(found: Option<i64>) -> Result<()> {
    refuse_newer(found)?;
    let expected = newest();
    if found == expected { Ok(()) } else { Err(Error::OtherSchema { found, expected }) }
}

async fn read_or_create(connection: &mut SqliteConnection, key: &str, value: &str) -> Result<String> {
    let found = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1").bind(key).fetch_optional(&mut *connection);
    if let Some(found) = found.await? {
        return Ok(found);
    }
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING")
        .bind(key)
        .bind(value)
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = $1").bind(key).fetch_one(connection).await?)
}
