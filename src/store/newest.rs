//! What changed, asked for by a node that may have missed a signal: see `bus/repair.rs` for why these questions.

use super::sql::sql;
use super::{Result, Store};
use crate::domain::{ConversationId, Timestamp};
use sqlx::types::Json;

/// Conversations in one question.
pub const NEWEST_PAGE: usize = 500;

/// Rows of one answer about what was updated; one with fewer is the last.
pub const UPDATED_PAGE: usize = 500;

/// A conversation that was updated lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UpdatedRow {
    /// Which.
    pub id: ConversationId,
    /// Its newest event.
    pub last_seq: i64,
    /// Its newest reading; 0 if there is none.
    pub last_turn: i64,
    /// When its newest event was written.
    pub updated_at: Timestamp,
}

impl Store {
    /// The newest event of each of `conversations`, at most [`NEWEST_PAGE`] of them; those that do not exist are
    /// left out.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn newest_events(&self, conversations: &[ConversationId]) -> Result<Vec<(ConversationId, i64)>> {
        if conversations.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = conversations.iter().map(|id| id.0.simple().to_string()).collect();
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT id, last_seq FROM conversation WHERE id IN ",
                ["(SELECT unhex(value) FROM json_each($1))"
                    | "(SELECT CAST(value AS UUID) FROM jsonb_array_elements_text($1) AS asked (value))"]
            ))
            .bind(Json(ids))
            .fetch_all()
            .await
    }

    /// The conversations that were updated at `since` or later and come after `after`, the place of a row that was
    /// read before; by time, at most [`UPDATED_PAGE`].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn updated_since(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, ConversationId)>,
    ) -> Result<Vec<UpdatedRow>> {
        let (at, id) = after.unwrap_or((Timestamp(i64::MIN), ConversationId(uuid::Uuid::nil())));
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT c.id, c.last_seq, c.updated_at,
                        COALESCE((SELECT MAX(t.seq) FROM turn t WHERE t.conversation_id = c.id), 0) AS last_turn
                 FROM conversation c
                 WHERE c.updated_at >= $1 AND (c.updated_at > $2 OR (c.updated_at = $2 AND c.id > $3))
                 ORDER BY c.updated_at, c.id LIMIT $4"
            ))
            .bind(since)
            .bind(at)
            .bind(id)
            .bind(i64::try_from(UPDATED_PAGE).unwrap_or(i64::MAX))
            .fetch_all()
            .await
    }
}
