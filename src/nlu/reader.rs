//! A reader whose intents stay the same, for the command line: nothing is replaced while it runs.

use super::{Error, IntentExamples, Intents, Nlu, Options, Status};
use crate::domain::{Analysis, Context};
use std::sync::Arc;

/// The reading threads with one fit.
pub struct Reader {
    nlu: Nlu,
    intents: Arc<Intents>,
}

impl Reader {
    /// Starts the threads and fits the intents. Takes seconds: not for an async worker.
    ///
    /// # Errors
    /// As [`Nlu::start`] and [`Nlu::fit`].
    pub fn start(options: Options, intents: &[IntentExamples]) -> Result<Self, Error> {
        let nlu = Nlu::start(options)?;
        let intents = nlu.fit(intents)?;
        Ok(Self { nlu, intents })
    }

    /// The threads, for whoever brings a fit of their own.
    #[must_use]
    pub fn nlu(&self) -> &Nlu {
        &self.nlu
    }

    /// As [`Nlu::analyze_batch_blocking`].
    ///
    /// # Errors
    /// As there.
    pub fn analyze_batch_blocking(&self, texts: &[String]) -> Result<Vec<Analysis>, Error> {
        self.nlu.analyze_batch_blocking(&self.intents, texts)
    }

    /// As [`Nlu::read_in_context`].
    pub fn read_in_context(&self, analysis: &mut Analysis, context: &Context) {
        self.nlu.read_in_context(analysis, context);
    }

    /// As [`Nlu::frustration_threshold`].
    #[must_use]
    pub fn frustration_threshold(&self) -> f32 {
        self.nlu.frustration_threshold()
    }

    /// As [`Nlu::status`].
    #[must_use]
    pub fn status(&self) -> Status {
        self.nlu.status()
    }

    /// As [`Nlu::stop`].
    pub fn stop(&self) {
        self.nlu.stop();
    }
}
