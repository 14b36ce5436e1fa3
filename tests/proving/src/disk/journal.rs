//! The shim's log of changes. Knows its form, not what a disk makes of it.

use crate::random::{MARK, mark_of};
use anyhow::{Context as _, Result, bail};
use std::path::Path;

/// Length of the fixed part of an entry, see `struct entry` in `shim/disk.c`.
const FIXED: usize = 48;

/// The whole log.
#[derive(Debug)]
pub(super) struct Journal(Vec<u8>);

/// One change.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// A file was opened, and perhaps made or emptied.
    Open { path: &'a str, file: u64, created: bool, emptied: bool },
    /// Bytes were written.
    Write { file: u64, offset: usize, data: &'a [u8] },
    /// A file has this length now.
    Truncate { file: u64, length: usize },
    /// A sync began; none of the folder itself if `file` is there.
    SyncBegin { file: u64, number: u64, folder: bool },
    /// It ended at `at`, microseconds of the monotonic clock.
    SyncEnd { file: u64, number: u64, folder: bool, failed: bool, at: u64 },
    /// A file has another name.
    Rename { from: &'a str, to: &'a str },
    /// A name is gone.
    Unlink { path: &'a str },
}

impl Journal {
    pub(super) fn read(file: &Path) -> Result<Self> {
        Ok(Self(std::fs::read(file).context("no log of the disk")?))
    }

    /// The changes in their order. What a kill cut off at the end is none.
    pub(super) fn changes(&self) -> impl Iterator<Item = Result<Change<'_>>> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (fixed, tail) = rest.split_at_checked(FIXED)?;
            let short =
                |at: usize| fixed.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
            let size = |at| short(at).and_then(|length| usize::try_from(length).ok());
            let (path, tail) = tail.split_at_checked(size(40)?)?;
            let (data, tail) = tail.split_at_checked(size(44)?)?;
            rest = tail;
            let long =
                |at: usize| fixed.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
            Some(Self::change(short(0)?, short(4)?, [long(8), long(16), long(24), long(32)], path, data))
        })
    }

    fn change<'a>(what: u32, flags: u32, numbers: [u64; 4], path: &'a [u8], data: &'a [u8]) -> Result<Change<'a>> {
        let [at, file, offset, number] = numbers;
        let text = |bytes| std::str::from_utf8(bytes).context("a path that is not UTF-8");
        Ok(match what {
            1 => Change::Open { path: text(path)?, file, created: flags & 1 != 0, emptied: flags & 2 != 0 },
            2 => Change::Write { file, offset: usize::try_from(offset)?, data },
            3 => Change::Truncate { file, length: usize::try_from(number)? },
            4 | 8 => Change::SyncBegin { file, number, folder: what == 8 },
            5 | 9 => Change::SyncEnd { file, number, folder: what == 9, failed: flags & 1 != 0, at },
            6 => Change::Rename { from: text(path)?, to: text(data)? },
            7 => Change::Unlink { path: text(path)? },
            _ => bail!("a log with an unknown entry {what}"),
        })
    }
}

/// The marks of texts in `data`.
pub(super) fn marks(data: &[u8]) -> impl Iterator<Item = u64> + '_ {
    data.windows(MARK)
        .filter(|window| window.starts_with(b"p"))
        .filter_map(|window| window.is_ascii().then(|| std::str::from_utf8(window).ok().and_then(mark_of)).flatten())
}
