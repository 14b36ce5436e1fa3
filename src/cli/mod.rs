//! Sub-commands other than `serve`.
pub mod train;
