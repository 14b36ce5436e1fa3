//! What a model is, and opening the right one.

use super::bert::Bert;
use super::bundle::{Bundle, BundleError, Section};
use super::{Engine, IntentExamples, rules::Rules};
use crate::domain::Analysis;
use std::path::Path;
use std::sync::Arc;

/// Why a model could not read a batch.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ModelError(pub(crate) String);

/// Reads texts. Two stand behind it in production: the transformer and the keyword rules.
pub(crate) trait Model: Send + Sync {
    /// One analysis per text, in order.
    fn run(&self, texts: &[Arc<str>]) -> Result<Vec<Analysis>, ModelError>;
}

impl Model for Arc<Rules> {
    fn run(&self, texts: &[Arc<str>]) -> Result<Vec<Analysis>, ModelError> {
        Ok(texts.iter().map(|text| self.analyze(text)).collect())
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
}

/// Opens the model folder and fits the intents; a folder that is not there gives the rules.
///
/// # Errors
/// A folder that is there but damaged or foreign: serving on rules instead would hide it.
pub(crate) fn open(
    folder: Option<&Path>,
    intents: &[IntentExamples],
    rules: &Arc<Rules>,
    engine: (Engine, usize),
) -> Result<Opened, BundleError> {
    let stand_in = |reason: String| Opened {
        model: Box::new(Arc::clone(rules)),
        version: None,
        reason: Some(reason),
        section: None,
    };
    let Some(folder) = folder else {
        return Ok(stand_in("no model folder is set".to_owned()));
    };
    match Bundle::read(folder) {
        Err(BundleError::Missing(path)) => Ok(stand_in(format!("no model at {}", path.display()))),
        Err(refused) => Err(refused),
        Ok(bundle) => {
            let bert = Bert::load(bundle, intents, engine)?;
            let version = Some(bert.version().to_owned());
            let section = Some(bert.section().clone());
            Ok(Opened { model: Box::new(bert), version, reason: None, section })
        }
    }
}
