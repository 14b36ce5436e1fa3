//! Training the model: a sub-command's code, never in the server's path.
//!
//! The lower layers stay the sentence encoder's; the mood layers above them and the heads are
//! trained. Knows data sets, optimisers and figures; must not know prompts, conversations or storage.

pub(crate) mod cache;
pub(crate) mod calibrate;
pub(crate) mod checkpoint;
pub(crate) mod convert;
pub(crate) mod corpus;
pub(crate) mod counterfactual;
pub(crate) mod data;
pub(crate) mod evaluate;
pub(crate) mod fit;
pub(crate) mod joined;
pub(crate) mod labels;
pub(crate) mod network;
pub(crate) mod optimiser;
pub(crate) mod recipe;
pub(crate) mod sets;
pub(crate) mod smoothing;
#[cfg(test)]
mod tests;
pub(crate) mod tune;
pub(crate) mod wishes;
