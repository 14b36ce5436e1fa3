//! Members of staff and what each role may do.

use super::column::text_column;
use super::{AgentId, Timestamp};
use serde::{Deserialize, Serialize};

/// What a member of staff may do. Managers may do all that agents may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Role {
    /// Takes conversations from the queue.
    Agent,
    /// Also reads every transcript, sees figures and adds people.
    Manager,
}

text_column!(Role);

/// Whether an agent takes new conversations. It describes open desks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Presence {
    /// At the desk and ready.
    Online,
    /// At the desk, not taking new conversations.
    Away,
    /// No desk open.
    Offline,
}

text_column!(Presence);

/// A member of staff as other people may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Agent {
    /// Identity.
    pub id: AgentId,
    /// Sign-in name, lower case.
    pub email: String,
    /// The name that customers see.
    pub name: String,
    /// Rights.
    pub role: Role,
    /// False once the account is closed; its sessions end with it.
    pub active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}
