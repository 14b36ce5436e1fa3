//! The one thread that owns the model.
//!
//! Jobs come through a bounded queue; what waited while the last batch ran is the next batch.
//! Jobs whose caller left or whose deadline passed are dropped before any work. A model that
//! fails or panics answers that batch with the error and is marked not ready until a run
//! succeeds; it never takes the thread down.

use super::Error;
use super::batch::{self, BUDGET};
use super::model::Model;
use crate::domain::Analysis;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

/// Texts that one caller wants read.
pub(crate) struct Job {
    /// What to read.
    pub(crate) texts: Vec<Arc<str>>,
    /// When the answer is of no use any more.
    pub(crate) deadline: Option<Instant>,
    /// Where the analyses go, one per text.
    pub(crate) reply: oneshot::Sender<Result<Vec<Analysis>, Error>>,
}

impl Job {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed() && self.deadline.is_none_or(|deadline| Instant::now() < deadline)
    }

    fn cost(&self) -> usize {
        self.texts.iter().map(|text| batch::estimate(text)).sum()
    }
}

/// Whether the last run succeeded; the reason if not.
pub(crate) type Health = Result<(), String>;

/// Serves jobs until every sender is gone. After `stopping` is set what still waits is dropped,
/// which its callers see as [`Error::Stopped`].
pub(crate) fn serve(
    mut model: Box<dyn Model>,
    mut jobs: mpsc::Receiver<Job>,
    health: &watch::Sender<Health>,
    stopping: &AtomicBool,
) {
    while let Some(first) = jobs.blocking_recv() {
        let mut waiting = vec![first];
        while let Ok(job) = jobs.try_recv() {
            waiting.push(job);
        }
        waiting.retain(Job::is_wanted);
        for mut batch in batch::plan(waiting, Job::cost, BUDGET) {
            if stopping.load(Ordering::Acquire) {
                break;
            }
            batch.retain(Job::is_wanted);
            if !batch.is_empty() {
                answer(model.as_mut(), batch, health);
            }
        }
    }
}

fn answer(model: &mut dyn Model, batch: Vec<Job>, health: &watch::Sender<Health>) {
    let texts: Vec<Arc<str>> = batch.iter().flat_map(|job| job.texts.iter().cloned()).collect();
    // The model holds no state that a panic could leave half changed: it is read only after load.
    let outcome = match catch_unwind(AssertUnwindSafe(|| model.run(&texts))) {
        Ok(Ok(analyses)) if analyses.len() == texts.len() => Ok(analyses),
        Ok(Ok(analyses)) => Err(format!("{} analyses for {} texts", analyses.len(), texts.len())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the model panicked".to_owned()),
    };
    let state = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
    if let Err(reason) = &state {
        tracing::error!(reason, texts = texts.len(), "the model failed on a batch");
    }
    health.send_if_modified(|known| {
        let changed = *known != state;
        *known = state;
        changed
    });
    match outcome {
        Ok(analyses) => {
            let mut analyses = analyses.into_iter();
            for job in batch {
                let own = analyses.by_ref().take(job.texts.len()).collect();
                // A caller that left meanwhile has no use for the answer.
                drop(job.reply.send(Ok(own)));
            }
        }
        Err(reason) => {
            for job in batch {
                drop(job.reply.send(Err(Error::Model(reason.clone()))));
            }
        }
    }
}
