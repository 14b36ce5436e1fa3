//! Loading the model beside a server that already answers: a cheap look at its folder first, everything else on a
//! thread of its own. Knows folders and example phrases; who answers meanwhile is decided elsewhere.

use super::bundle::{BundleError, glance};
use super::{Error, IntentExamples, Intents, Nlu, Options};
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// Whether a model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Keyword rules read until it is loaded.
    Loading,
    /// It reads.
    Ready,
    /// There is none: keyword rules read.
    Absent,
    /// It could not be loaded: keyword rules read.
    Failed,
}

impl Stage {
    /// One word for why keyword rules stand in for a model that should be there.
    pub(super) fn fallback(self) -> Option<&'static str> {
        match self {
            Self::Loading => Some("loading"),
            Self::Failed => Some("failed"),
            Self::Ready | Self::Absent => None,
        }
    }
}

/// The languages of the model in a folder, ISO 639-1, as its checked configuration names them; none if there is no
/// model. Reads small files only.
///
/// # Errors
/// A folder that lacks a file, or whose configuration is damaged or foreign. Damaged weights show when they are loaded.
pub fn languages_of(models: Option<&Path>) -> Result<Option<Vec<String>>, Error> {
    match models.map(glance) {
        None | Some(Err(BundleError::Missing(_))) => Ok(None),
        Some(Ok(section)) => Ok(Some(section.languages)),
        Some(Err(refused)) => Err(refused.into()),
    }
}

/// A model that is being loaded.
pub struct Loading {
    examples: mpsc::Sender<Vec<IntentExamples>>,
    done: oneshot::Receiver<Result<(Nlu, Arc<Intents>), Error>>,
}

impl Loading {
    /// Begins to load.
    ///
    /// # Errors
    /// [`Error::Thread`] if the operating system gives no thread.
    pub fn begin(options: Options) -> Result<Self, Error> {
        let (examples, wanted) = mpsc::channel::<Vec<IntentExamples>>();
        let (send, done) = oneshot::channel();
        let load = move || {
            let nlu = Nlu::start(options)?;
            // Nobody asks for a fit any more when the start failed or the server stops.
            let examples = wanted.recv().map_err(|_| Error::Stopped)?;
            let intents = nlu.fit(&examples)?;
            Ok((nlu, intents))
        };
        std::thread::Builder::new().name("load".to_owned()).spawn(move || drop(send.send(load())))?;
        Ok(Self { examples, done })
    }

    /// The loaded model, and what tells these intents apart.
    ///
    /// # Errors
    /// As [`Nlu::start`] and [`Nlu::fit`].
    pub async fn finish(self, intents: Vec<IntentExamples>) -> Result<(Nlu, Arc<Intents>), Error> {
        // A thread that has ended says why below.
        drop(self.examples.send(intents));
        self.done.await.unwrap_or_else(|_| Err(Error::Model("loading it panicked".to_owned())))
    }
}
