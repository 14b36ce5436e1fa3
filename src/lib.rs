//! candor: a self-hosted customer-support chat server.

pub mod dialogue;
pub mod domain;
pub mod nlu;
pub mod clock;
pub mod store;
pub mod token;
