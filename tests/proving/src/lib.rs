//! The proof of "no message lost": honest clients of both sockets, load at times of its own, faults
//! of process, disk and network, and a checker of what all clients saw.
//!
//! Knows the wire protocol (`docs/protocol.md`) and nothing else of the server, which is always the
//! real program, started by its path. Everything runs on one thread and follows a seed, because it
//! shares the machine with what it proves.

pub mod checker;
pub mod client;
pub mod disk;
pub mod figures;
pub mod history;
pub mod load;
pub mod process;
pub mod proxy;
pub mod random;
pub mod server;
pub mod socket;
