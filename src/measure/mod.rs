//! Figures of a model: how often it is right, how far its probabilities can be believed, and
//! whether it treats people alike.
//!
//! Knows labelled rows, scores, formulas and pictures of them. Must not know sockets, stores,
//! prompts or conversations, and trains nothing; `train` takes its figures from here.

pub mod audit;
pub mod calibration;
pub mod disturb;
pub mod figures;
pub mod intents;
pub mod labels;
pub mod metrics;
pub mod mistakes;
pub mod neighbours;
pub mod plot;
pub mod predictions;
pub mod rows;
pub mod statistics;
mod table;
pub mod templates;
pub mod timing;

/// A share that may have nothing to be a share of: then it is not a number, which JSON shows as
/// `null` and tables as a dash.
#[must_use]
pub fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
