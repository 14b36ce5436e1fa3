//! Use cases: the only place where storage, understanding, dialogue and the bus meet. Knows
//! nothing of HTTP, frames or sockets.

pub mod accounts;
pub mod attachments;
mod churn;
pub mod decisions;
pub mod desk;
pub mod explain;
pub mod handoff;
pub mod identity;
pub mod invitation;
pub mod lookup;
pub mod oncall;
pub mod outbox;
pub mod pre_chat;
pub mod presence;
pub mod queue;
pub mod reload;
pub mod repair;
pub mod rights;
pub mod sample_day;
pub mod summary;
pub mod text;
pub mod turn;
pub mod upkeep;
pub mod visitor;
mod waits;

use crate::store;

/// What can go wrong in a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Storage refused or failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The message cannot be taken.
    #[error(transparent)]
    Text(#[from] text::TextError),
    /// Unknown e-mail, closed account or wrong password: never said which.
    #[error("e-mail or password is wrong")]
    WrongCredentials,
    /// A field of a form cannot be taken.
    #[error("{0}: {1}")]
    Field(&'static str, String),
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Random(#[from] getrandom::Error),
    /// Whoever wants to chat has to be vouched for by the business, and is not.
    #[error("the business asks customers to sign in first")]
    IdentityRequired,
    /// An attached file could not be written or read; never says which.
    #[error("attached files: {0}")]
    Files(String),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hash,
}

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;
