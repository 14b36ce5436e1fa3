//! Reading text on this machine: polarity, emotions, frustration, language and intent.
//!
//! A few OS threads read, because a forward pass is a millisecond or more of pure computing that
//! must never sit on an async worker. Everyone else holds a cheap [`Nlu`] handle. Without a model
//! folder, and whenever the model is late, overloaded or broken, keyword rules answer in its
//! place, so that no turn ever fails for the model's sake.
//!
//! Knows texts and example phrases. Must not know conversations, policies, storage or sockets:
//! whether a score is high enough for anything is decided in `dialogue`.

pub(crate) mod bert;
pub(crate) mod bundle;
pub(crate) mod context;
pub(crate) mod encoder;
pub(crate) mod examples;
pub(crate) mod explain;
pub(crate) mod heads;
mod hidden;
pub(crate) mod identity;
pub(crate) mod intent;
mod intents;
pub(crate) mod language;
pub(crate) mod lexicon;
mod loading;
pub(crate) mod model;
pub(crate) mod ops;
pub(crate) mod packed;
pub(crate) mod phrases;
mod reader;
pub(crate) mod recent;
pub(crate) mod reference;
pub(crate) mod regression;
pub(crate) mod rules;
pub(crate) mod sentences;
pub(crate) mod spelling;
pub(crate) mod surface;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod tokenize;
pub(crate) mod transformer;
pub(crate) mod weights;
pub(crate) mod wish;
pub(crate) mod wording;
pub(crate) mod worker;

pub use self::encoder::Engine;
pub use bundle::BundleError;
pub use context::says_the_same;
pub use intents::Intents;
pub use loading::{Loading, Stage, languages_of};
pub use reader::Reader;

use crate::domain::{Analysis, Context, Source};
use crate::priority::{DECIDING, step_back};
use crate::telemetry;
use bundle::Section;
use model::{Asked, Opened};
use recent::Recent;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use wish::Wishes;
use worker::{Desk, Health, Job};

/// Longest part of a text that is read, in bytes; the model's own limit of tokens is lower.
const MAX_TEXT: usize = 8_192;
/// What the health probe lets the model read.
const PROBE: &str = "Where is my order?";
/// How long the probe waits.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// One intent as the classifier needs it, or under the name [`crate::domain::OTHER`] what means none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntentExamples {
    /// The intent's name, returned in `IntentScore`.
    pub name: String,
    /// Things that people say when they mean it; ten or more work well.
    pub phrases: Vec<String>,
    /// Messages that were heard and mean it; hundreds help, and none is needed.
    pub heard: Vec<String>,
}

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model folder; none for rules only.
    pub models: Option<PathBuf>,
    /// Jobs that may wait; one more is refused as [`Error::Overloaded`].
    pub queue: usize,
    /// Threads that read, 0 for one on each core.
    pub threads: usize,
    /// What computes the model's layers.
    pub engine: Engine,
}

/// Why a text was not read by the model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue is full.
    #[error("too many texts wait to be read")]
    Overloaded,
    /// The deadline passed.
    #[error("the text was not read in time")]
    Late,
    /// The reading thread has ended.
    #[error("the reading thread has stopped")]
    Stopped,
    /// The model failed on the batch that held this text.
    #[error("the model failed: {0}")]
    Model(String),
    /// The model folder is damaged or foreign.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The operating system gave no thread.
    #[error("no thread for the model: {0}")]
    Thread(#[from] std::io::Error),
}

impl Error {
    /// One word for it.
    fn code(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Late => "late",
            Self::Stopped => "stopped",
            Self::Model(_) | Self::Bundle(_) | Self::Thread(_) => "failed",
        }
    }
}

/// What reads, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Model, or rules because of `reason`.
    pub source: Source,
    /// Whether a model is there, or still to come.
    pub stage: Stage,
    /// Version of the weights or of the rules.
    pub version: String,
    /// Milliseconds that loading took.
    pub load_ms: u64,
    /// False after a failed run, until one succeeds.
    pub ready: bool,
    /// Why rules answer, or why the last run failed.
    pub reason: Option<String>,
}

/// Handle to the reading threads. Clones share them; they end with the last one.
#[derive(Clone)]
pub struct Nlu {
    shared: Arc<Shared>,
}

struct Shared {
    sender: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    desk: Arc<Desk>,
    health: watch::Receiver<Health>,
    /// What a text is read with whose intents nobody asks for.
    unfitted: Arc<Intents>,
    source: Source,
    stage: Stage,
    version: String,
    load_ms: u64,
    reason: Option<String>,
    section: Option<Section>,
    wishes: Option<Wishes>,
    recent: Recent,
}

impl Nlu {
    /// Loads the model, runs once to warm up and starts the threads. Takes a while: not for an async worker.
    ///
    /// # Errors
    /// If the model folder is there but damaged or foreign, or the first run fails. A folder that
    /// is not there is no error: rules stand in, and [`Status::reason`] says why.
    pub fn start(options: Options) -> Result<Self, Error> {
        let begin = Instant::now();
        let opened = model::open(options.models.as_deref(), (options.engine, options.threads))?;
        let stage = if opened.version.is_some() { Stage::Ready } else { Stage::Absent };
        let nlu = Self::spawn(opened, (options.queue, encoder::lanes(options.threads)), stage, begin)?;
        let warm_up = Asked { text: PROBE, intents: &nlu.shared.unfitted };
        nlu.shared.desk.model.run(&[warm_up]).map_err(|error| Error::Model(error.to_string()))?;
        Ok(nlu)
    }

