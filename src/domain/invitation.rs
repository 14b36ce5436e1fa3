//! An invitation to a chat that was due on a page.

use super::column::text_column;
use serde::{Deserialize, Serialize};

/// What became of an invitation that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Arm {
    /// It was shown.
    Shown,
    /// It was not, by lot, so that both can be compared.
    HeldOut,
}

text_column!(Arm);

/// The invitation of the page view in which a customer opened the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// Name of its trigger.
    pub trigger: String,
    /// What became of it.
    pub arm: Arm,
    /// The chat was opened by accepting it.
    #[serde(default)]
    pub accepted: bool,
}
