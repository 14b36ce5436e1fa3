//! The bot's files, read again while the server runs.
//!
//! A folder of prompts is watched by looking at sizes and times, which works on every file system and costs nothing
//! worth naming. When it changed and then kept still, everything is loaded, checked and fitted beside the bot that
//! answers, and put in its place as a whole. What cannot be loaded changes nothing; the reason is kept and logged.

use super::lookup;
use crate::app::{App, Bot, Shared};
use crate::dialogue::Prompts;
use crate::dialogue::prompts::version_of;
use crate::domain::Timestamp;
use crate::nlu;
use crate::priority::{PREPARING, step_back};
use crate::prompt_files::{self, Look};
use crate::serve::intent_examples;
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// How often the folder is looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long it must keep still before it is read: editors and copies write file after file.
const STILL: Duration = Duration::from_millis(500);

/// Asks for a reload, and tells how the last one went.
#[derive(Debug, Default)]
pub struct Reload {
    asked: Notify,
    last: Mutex<Option<Outcome>>,
}

impl Reload {
    /// Has the files read again at once, changed or not.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    /// How the last one went; none before the first.
    #[must_use]
    pub fn last(&self) -> Option<Outcome> {
        // Assigned in one step: a poisoned lock holds a whole outcome.
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, outcome: Outcome) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

/// How a reload went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// When it ended.
    pub at: Timestamp,
    /// Milliseconds from reading the files to its end.
    pub took_ms: u64,
    /// What became of it.
    pub result: Verdict,
    /// Version of the prompts that answer since.
    pub version: String,
    /// Why the files were refused; empty otherwise.
    pub faults: Vec<Fault>,
}

/// What became of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They answer now.
    Loaded,
    /// They are those that answered already.
    Unchanged,
    /// They have faults; what answered before goes on.
    Refused,
}

/// Why files were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Path inside the folder, if it is about one file.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl Fault {
    fn plain(reason: impl ToString) -> Self {
        Self { file: None, line: None, reason: reason.to_string() }
    }
}

impl From<prompt_files::Error> for Vec<Fault> {
    fn from(error: prompt_files::Error) -> Self {
        match error {
            prompt_files::Error::Wrong(errors) => {
                let fault = |error: crate::dialogue::PromptError| Fault {
                    file: Some(error.file),
                    line: Some(error.line),
                    reason: error.reason,
                };
                errors.0.into_iter().map(fault).collect()
            }
            unreadable => vec![Fault::plain(unreadable)],
        }
    }
}

/// Watches the folder of `--prompts` until the server stops; ends at once where there is none.
pub async fn run(app: Shared) {
    let Some(folder) = app.config.prompts.clone() else { return };
    // The model that is being loaded is fitted on the prompts of the start.
    tokio::select! {
        () = app.stop.cancelled() => return,
        () = app.bot.settled() => {}
    }
    // Nothing is known of the files that the start read, so the first look finds them new; their version tells.
    let mut seen = None;
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = app.reload.asked.notified() => seen = Some(look(&folder).await),
            () = tokio::time::sleep(POLL) => {
                let now = look(&folder).await;
                if seen.as_ref() == Some(&now) {
                    continue;
                }
                tokio::select! {
                    () = app.stop.cancelled() => return,
                    still = keep_still(&folder, now) => seen = Some(still),
                }
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            // A file that changes meanwhile shows at the next look.
            () = reload(&app, &folder) => {}
        }
    }
}

/// What the folder looks like, or why it cannot be looked at.
async fn look(folder: &Path) -> Result<Look, String> {
    let folder = folder.to_owned();
    let looked = tokio::task::spawn_blocking(move || prompt_files::look(&folder).map_err(|error| error.to_string()));
    looked.await.unwrap_or_else(|error| Err(error.to_string()))
}

async fn keep_still(folder: &Path, mut before: Result<Look, String>) -> Result<Look, String> {
    loop {
        tokio::time::sleep(STILL).await;
        let now = look(folder).await;
        if now == before {
            return now;
        }
        before = now;
    }
}

/// Reads the files, and puts the bot that they are in the place of the one that answers.
async fn reload(app: &App, folder: &Path) {
    let begin = Instant::now();
    let (current, from) = (app.bot(), folder.to_owned());
    let read = aside(move || read(&current, &from)).await.and_then(|read| match read {
        // What a start would refuse is refused here as well.
        Some(bot) => match lookup::check(&bot.prompts, &app.egress, &app.secrets, &app.origin) {
            Ok(()) => Ok(Some(bot)),
            Err(errors) => Err(prompt_files::Error::Wrong(errors).into()),
        },
        None => Ok(None),
    });
    let first = app.reload.last().is_none();
    let (result, faults) = match read {
        Ok(Some(bot)) => {
            app.bot.replace(bot);
            (Verdict::Loaded, Vec::new())
        }
        Ok(None) => (Verdict::Unchanged, Vec::new()),
        Err(faults) => (Verdict::Refused, faults),
    };
    let took_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let version = app.prompts().version().to_owned();
    match result {
        Verdict::Loaded => tracing::info!(version, took_ms, "the prompts changed and were loaded"),
        // The look after the start is no news.
        Verdict::Unchanged if first => return,
        Verdict::Unchanged => tracing::info!(version, "the prompts are those that answer already"),
        Verdict::Refused => {
            tracing::error!(version, faults = faults.len(), "the prompts changed and are refused; those before go on");
            for Fault { file, line, reason } in &faults {
                tracing::error!(file, line, reason, "a fault in the prompts");
            }
        }
    }
    app.reload.note(Outcome { at: app.clock.now(), took_ms, result, version, faults });
}

/// The bot of a folder; none if it is the current one. What needs no new fit keeps the current one's.
fn read(current: &Bot, folder: &Path) -> Result<Option<Bot>, Vec<Fault>> {
    let files = prompt_files::read(Some(folder))?;
    if version_of(&files) == current.prompts.version() {
        return Ok(None);
    }
    let prompts = Prompts::load(&files).map_err(prompt_files::Error::from)?;
    let examples = intent_examples(&prompts);
    let intents = if current.intents.are_of(&examples) {
        Arc::clone(&current.intents)
    } else {
        current.nlu.fit(&examples).map_err(|error: nlu::Error| vec![Fault::plain(error)])?
    };
    Ok(Some(Bot { prompts: Arc::new(prompts), nlu: current.nlu.clone(), intents }))
}

/// Runs this on a thread of its own that leaves the processor to everything else: seconds of computing must not be
/// felt by anybody who waits for an answer.
async fn aside(
    work: impl FnOnce() -> Result<Option<Bot>, Vec<Fault>> + Send + 'static,
) -> Result<Option<Bot>, Vec<Fault>> {
    let (send, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
        step_back(PREPARING);
        // Nobody waits any more when the server stops.
        drop(send.send(work()));
    });
    match thread {
        Ok(_) => done.await.unwrap_or_else(|_| Err(vec![Fault::plain("the reload panicked")])),
        Err(error) => Err(vec![Fault::plain(format!("no thread for the reload: {error}"))]),
    }
}
