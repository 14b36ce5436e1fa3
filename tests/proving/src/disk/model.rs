//! What a disk has for certain, and what it may or may not have: files whose changes wait for a sync,
//! and names whose changes wait for a sync of their folder. Knows no database.
//!
//! After a sync that failed, the changes that it was to keep are lost to later syncs too, as on Linux,
//! which forgets that such pages are dirty.

use super::Syncs;
use super::journal::{Change, marks};
use crate::random::Random;
use anyhow::Result;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What a power loss took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Losses {
    /// Writes and lengths that no sync had kept.
    pub unsynced: u64,
    /// Of these, the ones that were lost as a whole.
    pub lost: u64,
    /// Of these, the ones of which a part was kept.
    pub torn: u64,
    /// Changes of names that were lost.
    pub names: u64,
}

impl Losses {
    /// Adds another loss.
    pub fn add(&mut self, other: Self) {
        self.unsynced += other.unsynced;
        self.lost += other.lost;
        self.torn += other.torn;
        self.names += other.names;
    }
}

#[derive(Debug)]
enum Edit {
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(room) = bytes.get_mut(*offset..end) {
                    room.copy_from_slice(data);
                }
            }
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Write { offset: a, data: first }, Self::Write { offset: b, data: second }) => {
                *a < b + second.len() && *b < a + first.len()
            }
            _ => true,
        }
    }
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    /// Changes that no sync kept, by number; whether a failed sync gave them up.
    pending: BTreeMap<u64, (Edit, bool)>,
}

#[derive(Debug)]
enum Naming {
    Create(String, u64),
    Rename(String, String),
    Unlink(String),
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
        }
    }
}

/// A disk.
#[derive(Debug, Default)]
pub(super) struct Model {
    files: HashMap<u64, File>,
    /// Inodes may be used again, so files have numbers of their own.
    numbers: HashMap<u64, u64>,
    names: BTreeMap<String, u64>,
    namings: Vec<Naming>,
    syncing: HashMap<u64, u64>,
    /// Changes so far.
    counter: u64,
}

