//! Black-box tests: a real server, real sockets, real SQLite.

mod bad_input;
mod delivery;
mod desk;
mod layers;
mod support;
