//! Puts a backup in the place of a database. What was there is kept under another name, and the history gets a new
//! identity, so that no client takes the old one's numbers for this one's.

use super::backup::{Part, copy, require_sound};
use super::lock::{Lock, Note};
use super::open::{require_local, require_sound_sqlite, resolve};
use super::verification::Verification;
use super::{FileError, beside, fsync_folder};
use crate::clock::Clock;
use crate::store::Result;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a restore put in place.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Conversations.
    pub conversations: i64,
    /// Events of their logs.
    pub events: i64,
    /// Where the old database is now; none if there was none.
    pub kept: Option<PathBuf>,
    /// How long it took.
    pub took: Duration,
}

/// Puts a copy of the backup `from` in the place of the database `to`.
///
/// # Errors
/// If a server has the database, or the backup is not sound or not of this version; then nothing was changed. If the
/// disk fails in between, the server refuses to start until a restore has ended.
pub async fn restore(from: &Path, to: &Path, clock: &Clock) -> Result<Restored> {
    let begin = Instant::now();
    let to = resolve(to)?;
    require_local(&to)?;
    let (mut lock, _) = Lock::take(&to).await?;
    let (part, found) = prepare(from, &to, clock).await?;
    lock.note(Note::Restoring)?;
    let kept = put_aside(&to, clock)?;
    part.keep(&to)?;
    lock.note(Note::Stopped)?;
    let Verification { conversations, events, .. } = found;
    Ok(Restored { conversations, events, kept, took: begin.elapsed() })
}

/// A sound copy with an identity of its own, beside the place where it is to stand.
async fn prepare(from: &Path, to: &Path, clock: &Clock) -> Result<(Part, Verification)> {
    require_sound(from).await?;
    let part = Part::create(to)?;
    // Not copied as a file: a log that lies beside it belongs to it.
    copy(from, &part).await?;
    let options = SqliteConnectOptions::new()
        .filename(&part.path)
        .synchronous(SqliteSynchronous::Full)
        .journal_mode(SqliteJournalMode::Delete);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    require_sound_sqlite(&mut connection).await?;
    sqlx::query("UPDATE meta SET value = $1 WHERE key = 'epoch'")
        .bind(clock.id().to_string())
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    let found = require_sound(&part.path).await?;
    Ok((part, found))
}

/// Renames what is there, the database and its log: together they are the old state. A log without its database goes
/// too: SQLite knows it by its name alone, and would write it over the backup.
fn put_aside(to: &Path, clock: &Clock) -> std::result::Result<Option<PathBuf>, FileError> {
    let kept = beside(to, &format!(".before-{}", clock.id().simple()));
    let mut any = false;
    for ending in ["-wal", "-shm", ""] {
        let (old, new) = (beside(to, ending), beside(&kept, ending));
        if old.exists() {
            std::fs::rename(&old, &new).map_err(|source| FileError::Io { path: old, source })?;
            any = true;
        }
    }
    fsync_folder(to).map_err(|source| FileError::Io { path: to.to_owned(), source })?;
    Ok(any.then_some(kept))
}
