//! What a check says: one thing that is wrong or doubtful, with its place.

use crate::dialogue::PromptError;
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// Must be mended.
    Error,
    /// Worth a look.
    Warning,
}

/// One thing.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// Name of the check.
    pub(super) check: &'static str,
    /// How bad.
    pub(super) level: Level,
    /// File inside the folder, if one is known.
    pub(super) file: Option<String>,
    /// Line, from 1, if one is known.
    pub(super) line: Option<usize>,
    /// What it is.
    pub(super) message: String,
    /// The phrases behind it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) details: Vec<String>,
}

impl Finding {
    /// A finding at a place.
    pub(super) fn at(level: Level, (file, line): (&str, Option<usize>), message: impl Into<String>) -> Self {
        Self { check: "", level, file: Some(file.to_owned()), line, message: message.into(), details: Vec::new() }
    }

    /// The same, said by this check.
    pub(super) fn of(self, check: &'static str) -> Self {
        Self { check, ..self }
    }

    /// What it is sorted by.
    pub(super) fn place(&self) -> (Option<&str>, Option<usize>) {
        (self.file.as_deref(), self.line)
    }
}

impl From<PromptError> for Finding {
    fn from(error: PromptError) -> Self {
        let PromptError { file, line, reason } = error;
        Self::at(Level::Error, (&file, Some(line)), reason).of("load")
    }
}

/// Phrases of one intent that are read as another.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Overlap {
    /// Whose phrases.
    pub(super) intent: String,
    /// What they are read as.
    pub(super) read_as: String,
    /// Share of the intent's phrases, in percent.
    pub(super) percent: f32,
    /// Cosine of the two nearest phrases of the two.
    pub(super) closest: f32,
    /// Mean over the intent's phrases of the cosine of the other's nearest.
    pub(super) mean: f32,
    /// The phrases.
    pub(super) phrases: Vec<String>,
}
