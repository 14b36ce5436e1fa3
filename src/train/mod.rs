//! Training and measuring the model: a sub-command's code, never in the server's path.
//!
//! The encoder stays frozen; small heads are trained on its cached features. Knows data sets,
//! optimisers and figures; must not know prompts, conversations or storage.

pub(crate) mod cache;
pub(crate) mod convert;
pub(crate) mod data;
pub(crate) mod evaluate;
pub(crate) mod fit;
pub(crate) mod metrics;
pub(crate) mod random;
pub(crate) mod recipe;
pub(crate) mod sets;