impl Model {
    pub(super) fn of_folder(folder: &Path) -> Result<Self> {
        let mut model = Self::default();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type()?.is_file() || name.ends_with("-shm") {
                continue;
            }
            let number = model.number(entry.metadata()?.ino());
            model.files.insert(number, File { durable: std::fs::read(entry.path())?, pending: BTreeMap::new() });
            model.names.insert(name, number);
        }
        Ok(model)
    }

    /// Marks of the texts that are durable.
    pub(super) fn marks(&self) -> HashSet<u64> {
        self.files.values().flat_map(|file| marks(&file.durable)).collect()
    }

    fn number(&mut self, inode: u64) -> u64 {
        self.counter += 1;
        self.numbers.insert(inode, self.counter);
        self.counter
    }

    fn edit(&mut self, inode: u64, edit: Edit) {
        self.counter += 1;
        if let Some(file) = self.numbers.get(&inode).and_then(|number| self.files.get_mut(number)) {
            file.pending.insert(self.counter, (edit, false));
        }
    }

    pub(super) fn apply(&mut self, change: Change<'_>, syncs: Syncs) {
        match change {
            Change::Open { path, file, created, emptied } => {
                if created {
                    let number = self.number(file);
                    self.files.insert(number, File::default());
                    self.namings.push(Naming::Create(path.to_owned(), number));
                } else if emptied {
                    self.edit(file, Edit::Truncate(0));
                }
            }
            Change::Write { file, offset, data } => self.edit(file, Edit::Write { offset, data: data.to_vec() }),
            Change::Truncate { file, length } => self.edit(file, Edit::Truncate(length)),
            Change::SyncBegin { number, folder, .. } => {
                let mark = if folder { crate::figures::count(self.namings.len()) } else { self.counter };
                self.syncing.insert(number, mark);
            }
            Change::SyncEnd { file, number, folder, failed, .. } => {
                let Some(mark) = self.syncing.remove(&number).filter(|_| syncs == Syncs::Kept) else { return };
                match (folder, failed) {
                    (true, false) => self.keep_names(mark),
                    (true, true) => {}
                    (false, failed) => self.end_sync(file, mark, failed),
                }
            }
            Change::Rename { from, to } => self.namings.push(Naming::Rename(from.to_owned(), to.to_owned())),
            Change::Unlink { path } => self.namings.push(Naming::Unlink(path.to_owned())),
        }
    }

    fn keep_names(&mut self, mark: u64) {
        let mark = usize::try_from(mark).unwrap_or(usize::MAX).min(self.namings.len());
        // Another sync of the folder may be under way with a mark from before this.
        for other in self.syncing.values_mut() {
            *other = other.saturating_sub(crate::figures::count(mark));
        }
        for naming in self.namings.drain(..mark) {
            naming.apply(&mut self.names);
        }
    }

    fn end_sync(&mut self, inode: u64, mark: u64, failed: bool) {
        let Some(file) = self.numbers.get(&inode).and_then(|number| self.files.get_mut(number)) else { return };
        if failed {
            file.pending.range_mut(..=mark).for_each(|(_, (edit, lost))| *lost |= matches!(edit, Edit::Write { .. }));
            return;
        }
        let later = file.pending.split_off(&(mark + 1));
        let (lost, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::replace(&mut file.pending, later).into_iter().partition(|(_, (_, lost))| *lost);
        kept.values().for_each(|(edit, _)| edit.apply(&mut file.durable));
        for (number, (edit, _)) in lost {
            if !kept.range(number..).any(|(_, (newer, _))| newer.overlaps(&edit)) {
                file.pending.insert(number, (edit, true));
            }
        }
    }

    /// What was not synced is dropped, kept, kept in part or torn, file by file.
    pub(super) fn lose_power(&mut self, random: &mut Random) -> Losses {
        let mut losses = Losses::default();
        let kept = random.below(self.namings.len() + 1);
        losses.names = crate::figures::count(self.namings.len() - kept);
        for naming in self.namings.drain(..).take(kept) {
            naming.apply(&mut self.names);
        }
        let mut numbers: Vec<u64> = self.files.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            let Some(file) = self.files.get_mut(&number) else { continue };
            let pending = std::mem::take(&mut file.pending);
            losses.unsynced += crate::figures::count(pending.len());
            let (fate, first) = (random.below(5), random.below(pending.len() + 1));
            for (index, (edit, _)) in pending.into_values().enumerate() {
                let kept = match fate {
                    0 => false,
                    1 => index < first,
                    2 => random.chance(0.5),
                    _ => {
                        let sector = if fate == 3 { 512 } else { 4_096 };
                        tear(&edit, sector, &mut file.durable, random, &mut losses);
                        continue;
                    }
                };
                if kept {
                    edit.apply(&mut file.durable);
                } else {
                    losses.lost += 1;
                }
            }
        }
        losses
    }

    /// Makes the folder what the disk has.
    pub(super) fn write_folder(&self, folder: &Path) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::remove_file(entry.path())?;
            }
        }
        for (name, number) in &self.names {
            if let Some(file) = self.files.get(number) {
                std::fs::write(folder.join(name), &file.durable)?;
            }
        }
        Ok(())
    }
}

/// Keeps a random half of a write's sectors.
fn tear(edit: &Edit, sector: usize, durable: &mut Vec<u8>, random: &mut Random, losses: &mut Losses) {
    let Edit::Write { offset, data } = edit else {
        if random.chance(0.5) {
            edit.apply(durable);
        } else {
            losses.lost += 1;
        }
        return;
    };
    let (mut at, end) = (*offset, offset + data.len());
    let (mut kept, mut all) = (0, 0);
    while at < end {
        let next = ((at / sector + 1) * sector).min(end);
        all += 1;
        if random.chance(0.5)
            && let Some(part) = data.get(at - offset..next - offset)
        {
            Edit::Write { offset: at, data: part.to_vec() }.apply(durable);
            kept += 1;
        }
        at = next;
    }
    losses.lost += u64::from(kept == 0);
    losses.torn += u64::from(kept > 0 && kept < all);
}

