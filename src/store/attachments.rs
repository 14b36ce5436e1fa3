//! Whose files those in the attachments' directory are. Must not know where that is.

use super::events::{Guard, NewEvent, Written, find_repeated, insert_event};
use super::sql::sql;
use super::{Appended, Result, Store};
use crate::domain::{Attachment, Author, ConversationId, EventKind, VisitorId};
use sqlx::types::Json;
use uuid::Uuid;

/// What a conversation has of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Attached {
    /// How many.
    pub files: i64,
    /// How large they are together.
    pub bytes: i64,
}

impl Store {
    /// Adds a file to its conversation, and the event that tells of it. The same client id a second time finds the first
    /// file, whatever this one is: a picture that is written anew need not come out the same.
    ///
    /// # Errors
    /// `NotFound`; `Closed`; `Conflict` if the client id was used for something that is no file.
    pub async fn attach(&self, attachment: Attachment, event: NewEvent) -> Result<Appended> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    let conversation = attachment.conversation_id;
                    if let Some(client_id) = event.client_id
                        && let Some(first) = find_repeated(&mut connection, conversation, client_id, is_file).await?
                    {
                        return Ok(first);
                    }
                    let appended = insert_event(&mut connection, conversation, Guard::Open, &event).await?;
                    connection
                        .query(sql!(
                            "INSERT INTO attachment (id, conversation_id, kind, name, bytes, at)
                             VALUES ($1, $2, $3, $4, $5, $6)"
                        ))
                        .bind(attachment.id)
                        .bind(conversation)
                        .bind(attachment.kind)
                        .bind(&attachment.name)
                        .bind(attachment.bytes)
                        .bind(attachment.at)
                        .execute()
                        .await?;
                    Ok(appended)
                })
            })
            .await
    }

    /// One file.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn attachment(&self, id: Uuid) -> Result<Option<Attachment>> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT id, conversation_id, kind, name, bytes, at FROM attachment WHERE id = $1"))
            .bind(id)
            .fetch_optional()
            .await
    }

    /// One file, if it is in a conversation of this visitor's.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn attachment_of(&self, visitor: VisitorId, id: Uuid) -> Result<Option<Attachment>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT a.id, a.conversation_id, a.kind, a.name, a.bytes, a.at FROM attachment a
                 JOIN conversation c ON c.id = a.conversation_id WHERE a.id = $1 AND c.visitor_id = $2"
            ))
            .bind(id)
            .bind(visitor)
            .fetch_optional()
            .await
    }

    /// The files of a conversation, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn attachments_in(&self, conversation: ConversationId) -> Result<Vec<Uuid>> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT id FROM attachment WHERE conversation_id = $1 ORDER BY at, id"))
            .bind(conversation)
            .scalars()
            .await
    }

    /// How many files a conversation has, and how large they are.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn attached(&self, conversation: ConversationId) -> Result<Attached> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes
                 FROM attachment WHERE conversation_id = $1"
            ))
            .bind(conversation)
            .fetch_one()
            .await
    }

    /// Which of these files belong to somebody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn known_attachments(&self, ids: &[Uuid]) -> Result<Vec<Uuid>> {
        let ids: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT id FROM attachment WHERE ",
                ["id IN (SELECT unhex(value) FROM json_each($1))"
                    | "id IN (SELECT CAST(value AS UUID) FROM jsonb_array_elements_text($1) AS asked (value))"]
            ))
            .bind(Json(ids))
            .scalars()
            .await
    }
}

fn is_file(first: &Written) -> bool {
    first.kind == EventKind::Message && first.author == Author::Customer && first.has("attachment")
}
