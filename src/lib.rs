//! candor: a self-hosted customer-support chat server.

pub mod cli;
pub mod dialogue;
pub mod domain;
pub mod nlu;
pub mod train;
