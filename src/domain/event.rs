//! Entries of the append-only log that is the truth about a conversation.

use super::column::text_column;
use super::{ConversationId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum EventKind {
    /// The notice that a bot answers was shown; `data.version` says which text.
    Disclosure,
    /// Somebody wrote something; with `data.attachment` a file, whose name is the text.
    Message,
    /// The customer pressed the button for a person.
    HumanRequest,
    /// The owner changed; `data.state` and what belongs to it.
    State,
    /// A note among staff.
    Note,
    /// A survey answer; `data.kind`, `data.score`.
    Rating,
    /// Thumbs on one bot answer; `data.of` is its seq, `data.helpful`.
    Feedback,
    /// A message left while nobody was there; `data.email` if given.
    LeftMessage,
}

text_column!(EventKind);

/// Who wrote an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Author {
    /// The person who came for help.
    Customer,
    /// The bot.
    Bot,
    /// A member of staff.
    Agent,
    /// candor itself.
    System,
}

text_column!(Author);

/// Who may see an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Visibility {
    /// Customer and staff.
    All,
    /// Staff only; the customer's client gets the sequence number alone, so that it sees no gap.
    Staff,
}

text_column!(Visibility);

/// One entry of a conversation's log.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct Event {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Position in the log: 1, 2, 3 ... without gaps.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// Who may see it.
    pub visibility: Visibility,
    /// Who wrote it.
    pub author: Author,
    /// The writer's shown name, for the bot and for agents.
    pub author_name: Option<String>,
    /// The idempotency key under which the writer's client sent it.
    pub client_id: Option<Uuid>,
    /// The text, for kinds that have one.
    pub text: Option<String>,
    /// What else belongs to the kind.
    #[sqlx(json(nullable))]
    pub data: Option<serde_json::Value>,
}

impl Event {
    /// Whether it is a file instead of words.
    #[must_use]
    pub fn is_attachment(&self) -> bool {
        self.kind == EventKind::Message && self.data.as_ref().is_some_and(|data| data.get("attachment").is_some())
    }
}
