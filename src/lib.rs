//! candor: a self-hosted customer-support chat server.
//!
//! The map. A request goes through three hops, and arrows point downward only:
//! `http` (routes, sockets, frames) → `chat` (use cases) → `store`, `nlu`, `bus`, `dialogue` →
//! `domain` (values). Decisions are pure and live in `dialogue`; only `store` runs SQL; only `http`
//! names axum; only `egress` names the HTTP client; only `train` names an optimiser. The event log in the database is the truth, and a
//! signal on the bus only says "look again". docs/ARCHITECTURE.md walks through one turn.

pub mod app;
pub mod attachment;
pub mod bus;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dialogue;
pub mod domain;
pub mod egress;
pub mod http;
pub mod measure;
pub mod nlu;
pub mod priority;
pub mod prompt_files;
pub mod random;
pub mod replay;
pub mod secret;
pub mod serve;
pub mod server_address;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod train;
