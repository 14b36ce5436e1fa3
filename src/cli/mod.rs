//! Sub-commands other than `serve`, and what `serve` prints. They only parse, call and print.

pub mod analyze;
pub mod audit;
pub mod banner;
pub mod bench;
pub mod database;
pub mod doctor;
pub mod eval;
pub mod intents;
mod reading;
pub mod replay;
pub mod train;
pub mod user;
