//! A disk that loses power: the server runs with `shim/disk.c` preloaded, which notes every change of
//! its files, and [`Disk::lose_power`] makes of that what a real disk may have kept. Knows files and
//! syncs, and of their contents only the marks of the campaigns' texts.

mod journal;
mod model;

pub use model::Losses;

use crate::random::Random;
use anyhow::{Context as _, Result, ensure};
use journal::{Change, Journal};
use model::Model;
use serde::Serialize;
use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("../../shim/disk.c");

/// What fails at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing.
    None,
    /// Syncs, with EIO.
    Sync,
    /// Writes, with ENOSPC: the disk is full.
    Space,
    /// Writes, with EIO.
    Write,
}

/// Whether a sync that was reported as done can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// What was synced is kept.
    Kept,
    /// The control: nothing is kept because of a sync, as on a server that does not sync at all.
    Ignored,
}

/// A folder on such a disk.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    library: PathBuf,
    log: PathBuf,
    control: PathBuf,
    base: Model,
}

/// Which acks came before their message was synced.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Order {
    /// Acks whose message was found in a write.
    pub checked: u64,
    /// Of these, acks that were read before the sync that follows the write had ended.
    pub early: u64,
    /// Acks whose message was found in no write.
    pub unwritten: u64,
}

impl Disk {
    /// Compiles the shim into `beside` and watches `folder`, which must exist.
    ///
    /// # Errors
    /// If there is no C compiler.
    pub fn new(folder: &Path, beside: &Path) -> Result<Self> {
        let (source, library) = (beside.join("disk.c"), beside.join("disk.so"));
        std::fs::write(&source, SOURCE)?;
        let compiled = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .output()
            .context("no C compiler")?;
        ensure!(compiled.status.success(), "the shim: {}", String::from_utf8_lossy(&compiled.stderr));
        let control = beside.join("disk.control");
        std::fs::write(&control, [0; 4096])?;
        let folder = folder.canonicalize()?;
        Ok(Self { folder, library, log: beside.join("disk.log"), control, base: Model::default() })
    }

    /// Environment of a server on this disk.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("PROVING_DISK_FOLDER".to_owned(), text(&self.folder)),
            ("PROVING_DISK_LOG".to_owned(), text(&self.log)),
            ("PROVING_DISK_CONTROL".to_owned(), text(&self.control)),
        ]
    }

    /// From here on changes count; what is in the folder now is durable. No server may be running.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn settle(&mut self) -> Result<()> {
        std::fs::write(&self.log, [])?;
        self.base = Model::of_folder(&self.folder)?;
        self.fail(Failure::None)
    }

    /// Bytes that were noted so far: it grows while the server changes its files.
    ///
    /// # Errors
    /// If the log is gone.
    pub fn changed(&self) -> Result<u64> {
        Ok(std::fs::metadata(&self.log)?.len())
    }

    /// Sets what fails from now on.
    ///
    /// # Errors
    /// If the switch cannot be written.
    pub fn fail(&self, failure: Failure) -> Result<()> {
        let byte = match failure {
            Failure::None => 0,
            Failure::Sync => 1,
            Failure::Space => 2,
            Failure::Write => 4,
        };
        // In place: the shim has this very file mapped.
        Ok(std::fs::OpenOptions::new().write(true).open(&self.control)?.write_all_at(&[byte], 0)?)
    }

    /// Makes the folder what a power loss at the end of the log would have left, and begins anew from
    /// there. No server may be running.
    ///
    /// # Errors
    /// If the log cannot be read or the folder not written.
    pub fn lose_power(&mut self, syncs: Syncs, random: &mut Random) -> Result<Losses> {
        let mut model = std::mem::take(&mut self.base);
        for change in Journal::read(&self.log)?.changes() {
            model.apply(change?, syncs);
        }
        let losses = model.lose_power(random);
        model.write_folder(&self.folder)?;
        self.settle()?;
        Ok(losses)
    }

    /// Whether each message, by its mark, was synced before its ack was read. Times are microseconds
    /// of the monotonic clock.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn order(&self, acked_at: &HashMap<u64, u64>) -> Result<Order> {
        let journal = Journal::read(&self.log)?;
        // Marks by what they wait for: a write's next sync, then that sync's end.
        let mut written: HashMap<u64, Vec<u64>> = HashMap::new();
        let mut syncing: HashMap<u64, (u64, Vec<u64>)> = HashMap::new();
        let mut synced: HashMap<u64, u64> = HashMap::new();
        // A message of before is durable already: it was sent again, and may be written again.
        let mut found = self.base.marks();
        let durable = found.clone();
        for change in journal.changes() {
            match change? {
                Change::Write { file, data, .. } => {
                    let marks = journal::marks(data).filter(|mark| found.insert(*mark));
                    written.entry(file).or_default().extend(marks);
                }
                Change::SyncBegin { file, number, .. } => {
                    syncing.insert(number, (file, written.remove(&file).unwrap_or_default()));
                }
                Change::SyncEnd { number, failed, at, .. } => {
                    let Some((file, marks)) = syncing.remove(&number) else { continue };
                    if failed {
                        written.entry(file).or_default().extend(marks);
                    } else {
                        synced.extend(marks.into_iter().map(|mark| (mark, at)));
                    }
                }
                _ => {}
            }
        }
        let mut order = Order::default();
        for (mark, acked) in acked_at {
            match (found.contains(mark), synced.get(mark)) {
                _ if durable.contains(mark) => {}
                (false, _) => order.unwritten += 1,
                (true, Some(synced)) if synced <= acked => order.checked += 1,
                (true, _) => {
                    order.checked += 1;
                    order.early += 1;
                }
            }
        }
        Ok(order)
    }
}