    /// Keyword rules in the place of a model that is still to come, or that did not come because of `reason`.
    ///
    /// # Errors
    /// [`Error::Thread`] if the operating system gives no thread.
    pub fn stand_in(queue: usize, stage: Stage, reason: String) -> Result<Self, Error> {
        Self::spawn(model::stand_in(reason), (queue, 1), stage, Instant::now())
    }

    fn spawn(opened: Opened, (queue, threads): (usize, usize), stage: Stage, begin: Instant) -> Result<Self, Error> {
        let (sender, jobs) = mpsc::channel(queue.max(1));
        let (set_health, health) = watch::channel(Ok(()));
        let (jobs, stopping) = (Mutex::new(jobs), AtomicBool::new(false));
        let desk = Arc::new(Desk { model: opened.model, jobs, health: set_health, stopping });
        let thread = |number: usize| {
            let desk = Arc::clone(&desk);
            std::thread::Builder::new().name(format!("nlu-{number}")).spawn(move || {
                step_back(DECIDING);
                worker::serve(&desk);
            })
        };
        let threads = (0..threads).map(thread).collect::<Result<_, _>>()?;
        let source = if opened.version.is_some() { Source::Model } else { Source::Rules };
        Ok(Self {
            shared: Arc::new(Shared {
                sender: Mutex::new(Some(sender)),
                threads: Mutex::new(threads),
                desk,
                health,
                unfitted: Arc::new(Intents::new(&[], None)),
                source,
                stage,
                version: opened.version.unwrap_or_else(|| rules::VERSION.to_owned()),
                load_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
                reason: opened.reason,
                section: opened.section,
                wishes: opened.wishes,
                recent: Recent::default(),
            }),
        })
    }

    /// Fits everything that tells these intents apart, or takes the fit that is remembered beside the weights. Takes
    /// seconds of computing, on the calling thread and others that it starts, while texts are read as before: not
    /// for an async worker.
    ///
    /// # Errors
    /// [`Error::Model`] if the model refuses.
    pub fn fit(&self, intents: &[IntentExamples]) -> Result<Arc<Intents>, Error> {
        let matcher = self.shared.desk.model.fit(intents).map_err(|error| Error::Model(error.to_string()))?;
        Ok(Arc::new(Intents::new(intents, matcher)))
    }

    /// Reads one text, or says within `deadline` why not. A text that was read lately is not read again.
    ///
    /// # Errors
    /// [`Error::Overloaded`] at once if the queue is full; [`Error::Late`] at the deadline;
    /// [`Error::Stopped`] after [`Nlu::stop`]; [`Error::Model`] if the model failed.
    pub async fn analyze(&self, intents: &Arc<Intents>, text: &str, deadline: Duration) -> Result<Analysis, Error> {
        let digest = Recent::digest(intents.key(), text);
        if let Some(analysis) = self.shared.recent.find(&digest) {
            metrics::counter!(telemetry::READINGS, "by" => "memory").increment(1);
            return Ok(analysis);
        }
        let analysis = self.run(intents, text, deadline).await?;
        let by = if self.shared.source == Source::Model { "model" } else { "rules" };
        metrics::counter!(telemetry::READINGS, "by" => by).increment(1);
        if let Some(reason) = self.shared.stage.fallback() {
            metrics::counter!(telemetry::FALLBACKS, "reason" => reason).increment(1);
        }
        self.shared.recent.keep(digest, &analysis);
        Ok(analysis)
    }

