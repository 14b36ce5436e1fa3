//! What is known of the database's state: the latest fault that is not over, and the check after an unclean stop.
//! It is told, and tells on; it looks at nothing by itself.

use super::Fault;
use crate::telemetry::{STORE_CHECKS, STORE_ERRORS, STORE_WRITABLE};
use serde::Serialize;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The check after an unclean stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The last run closed the database in order.
    #[default]
    NotNeeded,
    /// It is going on.
    Running,
    /// Nothing is wrong.
    Sound,
    /// It took too long, or the server stopped.
    Unfinished,
    /// Something is wrong.
    Damaged,
}

/// Whether storage can do its work, for readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageHealth {
    /// It takes writes, and nothing says that the file is damaged.
    pub ready: bool,
    /// It takes writes.
    pub writable: bool,
    /// What is wrong, in a sentence for those who run the server.
    pub reason: Option<&'static str>,
    /// The check after an unclean stop.
    pub check: Check,
}

impl StorageHealth {
    /// Nothing is known to be wrong.
    pub(in crate::store) fn sound() -> Self {
        Self { ready: true, writable: true, reason: None, check: Check::NotNeeded }
    }
}

const LOST: &str = "the disk lost a message that had been acknowledged: nothing more is written. Keep the files, run \
                    `candor verify`, and restore a backup on a disk that can be trusted";

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    lost: bool,
    damaged: bool,
    check: Check,
}

/// The state, shared by all who use the database.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        // Assignments only: a poisoned lock holds a whole state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self) -> StorageHealth {
        let state = self.state();
        let writable = state.fault.is_none() && !state.lost;
        let reason = match state.fault {
            _ if state.lost => Some(LOST),
            Some(fault) => Some(fault.explanation()),
            None => state.damaged.then(|| Fault::Damaged.explanation()),
        };
        StorageHealth { ready: writable && !state.damaged, writable, reason, check: state.check }
    }

    /// Says it once, when it begins; counts it each time.
    pub(super) fn note(&self, fault: Fault, error: &dyn Display) {
        metrics::counter!(STORE_ERRORS, "class" => fault.name()).increment(1);
        metrics::gauge!(STORE_WRITABLE).set(0.0);
        let mut state = self.state();
        state.damaged |= fault == Fault::Damaged;
        // Until the recovery is done, what follows from it says less.
        if matches!(state.fault, Some(Fault::Sync(_))) {
            return;
        }
        if state.fault.replace(fault) != Some(fault) {
            tracing::error!(class = fault.name(), %error, "{}", fault.explanation());
        }
    }

    /// A commit was made: whatever stood in its way is over. An unconfirmed write is not, before the recovery.
    pub(super) fn note_sound(&self) {
        let mut state = self.state();
        if state.lost || matches!(state.fault, Some(Fault::Sync(_))) {
            return;
        }
        if let Some(fault) = state.fault.take() {
            tracing::info!(class = fault.name(), "storage takes writes again");
        }
        metrics::gauge!(STORE_WRITABLE).set(1.0);
    }

    /// The database was opened anew from what the disk has.
    pub(super) fn note_recovered(&self) {
        self.state().fault = None;
        tracing::warn!("the database was opened anew from the disk; every acknowledged message is there");
    }

    pub(super) fn note_lost(&self) {
        let mut state = self.state();
        state.lost = true;
        metrics::counter!(STORE_ERRORS, "class" => "lost").increment(1);
        tracing::error!("{LOST}");
    }

    pub(super) fn note_check(&self, check: Check) {
        let mut state = self.state();
        state.check = check;
        state.damaged |= check == Check::Damaged;
        let outcome = match check {
            Check::NotNeeded | Check::Running => return,
            Check::Sound => "sound",
            Check::Unfinished => "unfinished",
            Check::Damaged => "damaged",
        };
        metrics::counter!(STORE_CHECKS, "outcome" => outcome).increment(1);
    }

    pub(super) fn is_suspect(&self) -> bool {
        matches!(self.state().fault, Some(Fault::Sync(_)))
    }

    pub(super) fn is_troubled(&self) -> bool {
        let state = self.state();
        state.fault.is_some() && !state.lost
    }

    pub(super) fn has_lost(&self) -> bool {
        self.state().lost
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Health};
    use crate::store::sqlite::Fault;

    #[test]
    fn trouble_passes_but_damage_and_loss_do_not() {
        let health = Health::default();
        assert!(health.get().ready);
        health.note(Fault::Full, &"full");
        assert!(health.is_troubled() && !health.get().ready && health.get().reason.unwrap().contains("full"));
        health.note_sound();
        assert!(health.get().ready && health.get().reason.is_none());
        health.note(Fault::Sync("io_fsync"), &"fsync");
        health.note(Fault::Locked, &"locked");
        health.note_sound();
        assert!(health.is_suspect(), "what follows from it does not hide it, and a commit does not end it");
        health.note_recovered();
        assert!(health.get().ready);
        health.note(Fault::Sync("io_fsync"), &"fsync");
        health.note(Fault::Damaged, &"malformed");
        health.note_recovered();
        let damaged = health.get();
        assert!(damaged.writable && !damaged.ready, "what the file said of itself outlives the recovery: {damaged:?}");
        let health = Health::default();
        health.note_check(Check::Damaged);
        let damaged = health.get();
        assert!(damaged.writable && !damaged.ready && damaged.reason.unwrap().contains("damaged"));
        health.note_lost();
        health.note_sound();
        assert!(health.has_lost() && !health.get().writable);
    }
}
