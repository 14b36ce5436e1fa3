//! Files that customers attach to a conversation.

use super::column::text_column;
use super::{ConversationId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a file is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum AttachmentKind {
    /// A picture without transparency.
    Jpeg,
    /// A picture.
    Png,
    /// A document.
    Pdf,
}

text_column!(AttachmentKind);

impl AttachmentKind {
    /// The media type (RFC 6838) under which it is served.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }

    /// The ending of its name, without the dot.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }
}

/// A stored file; its bytes lie elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Attachment {
    /// Identity, a UUIDv7: it tells when the file was written.
    pub id: Uuid,
    /// The conversation that it belongs to.
    pub conversation_id: ConversationId,
    /// What it is.
    pub kind: AttachmentKind,
    /// Its name, with the ending of its kind.
    pub name: String,
    /// Its size as it is stored.
    pub bytes: i64,
    /// When it was stored.
    pub at: Timestamp,
}
