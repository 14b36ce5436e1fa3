//! Black-box tests: a real server, real sockets, real SQLite, and the committed model where the
//! model matters.

mod bad_input;
mod conversations;
mod delivery;
mod desk;
mod layers;
mod support;
