//! Why an encoder could not be built or a run was refused.
//!
//! One enum for both, because a caller reports either the same way. Knows nothing about layers.

use crate::Tier;

/// Why an encoder could not be built or a run was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// This machine cannot run the tier.
    Unavailable(Tier),
    /// A weight or setting has another size than the configuration says.
    Shape {
        /// Which one.
        what: String,
        /// Its size by the configuration.
        expected: usize,
        /// Its size.
        found: usize,
    },
    /// A setting is outside the range that the products are exact in.
    Setting {
        /// Which one.
        what: &'static str,
        /// Its value.
        value: usize,
    },
    /// A weight is infinite or not a number.
    NotFinite {
        /// Which one.
        what: String,
    },
    /// A matrix has factors where it must have none, or other ones than those that read the same inputs.
    Factors {
        /// Which one.
        what: String,
    },
    /// A tap names a part or a layer that the model does not have.
    UnknownTap {
        /// The tap, by its place in the list.
        tap: usize,
    },
    /// A text has no token.
    Empty {
        /// The text, by its place in the run.
        text: usize,
    },
    /// A text has more tokens than the model has positions.
    TooLong {
        /// The text, by its place in the run.
        text: usize,
        /// Its tokens.
        tokens: usize,
        /// The most that fit.
        most: usize,
    },
    /// A token id is not in the vocabulary.
    UnknownId {
        /// The text, by its place in the run.
        text: usize,
        /// The id.
        id: u32,
    },
    /// A text wants a top that the model does not have.
    UnknownTop {
        /// The text, by its place in the run.
        text: usize,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(tier) => write!(out, "this machine cannot run the tier {tier}"),
            Self::Shape { what, expected, found } => write!(out, "{what}: {found} where {expected} are needed"),
            Self::Setting { what, value } => write!(out, "{what}: {value} is not possible"),
            Self::Factors { what } => write!(out, "{what}: its column factors are not those that its inputs ask for"),
            Self::NotFinite { what } => write!(out, "{what}: a value is not finite"),
            Self::UnknownTap { tap } => write!(out, "tap {tap}: no such layer"),
            Self::Empty { text } => write!(out, "text {text} has no token"),
            Self::TooLong { text, tokens, most } => write!(out, "text {text} has {tokens} tokens, {most} fit"),
            Self::UnknownId { text, id } => write!(out, "text {text}: token {id} is not in the vocabulary"),
            Self::UnknownTop { text } => write!(out, "text {text} wants a top that the model does not have"),
        }
    }
}

impl std::error::Error for Error {}
