//! One server for one database: a file beside it that the operating system locks for as long as the process lives,
//! however it ends. The same file remembers how the last run ended.

use super::{FileError, fsync_folder};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a start waits for the run before it to end.
const WAIT: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// Bytes of a note, with the number of a process and a line's end.
const RECORD: usize = 32;

/// What the file says of its latest holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It closed the database in order.
    Stopped,
    /// It serves, or was cut off; also where nothing is known of it.
    Running,
    /// It is putting a backup in the database's place, or did not finish that.
    Restoring,
    /// The disk lost a commit that it had acknowledged: until a restore, nobody may open what is left.
    Lost,
}

impl Note {
    /// Why a database with this note is not opened, if it is not.
    pub(super) fn refusal(self) -> Option<FileError> {
        match self {
            Self::Stopped | Self::Running => None,
            // What lies there may be nothing: a new database would hide that.
            Self::Restoring => Some(FileError::HalfRestored),
            Self::Lost => Some(FileError::Lost),
        }
    }
}

/// The lock, held until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of the database at `path`, waiting a little for a run that is just ending. Says what that one
    /// left behind, which stays noted until [`Lock::note`].
    pub(super) async fn take(path: &Path) -> Result<(Self, Note), FileError> {
        let path = path_of(path);
        let mut file = open(&path).map_err(|error| FileError::of_io(error, &path))?;
        let until = Instant::now() + WAIT;
        loop {
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => break,
                // Somebody deleted it meanwhile: what was locked is no longer what others lock.
                Ok(()) => file = open(&path).map_err(|error| FileError::of_io(error, &path))?,
                Err(TryLockError::WouldBlock) if Instant::now() < until => tokio::time::sleep(LOOK).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(FileError::InUse { holder: holder(&mut file), lock: path });
                }
                Err(TryLockError::Error(error)) => return Err(FileError::Io { path, source: error }),
            }
        }
        let last = last(&mut file);
        let mut lock = Self { file, path };
        // With the number of this process, for whoever finds it locked.
        lock.note(last)?;
        Ok((lock, last))
    }

    /// Notes, durably, what the holder does.
    pub(super) fn note(&mut self, note: Note) -> Result<(), FileError> {
        let word = match note {
            Note::Stopped => "stopped",
            Note::Running => "running",
            Note::Restoring => "restoring",
            Note::Lost => "lost",
        };
        self.write(&format!("{:<width$}\n", format!("{word} {}", std::process::id()), width = RECORD - 1))
            .and_then(|()| fsync_folder(&self.path))
            .map_err(|error| FileError::of_io(error, &self.path))
    }

    /// In place and always of one length: a full disk or a power cut leaves what was there, never nothing.
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }
}

/// What is noted of a database, for those who do not take its lock.
pub(super) fn noted(path: &Path) -> Note {
    File::open(path_of(path)).map_or(Note::Running, |mut file| last(&mut file))
}

fn path_of(database: &Path) -> PathBuf {
    super::beside(database, ".lock")
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Whether the open file is the one that the path names.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|found| super::open::identity(path) == Some((found.dev(), found.ino())))
}

/// Here a file that is open cannot be deleted.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    // A file that cannot be read says nothing.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(100).read_to_string(&mut text));
    text
}

fn last(file: &mut File) -> Note {
    match text(file).split_whitespace().next() {
        Some("stopped") => Note::Stopped,
        Some("restoring") => Note::Restoring,
        Some("lost") => Note::Lost,
        _ => Note::Running,
    }
}

/// The process that wrote last: the one that holds the lock.
fn holder(file: &mut File) -> Option<u32> {
    text(file).split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{FileError, Lock, Note, RECORD, noted};

    #[tokio::test]
    async fn one_holds_it_and_the_next_knows_how_that_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candor.db");
        let (mut lock, last) = Lock::take(&path).await.unwrap();
        assert_eq!(last, Note::Running, "nothing is known of it");
        let refused = Lock::take(&path).await.unwrap_err();
        assert!(
            matches!(refused, FileError::InUse { holder: Some(pid), .. } if pid == std::process::id()),
            "{refused}"
        );
        lock.note(Note::Stopped).unwrap();
        drop(lock);
        let (mut lock, last) = Lock::take(&path).await.unwrap();
        assert_eq!(last, Note::Stopped);
        for note in [Note::Running, Note::Restoring, Note::Stopped] {
            lock.note(note).unwrap();
            let length = usize::try_from(lock.file.metadata().unwrap().len()).unwrap();
            assert_eq!(length, RECORD, "written in place, it needs no new space");
        }
        lock.note(Note::Restoring).unwrap();
        assert_eq!(noted(&path), Note::Restoring);
        drop(lock);
        let (lock, last) = Lock::take(&path).await.unwrap();
        assert_eq!(last, Note::Restoring, "it was dropped before it was done");
        drop(lock);
        assert_eq!(noted(&path), Note::Restoring, "taking it alone changes nothing");
        assert!(Note::Lost.refusal().is_some() && Note::Running.refusal().is_none());
    }
}
