//! After a write that the disk could not confirm. The system may hold in memory what the disk has not, marked as
//! written, so that asking again would succeed without a cause. Therefore: all connections are closed, the system is
//! made to forget the files, what the log says is written into the database and confirmed, and only if the last commit
//! that was acknowledged is in it does anything go on.

use super::{DatabaseFile, beside, file_system};
use crate::store::readers::Readers;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Why there is no connection afterwards.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Lost {
    /// A commit is gone that somebody was told of: nothing may be written any more.
    #[error("commit {found} is the last on the disk, and {acknowledged} had been acknowledged")]
    Commit {
        /// The number in the file.
        found: u64,
        /// The number that was told.
        acknowledged: u64,
    },
    /// The database could not be opened: it may be later.
    #[error(transparent)]
    NotYet(#[from] sqlx::Error),
}

/// Makes the system forget what it holds of a database and its log in memory.
///
/// Only while this process has no connection to it.
pub(super) fn forget_cached(path: &Path) {
    file_system::forget_cached(path);
    file_system::forget_cached(&beside(path, "-wal"));
}

/// Writes what the log says into the database, waits for the disk, and begins a new log. What the system shows of the
/// log may be what the disk never took: appending to it would build on that, and no later sync would bring it back.
pub(super) async fn write_out(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let (blocked, ..): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    if blocked == 0 { Ok(()) } else { Err(sqlx::Error::Protocol("somebody else reads the log".to_owned())) }
}

impl DatabaseFile {
    /// Opens the database anew from the disk. `connection` is the writer's. Afterwards readers read again, also where
    /// a commit was lost: what is there can still be seen.
    pub(in crate::store) async fn recover(
        &self,
        connection: Option<SqliteConnection>,
        readers: &Readers,
    ) -> Result<SqliteConnection, Lost> {
        let _alone = self.0.gate.write().await;
        let last = self.connect_last().await;
        if let Some(connection) = connection {
            let _ = connection.close().await;
        }
        readers.suspend().await;
        if let Ok(last) = last {
            let _ = last.close().await;
        }
        forget_cached(&self.0.path);
        let mut connection = self.connect().await?;
        write_out(&mut connection).await?;
        let found: String =
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'commits'").fetch_one(&mut connection).await?;
        readers.resume().await?;
        let (found, acknowledged) = (found.parse().unwrap_or(0), self.0.commits.load(Ordering::Acquire));
        if found < acknowledged {
            self.note_lost();
            return Err(Lost::Commit { found, acknowledged });
        }
        // The group that was not confirmed may be there after all; its callers were told nothing.
        self.0.commits.store(found, Ordering::Release);
        self.0.health.note_recovered();
        Ok(connection)
    }

    /// The connection that is closed last. Whoever may write and closes last copies the log into the database, and
    /// that from memory: this one may not write.
    async fn connect_last(&self) -> sqlx::Result<SqliteConnection> {
        let mut last =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&self.0.path).read_only(true)).await?;
        sqlx::query("SELECT 1 FROM meta").execute(&mut last).await?;
        Ok(last)
    }
}
