//! Black-box tests: a real server, real sockets, real databases, and the committed model where the
//! model matters.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends where something is not as expected, and plays clients that make their own ids"
)]

mod attachments;
mod audit;
mod bad_input;
mod conversations;
mod delivery;
mod desk;
mod embedding;
mod handover;
mod identity;
mod layers;
mod loading;
mod lookups;
mod metrics;
mod nodes;
mod on_postgres;
mod outages;
mod paraphrases;
mod past;
mod postgres;
mod pre_chat;
mod precision;
mod proactive;
mod process;
mod reload;
mod replay;
mod resume;
mod rights;
mod rivals;
mod storage;
mod store;
mod support;
mod tasks;
mod text_in;
mod triggers;
mod whole;
