//! One prompts file as text: parsing with positions, and the errors that carry them.
//!
//! Knows nothing of what the files mean.

use serde::de::DeserializeOwned;
use std::fmt;
use std::ops::Range;

/// One fault in the prompts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("prompts/{file}:{line}: {reason}")]
pub struct PromptError {
    /// Path inside the prompts folder, with `/`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what is allowed.
    pub reason: String,
}

/// Every fault found, so that a writer mends them in one go. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptErrors(pub Vec<PromptError>);

impl fmt::Display for PromptErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PromptErrors {}

/// A file being read.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The line of a byte position. A span of a multi-line string begins at its quotes.
    pub(super) fn line(&self, position: usize) -> usize {
        let before = self.text.as_bytes().iter().take(position);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    pub(super) fn error(&self, span: &Range<usize>, reason: impl Into<String>) -> PromptError {
        PromptError { file: self.file.to_owned(), line: self.line(span.start), reason: reason.into() }
    }

    /// Parses the file; one error ends it, because TOML has no recovery.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, PromptError> {
        toml::from_str(self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            self.error(&span, error.message().trim())
        })
    }
}

/// Faults collected while reading.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<PromptError>);

impl Faults {
    pub(super) fn add(&mut self, source: Source<'_>, span: &Range<usize>, reason: impl Into<String>) {
        self.0.push(source.error(span, reason));
    }

    /// A fault that belongs to a whole file or to none.
    pub(super) fn add_file(&mut self, file: &str, reason: impl Into<String>) {
        self.0.push(PromptError { file: file.to_owned(), line: 1, reason: reason.into() });
    }

    /// Takes the value, or notes the fault.
    pub(super) fn take<T>(&mut self, result: Result<T, PromptError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }
}
