//! The threads that read.
//!
//! Jobs come through one bounded queue. A thread that is free takes what waits, up to a budget of tokens: what
//! arrived while the others were busy is the next batch, and nothing waits for a timer. Jobs whose caller left or
//! whose deadline passed are dropped before any work. A model that fails or panics answers that batch with the
//! error and is marked not ready until a run succeeds; it never takes a thread down.

use super::model::{Asked, Model};
use super::{Error, Intents};
use crate::domain::Analysis;
use crate::telemetry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

/// Tokens from which on a batch is closed. A longer one would read no faster, because the weights stay in the cache
/// from one text to the next, and its first caller would wait for its last.
pub(crate) const BUDGET: usize = 128;

/// Texts that one caller wants read.
pub(crate) struct Job {
    /// What to read.
    pub(crate) texts: Vec<Box<str>>,
    /// What their intents are told by.
    pub(crate) intents: Arc<Intents>,
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
        self.texts.iter().map(|text| estimate(text)).sum()
    }
}

/// Whether the last run succeeded; the reason if not.
pub(crate) type Health = Result<(), String>;

/// What the threads share.
pub(crate) struct Desk {
    /// Reads; holds no state that one run leaves to another.
    pub(crate) model: Box<dyn Model>,
    /// What waits. The thread that holds it waits for the next job.
    pub(crate) jobs: Mutex<mpsc::Receiver<Job>>,
    /// How the last run ended.
    pub(crate) health: watch::Sender<Health>,
    /// What still waits is dropped once this is set, which its callers see as [`Error::Stopped`].
    pub(crate) stopping: AtomicBool,
}

/// Serves jobs until every sender is gone.
pub(crate) fn serve(desk: &Desk) {
    while let Some(mut batch) = take(&desk.jobs) {
        batch.retain(Job::is_wanted);
        if !batch.is_empty() && !desk.stopping.load(Ordering::Acquire) {
            answer(desk, batch);
        }
    }
}

/// The next batch: what waits now, in order, within the budget; a job beyond it comes alone. None when there will
/// be no more.
fn take(jobs: &Mutex<mpsc::Receiver<Job>>) -> Option<Vec<Job>> {
    // A poisoned lock leaves a whole queue behind: a job is taken in one step.
    let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    let first = jobs.blocking_recv()?;
    let mut tokens = first.cost();
    let mut batch = vec![first];
    while tokens < BUDGET
        && let Ok(job) = jobs.try_recv()
    {
        tokens += job.cost();
        batch.push(job);
    }
    Some(batch)
}

fn answer(Desk { model, health, .. }: &Desk, batch: Vec<Job>) {
    let begin = Instant::now();
    let mut asked = Vec::with_capacity(batch.len());
    for job in &batch {
        asked.extend(job.texts.iter().map(|text| Asked { text, intents: &job.intents }));
    }
    let texts = asked.len();
    // The model holds no state that a panic could leave half changed: it is read only after load.
    let outcome = match catch_unwind(AssertUnwindSafe(|| model.run(&asked))) {
        Ok(Ok(analyses)) if analyses.len() == texts => Ok(analyses),
        Ok(Ok(analyses)) => Err(format!("{} analyses for {texts} texts", analyses.len())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the model panicked".to_owned()),
    };
    metrics::histogram!(telemetry::BATCH_TEXTS).record(texts as f64);
    metrics::histogram!(telemetry::BATCH_SECONDS).record(begin.elapsed());
    let state = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
    if let Err(reason) = &state {
        tracing::error!(reason, texts, "the model failed on a batch");
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

/// Tokens that a text will cost, near enough for planning: four letters a token, and two marks.
pub(crate) fn estimate(text: &str) -> usize {
    text.len() / 4 + 3
}
