//! Black-box tests: a real server, real sockets, real SQLite, and the committed model where the
//! model matters.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends where something is not as expected, and plays clients that make their own ids"
)]

mod audit;
mod bad_input;
mod conversations;
mod delivery;
mod desk;
mod handover;
mod identity;
mod layers;
mod lookups;
mod metrics;
mod paraphrases;
mod past;
mod precision;
mod proactive;
mod reload;
mod replay;
mod support;
mod tasks;
mod text_in;
mod triggers;
mod whole;
