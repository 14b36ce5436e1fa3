//! A copy of a database that a server may be using: one consistent state, checked before it gets its name.

use super::verification::{Verification, open_to_read, verify};
use super::{FileError, beside, fsync_folder};
use crate::store::Result;
use sqlx::Connection as _;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a backup holds.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its size in bytes.
    pub bytes: u64,
    /// Conversations.
    pub conversations: i64,
    /// Events of their logs.
    pub events: i64,
    /// How long it took, with the check.
    pub took: Duration,
}

/// Writes the state of the database at `from` into the new file `to`. With `replace`, what stands there is replaced,
/// at once and only by a copy that stood the check.
///
/// # Errors
/// If something stands at `to`, the disk is full, or the copy is not sound; then no file is left at `to` that was not
/// there before.
pub async fn back_up(from: &Path, to: &Path, replace: bool) -> Result<Backup> {
    let begin = Instant::now();
    if to.exists() && !replace {
        return Err(FileError::Exists { path: to.to_owned() }.into());
    }
    let part = Part::create(to)?;
    copy(from, &part).await?;
    let Verification { conversations, events, .. } = require_sound(&part.path).await?;
    let bytes = part.keep(to)?;
    Ok(Backup { bytes, conversations, events, took: begin.elapsed() })
}

/// Copies the state of a database into an empty file.
pub(super) async fn copy(from: &Path, part: &Part) -> Result<()> {
    let mut source = open_to_read(from).await?;
    // One statement is one read transaction: the copy is the state of one moment. It leaves out free pages, so that
    // nothing that was deleted comes along.
    let copied =
        sqlx::query("VACUUM INTO $1").bind(part.path.to_string_lossy().into_owned()).execute(&mut source).await;
    let _ = source.close().await;
    copied?;
    Ok(())
}

/// Looks a file over that nobody uses.
///
/// # Errors
/// With the first finding.
pub(super) async fn require_sound(path: &Path) -> Result<Verification> {
    let found = verify(path).await?;
    match found.findings.first() {
        None => Ok(found),
        Some(first) => {
            let (count, detail) = (found.findings.len(), first.detail.clone().unwrap_or_default());
            Err(FileError::Unsound(format!("{} ({count} findings) {detail}", first.about)).into())
        }
    }
}

/// A file that has not got its name yet; deleted unless it is kept.
pub(super) struct Part {
    pub(super) path: PathBuf,
}

impl Part {
    /// An empty file beside `to` that only its owner may read. One that was left by an interrupted run is replaced.
    pub(super) fn create(to: &Path) -> std::result::Result<Self, FileError> {
        let path = beside(to, ".part");
        // With what belongs to it by its name: another one's journal would be played back into this one.
        for ending in ["", "-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(&path, ending));
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        options.open(&path).map_err(|error| FileError::of_io(error, &path))?;
        Ok(Self { path })
    }

    /// Gives it the name `to`, durably. Returns its size in bytes.
    pub(super) fn keep(&self, to: &Path) -> std::result::Result<u64, FileError> {
        let kept = || {
            let file = File::open(&self.path)?;
            file.sync_all()?;
            std::fs::rename(&self.path, to)?;
            fsync_folder(to)?;
            Ok(file.metadata()?.len())
        };
        kept().map_err(|source| FileError::Io { path: to.to_owned(), source })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After `keep` there is no such file.
        let _ = std::fs::remove_file(&self.path);
    }
}
