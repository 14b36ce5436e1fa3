//! The SQLite database as a file: who may open it, what state it is in, what is done when its disk fails, and how
//! it is copied, put back and looked over. It knows nothing of conversations but their tables.

mod backup;
mod check;
mod checkpoint;
mod fault;
mod file_system;
mod health;
mod lock;
mod open;
mod recovery;
mod restoring;
#[cfg(test)]
mod tests;
mod transitions;
mod verification;

pub use backup::{Backup, back_up};
pub use health::{Check, StorageHealth};
pub use restoring::{Restored, restore};
pub use verification::{Finding, Verification, verify};

pub(super) use fault::Fault;
pub(super) use open::{Opened, Use, open};
pub(super) use recovery::Lost;

use health::Health;
use lock::{Lock, Note};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, RwLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a database file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A server has it.
    #[error(
        "it is in use{}: one database belongs to one server. Stop that server first, or give this one another --database \
         (the lock {} ends with its process; deleting it lets two servers write and loses messages)",
        holder.map(|pid| format!(" by process {pid}")).unwrap_or_default(), lock.display()
    )]
    InUse {
        /// The process that has it, if it said so.
        holder: Option<u32>,
        /// The lock file.
        lock: PathBuf,
    },
    /// It lies where SQLite's locks and caches cannot be relied on.
    #[error("{} is on a network file system ({kind}), where SQLite loses data: put the database on a local disk", folder.display())]
    Network {
        /// Where it lies.
        folder: PathBuf,
        /// Which one.
        kind: String,
    },
    /// It may only be read.
    #[error("{} may not be written: give the account that runs candor the right to write the file and its folder", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{} is no SQLite database (its first bytes are not those of one); nothing was changed", path.display())]
    NotSqlite {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of candor has opened it.
    #[error(
        "it was made by a newer candor (schema {found}, this version knows {known}): use that version, or restore a backup made before"
    )]
    Newer {
        /// The schema that the file has.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// A restore began and did not end.
    #[error("a restore of it was interrupted: run `candor restore` again")]
    HalfRestored,
    /// The disk lost a commit that it had acknowledged.
    #[error(
        "its disk lost a message that had been acknowledged: restore a backup on a disk that can be trusted. Where there is \
         none, `candor backup` makes one of what is left, and `candor restore` of that gives it an identity of its own"
    )]
    Lost,
    /// Its log is there and it is not.
    #[error(
        "{} is missing, and {} beside it holds messages that belong to it: put the database back, or run `candor restore`, \
         which keeps that log under another name",
        path.display(), log.display()
    )]
    LogAlone {
        /// Where the database should be.
        path: PathBuf,
        /// Its log.
        log: PathBuf,
    },
    /// There is nothing.
    #[error("{}: there is no such file", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Something stands where a file is to be written.
    #[error("{} exists already; --force replaces it", path.display())]
    Exists {
        /// What stands there.
        path: PathBuf,
    },
    /// A copy did not stand the check, and was deleted.
    #[error("the copy is not sound and was deleted: {0}")]
    Unsound(String),
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FileError {
    /// An error at a path, in words where it is a matter of rights.
    fn of_io(source: io::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, source },
        }
    }
}

/// The opened database. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Device and inode of the file that was opened.
    identity: Option<(u64, u64)>,
    /// For a connection that writes.
    options: SqliteConnectOptions,
    /// None where a server has the database and this process only visits.
    lock: Mutex<Option<Lock>>,
    /// Whether this process is the server, which counts its commits in the file.
    serves: bool,
    health: Health,
    /// The number of the last commit that was told to anybody.
    commits: AtomicU64,
    /// Writes since the start.
    writes: AtomicUsize,
    /// Held for reading by whoever opens a connection of its own, for writing by the recovery, which needs all closed.
    gate: RwLock<()>,
    /// Wakes the writer when somebody else found that the disk cannot be trusted.
    alarm: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl DatabaseFile {
    /// What is known of its state.
    pub(super) fn health(&self) -> StorageHealth {
        self.0.health.get()
    }

    /// Notes a fault, and counts it.
    pub(super) fn note(&self, fault: Fault, error: &dyn std::fmt::Display) {
        self.0.health.note(fault, error);
        if matches!(fault, Fault::Sync(_)) {
            self.0.alarm.notify_one();
        }
    }

    /// Notes that storage takes writes.
    pub(super) fn note_sound(&self) {
        self.0.health.note_sound();
    }

    /// Whether a write that was not confirmed waits for the recovery.
    pub(super) fn is_suspect(&self) -> bool {
        self.0.health.is_suspect()
    }

    /// Whether something is wrong that a small write would tell to be over.
    pub(super) fn is_troubled(&self) -> bool {
        self.0.health.is_troubled()
    }

    /// Whether an acknowledged commit is gone: nothing may be written.
    pub(super) fn has_lost(&self) -> bool {
        self.0.health.has_lost()
    }

    /// Notes that an acknowledged commit is gone, for the next start too: it would give out the lost numbers again.
    fn note_lost(&self) {
        self.0.health.note_lost();
        let mut lock = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = lock.as_mut().map(|lock| lock.note(Note::Lost)) {
            tracing::error!(%error, "the loss could not be noted: do not start on this database again");
        }
    }

    /// Returns when somebody else than the writer found that the disk cannot be trusted.
    pub(super) async fn alarmed(&self) {
        self.0.alarm.notified().await;
    }

    /// The number that the next commit writes into the file; none for a visitor, whose commits the server does not
    /// count.
    pub(super) fn next_commit(&self) -> Option<u64> {
        self.0.serves.then(|| self.0.commits.load(Ordering::Acquire) + 1)
    }

    /// Notes that the commit with the next number is durable, with so many writes.
    pub(super) fn committed(&self, writes: usize) {
        self.0.commits.fetch_add(1, Ordering::AcqRel);
        self.0.writes.fetch_add(writes, Ordering::AcqRel);
    }

    /// Whether what was opened still stands at its path. Otherwise what is committed may be in no file that anybody
    /// will ever open again.
    pub(super) fn is_in_place(&self) -> bool {
        open::identity(&self.0.path) == self.0.identity
    }

    /// A connection that writes.
    pub(super) async fn connect(&self) -> sqlx::Result<SqliteConnection> {
        if !self.is_in_place() {
            return Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::NotFound, "the database file was moved")));
        }
        SqliteConnection::connect_with(&self.0.options).await
    }

    /// Ends the work beside the writer.
    pub(super) async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// After all connections are closed: notes that this was done in order, and lets others have the database.
    pub(super) fn release(&self) {
        let lock = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut lock) = lock else { return };
        // After trouble, or a check that did not end, the next start is to look at the file.
        let health = self.0.health.get();
        if health.ready
            && matches!(health.check, Check::NotNeeded | Check::Sound)
            && let Err(error) = lock.note(Note::Stopped)
        {
            tracing::warn!(%error, "the end of this run could not be noted: the next start will check the database");
        }
    }
}

/// The name of a file beside another.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a new name in the folder of `path` durable.
fn fsync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
