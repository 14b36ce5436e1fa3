//! What a model is, and opening the right one.

use super::bert::Bert;
use super::bundle::{Bundle, BundleError, Section, WISHES};
use super::intent::IntentMatcher;
use super::wish::Wishes;
use super::{Engine, IntentExamples, Intents};
use crate::domain::Analysis;
use std::path::Path;

/// Why a model could not read a batch.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ModelError(pub(crate) String);

/// A text, and the intents that it may have.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// What to read.
    pub(crate) text: &'a str,
    /// What was fitted on the phrases of its caller's prompts.
    pub(crate) intents: &'a Intents,
}

/// Reads texts. Two stand behind it in production: the transformer and the keyword rules.
pub(crate) trait Model: Send + Sync {
    /// One analysis per text, in order.
    fn run(&self, asked: &[Asked<'_>]) -> Result<Vec<Analysis>, ModelError>;

    /// What tells these intents apart by meaning; none where words alone are compared. Takes seconds, beside runs.
    fn fit(&self, intents: &[IntentExamples]) -> Result<Option<IntentMatcher>, ModelError>;
}

/// The keyword rules in the model's place.
pub(crate) struct Keywords;

impl Model for Keywords {
    fn run(&self, asked: &[Asked<'_>]) -> Result<Vec<Analysis>, ModelError> {
        Ok(asked.iter().map(|asked| asked.intents.rules().analyze(asked.text)).collect())
    }

    fn fit(&self, _: &[IntentExamples]) -> Result<Option<IntentMatcher>, ModelError> {
        Ok(None)
    }
}

/// A model ready to run.
pub(crate) struct Opened {
    /// The model.
    pub(crate) model: Box<dyn Model>,
    /// Version of its weights, none for rules.
    pub(crate) version: Option<String>,
    /// Why rules stand in.
    pub(crate) reason: Option<String>,
    /// How the model describes itself, none for rules.
    pub(crate) section: Option<Section>,
    /// Reads wishes for a person, whoever reads the rest.
    pub(crate) wishes: Option<Wishes>,
}

/// The keyword rules, and why it is they.
pub(crate) fn stand_in(reason: String) -> Opened {
    Opened { model: Box::new(Keywords), version: None, reason: Some(reason), section: None, wishes: None }
}

/// Opens the model folder; a folder that is not there gives the rules.
///
/// # Errors
/// A folder that is there but damaged or foreign: serving on rules instead would hide it.
pub(crate) fn open(folder: Option<&Path>, engine: (Engine, usize)) -> Result<Opened, BundleError> {
    let Some(folder) = folder else {
        return Ok(stand_in("no model folder is set".to_owned()));
    };
    match Bundle::read(folder) {
        Err(BundleError::Missing(path)) => Ok(stand_in(format!("no model at {}", path.display()))),
        Err(refused) => Err(refused),
        Ok(bundle) => {
            let wishes = match bundle.content(WISHES) {
                [] => None,
                bytes => Some(Wishes::read(bytes).map_err(|reason| bundle.refuse(WISHES, reason))?),
            };
            let bert = Bert::load(bundle, engine)?;
            let version = Some(bert.version().to_owned());
            let section = Some(bert.section().clone());
            Ok(Opened { model: Box::new(bert), version, reason: None, section, wishes })
        }
    }
}
