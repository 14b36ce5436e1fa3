//! Files that customers attach: what may be kept of one (`content.rs`), and the directory where they lie, each under its
//! id, without a name of its own. Must not know whose they are, and does nothing asynchronously.

mod content;

pub use content::{Refused, clean};

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Who may read a file: whoever runs the server.
const OWN: u32 = 0o600;
/// The ending of a file that is being written.
const UNFINISHED: &str = "part";

/// Where the files lie. Servers that share a database share it too.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes the directory if it is not there, and makes sure that files can be written to it.
    ///
    /// # Errors
    /// If they cannot.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let directory = Self { path: path.to_owned() };
        let trial = Uuid::nil();
        directory.write(trial, b"candor")?;
        directory.remove(trial)?;
        Ok(directory)
    }

    /// Writes a file so that it is whole, and outlasts a loss of power, or is not there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, id: Uuid, bytes: &[u8]) -> io::Result<()> {
        let (path, unfinished) = (self.of(id), self.of(id).with_extension(UNFINISHED));
        let mut file = File::options().write(true).create(true).truncate(true).mode(OWN).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(&self.path)?.sync_all()
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// If it is not there, or cannot be read.
    pub fn read(&self, id: Uuid) -> io::Result<Vec<u8>> {
        fs::read(self.of(id))
    }

    /// Removes a file; one that is not there is none to remove.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove(&self, id: Uuid) -> io::Result<()> {
        for path in [self.of(id), self.of(id).with_extension(UNFINISHED)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The ids of all files, finished or not; whatever else lies there is left alone.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn list(&self) -> io::Result<Vec<Uuid>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let is_ours = path.extension().is_none_or(|ending| ending == UNFINISHED);
            if is_ours && let Ok(id) = Uuid::parse_str(name) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    fn of(&self, id: Uuid) -> PathBuf {
        self.path.join(id.simple().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Directory;
    use std::os::unix::fs::PermissionsExt as _;
    use uuid::Uuid;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(&folder.path().join("made/here")).unwrap();
        let id = Uuid::from_u128(7);
        assert!(directory.read(id).is_err() && directory.list().unwrap().is_empty());
        directory.write(id, b"first").unwrap();
        directory.write(id, b"second").unwrap();
        let theirs = folder.path().join("made/here/notes.txt");
        std::fs::write(&theirs, "mine").unwrap();
        std::fs::write(folder.path().join(format!("made/here/{}.part", Uuid::from_u128(8).simple())), "half").unwrap();
        assert_eq!(directory.read(id).unwrap(), b"second");
        let rights = std::fs::metadata(directory.of(id)).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o600, "nobody else's to read");
        let mut ids = directory.list().unwrap();
        ids.sort();
        assert_eq!(ids, [id, Uuid::from_u128(8)]);
        for id in ids {
            directory.remove(id).unwrap();
            directory.remove(id).unwrap();
        }
        assert!(directory.list().unwrap().is_empty() && theirs.exists());
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(Directory::open(&folder.path().join("file")).is_err(), "said at the start");
    }
}
