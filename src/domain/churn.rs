//! How likely a customer seems to leave, with what the figure is made of.

use super::column::text_column;
use serde::{Deserialize, Serialize};

/// A range of the score, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Band {
    /// Little or nothing points to it.
    Low,
    /// Something does.
    Medium,
    /// Much does.
    High,
}

text_column!(Band);

/// One signal that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChurnSignal {
    /// Its name in `churn.toml`.
    pub name: String,
    /// Its words for people.
    pub label: String,
    /// How often it was seen in the conversation; more often than `most` counts no further.
    pub count: u32,
    /// What it adds to the sum, in log-odds; below zero where it speaks against leaving.
    pub contribution: f64,
}

/// The score of a conversation after one of its turns. An order, not a probability: its weights are
/// set by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChurnRisk {
    /// Logistic of bias and contributions, 0 to 1.
    pub score: f64,
    /// The score's range.
    pub band: Band,
    /// What every conversation starts with, in log-odds.
    pub bias: f64,
    /// The signals that were seen, the heaviest first.
    pub signals: Vec<ChurnSignal>,
}
