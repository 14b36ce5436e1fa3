//! Sub-commands other than `serve`, and what `serve` prints. They only parse, call and print.

pub mod analyze;
pub mod banner;
pub mod replay;
pub mod train;
pub mod user;