    /// The same without memory.
    async fn run(&self, intents: &Arc<Intents>, text: &str, deadline: Duration) -> Result<Analysis, Error> {
        if deadline.is_zero() {
            return Err(Error::Late);
        }
        let (reply, answer) = oneshot::channel();
        let end = Instant::now() + deadline;
        let job = Job { texts: vec![cut(text).into()], intents: Arc::clone(intents), deadline: Some(end), reply };
        self.sender()?.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })?;
        match tokio::time::timeout(deadline, answer).await {
            // A reader that finds a job too late drops it, perhaps before this side's timer ends.
            Ok(Err(_)) if Instant::now() >= end => Err(Error::Late),
            Ok(answer) => single(answer).map(|analysis| self.with_wish(text, analysis)),
            Err(_) => Err(Error::Late),
        }
    }

    /// A reading with the wish for a person, which has a reader of its own: one for every language, and for what
    /// keyword rules read as well.
    fn with_wish(&self, text: &str, analysis: Analysis) -> Analysis {
        Analysis { wish: self.shared.wishes.as_ref().map(|wishes| wishes.analyze(cut(text))), ..analysis }
    }

    /// Reads one text with the model, or with the rules if that fails for any reason.
    pub async fn analyze_or_rules(&self, intents: &Arc<Intents>, text: &str, deadline: Duration) -> Analysis {
        match self.analyze(intents, text, deadline).await {
            Ok(analysis) => analysis,
            Err(error) => {
                tracing::warn!(%error, "rules read a text in the model's place");
                metrics::counter!(telemetry::FALLBACKS, "reason" => error.code()).increment(1);
                metrics::counter!(telemetry::READINGS, "by" => "rules").increment(1);
                self.with_wish(text, intents.rules().analyze(cut(text)))
            }
        }
    }

    /// The probability from which the model's makers count a turn as frustrated, 0 to 1; what the
    /// bot does about one stands in the policy.
    #[must_use]
    pub fn frustration_threshold(&self) -> f32 {
        self.shared.section.as_ref().map_or(rules::FRUSTRATED, |section| section.thresholds.frustration)
    }

    /// Languages that whoever reads was made for, ISO 639-1.
    #[must_use]
    pub fn languages(&self) -> Vec<String> {
        // The lists of the rules are English.
        let section = self.shared.section.as_ref();
        section.map_or_else(|| vec!["en".to_owned()], |section| section.languages.clone())
    }

    /// Puts a reading into its conversation: frustration is weighed again with what was before. A
    /// reading by rules stays as it is.
    pub fn read_in_context(&self, analysis: &mut Analysis, context: &Context) {
        if let (Some(Section { frustration: model, .. }), Some(seen)) = (&self.shared.section, &analysis.evidence)
            && let Ok(cues) = seen.cues.as_slice().try_into()
        {
            analysis.frustration = model.probability(&context::evidence(seen.score, cues, &seen.meaning, context));
        }
    }

    /// Reads many texts, in order, waiting as long as it takes. For the command line: panics on
    /// an async worker, where waiting is forbidden.
    ///
    /// # Errors
    /// [`Error::Stopped`] or [`Error::Model`].
    pub fn analyze_batch_blocking(&self, intents: &Arc<Intents>, texts: &[String]) -> Result<Vec<Analysis>, Error> {
        let sender = self.sender()?;
        let mut answers = Vec::new();
        // Many jobs, so that every thread has work.
        for texts in texts.chunk_by(by_budget()) {
            let (reply, answer) = oneshot::channel();
            let texts = texts.iter().map(|text| cut(text).into()).collect();
            let job = Job { texts, intents: Arc::clone(intents), deadline: None, reply };
            sender.blocking_send(job).map_err(|_| Error::Stopped)?;
            answers.push(answer);
        }
        drop(sender);
        let mut all = Vec::with_capacity(texts.len());
        for answer in answers {
            all.extend(answer.blocking_recv().map_err(|_| Error::Stopped)??);
        }
        Ok(texts.iter().zip(all).map(|(text, analysis)| self.with_wish(text, analysis)).collect())
    }

    /// What reads now, and whether its last run succeeded.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let stopped = shared.desk.stopping.load(Ordering::Acquire);
        let health = if stopped { Err("stopped".to_owned()) } else { shared.health.borrow().clone() };
        Status {
            source: shared.source,
            stage: shared.stage,
            version: shared.version.clone(),
            load_ms: shared.load_ms,
            ready: health.is_ok(),
            reason: health.err().or_else(|| shared.reason.clone()),
        }
    }

    /// The status for a health check: if the last run failed, the model first gets another text
    /// to read, so that a passing fault heals without a restart.
    pub async fn probe(&self) -> Status {
        let status = self.status();
        if status.ready {
            return status;
        }
        if let Err(error) = self.run(&self.shared.unfitted, PROBE, PROBE_DEADLINE).await {
            tracing::warn!(%error, "the model failed its probe");
        }
        self.status()
    }

    /// Ends the thread after the batch that it is running and waits for it. What still waits gets
    /// [`Error::Stopped`].
    pub fn stop(&self) {
        self.shared.stop();
    }

    fn sender(&self) -> Result<mpsc::Sender<Job>, Error> {
        // A poisoned lock only means that a holder panicked between two statements; the option
        // inside is whole either way.
        let sender = self.shared.sender.lock().unwrap_or_else(PoisonError::into_inner);
        sender.clone().ok_or(Error::Stopped)
    }
}

impl Shared {
    fn stop(&self) {
        self.desk.stopping.store(true, Ordering::Release);
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reading thread panicked");
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

fn single(answer: Result<Result<Vec<Analysis>, Error>, oneshot::error::RecvError>) -> Result<Analysis, Error> {
    let mut analyses = answer.map_err(|_| Error::Stopped)??;
    analyses.pop().ok_or_else(|| Error::Model("no analysis for the text".to_owned()))
}

/// Whether a text still fits with those before it into the budget of a batch.
fn by_budget() -> impl FnMut(&String, &String) -> bool {
    let mut tokens = 0;
    move |text, next| {
        tokens += worker::estimate(cut(text));
        let fits = tokens + worker::estimate(cut(next)) <= worker::BUDGET;
        tokens = if fits { tokens } else { 0 };
        fits
    }
}

/// The part of a text that is read.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}
