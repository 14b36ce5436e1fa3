//! Training and measuring the model.

pub(crate) mod cache;
pub(crate) mod convert;
pub(crate) mod data;
