//! The demo shop's own small API: orders, returns, stock. The bot asks it over HTTP like any shop's
//! system; nothing of candor reads it directly. Nothing of it is stored: what customers start here
//! is kept in memory for a day. It is not there with `--no-demo`.

mod day;
mod fault;
pub(super) mod orders;
pub(super) mod returns;
pub(super) mod stock;