#[cfg(test)]
mod tests {
    use super::{Edit, File, Model};
    use crate::disk::Syncs;
    use crate::disk::journal::Change;
    use crate::random::Random;

    fn disk() -> Model {
        let mut model = Model::default();
        model.apply(Change::Open { path: "db", file: 1, created: true, emptied: false }, Syncs::Kept);
        model
    }

    fn sync(model: &mut Model, number: u64, folder: bool, failed: bool, syncs: Syncs) {
        model.apply(Change::SyncBegin { file: 1, number, folder }, syncs);
        model.apply(Change::SyncEnd { file: 1, number, folder, failed, at: 0 }, syncs);
    }

    fn write(model: &mut Model, offset: usize, data: &[u8]) {
        model.apply(Change::Write { file: 1, offset, data }, Syncs::Kept);
    }

    fn left(mut model: Model, seed: u64) -> Option<Vec<u8>> {
        model.lose_power(&mut Random::new(seed));
        model.names.get("db").and_then(|number| model.files.get(number)).map(|file| file.durable.clone())
    }

    #[test]
    fn what_was_synced_is_kept_whatever_happens() {
        for seed in 0..200 {
            let mut model = disk();
            write(&mut model, 0, b"kept");
            sync(&mut model, 1, false, false, Syncs::Kept);
            sync(&mut model, 2, true, false, Syncs::Kept);
            write(&mut model, 4, b"perhaps");
            let left = left(model, seed).expect("the name was synced");
            assert!(left.starts_with(b"kept"), "{left:?}");
        }
    }

    #[test]
    fn what_was_not_synced_is_sometimes_lost_and_so_is_a_name() {
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut model = disk();
            write(&mut model, 0, &[7; 2048]);
            outcomes.insert(left(model, seed).map(|bytes| bytes.iter().filter(|byte| **byte == 7).count()));
        }
        assert!(outcomes.contains(&None) && outcomes.contains(&Some(0)) && outcomes.contains(&Some(2048)));
        assert!(outcomes.contains(&Some(1024)), "some are torn: {outcomes:?}");
    }

    #[test]
    fn a_lying_disk_keeps_nothing_for_certain() {
        let lost = (0..50).any(|seed| {
            let mut model = disk();
            write(&mut model, 0, b"acked");
            sync(&mut model, 1, false, false, Syncs::Ignored);
            left(model, seed).is_none_or(|bytes| bytes != b"acked")
        });
        assert!(lost);
    }

    #[test]
    fn a_sync_that_failed_is_not_made_good_by_the_next() {
        let lost = (0..50).any(|seed| {
            let mut model = disk();
            sync(&mut model, 1, true, false, Syncs::Kept);
            write(&mut model, 0, b"given up");
            sync(&mut model, 2, false, true, Syncs::Kept);
            sync(&mut model, 3, false, false, Syncs::Kept);
            left(model, seed).is_none_or(|bytes| bytes != b"given up")
        });
        assert!(lost);
    }

    #[test]
    fn a_write_after_a_failed_sync_is_kept_by_the_next_one() {
        for seed in 0..50 {
            let mut model = disk();
            sync(&mut model, 1, true, false, Syncs::Kept);
            write(&mut model, 0, b"old");
            sync(&mut model, 2, false, true, Syncs::Kept);
            write(&mut model, 0, b"new");
            sync(&mut model, 3, false, false, Syncs::Kept);
            assert_eq!(left(model, seed).as_deref(), Some(&b"new"[..]));
        }
    }

    #[test]
    fn a_write_beyond_the_end_leaves_zeros() {
        let mut file = File::default();
        Edit::Write { offset: 3, data: vec![1] }.apply(&mut file.durable);
        Edit::Truncate(5).apply(&mut file.durable);
        assert_eq!(file.durable, [0, 0, 0, 1, 0]);
    }
}
