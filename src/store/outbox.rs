//! What has to leave the server for certain. It is written in the transaction of what causes it; a background
//! task delivers it, at least once.

use super::{Result, Store};
use crate::domain::{ConversationId, Timestamp};
use serde_json::Value;
use sqlx::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// By which way something leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "snake_case")]
pub enum OutboxKind {
    /// An HTTP request.
    Webhook,
    /// A mail.
    Mail,
}

/// Something to deliver.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// Identity: the same at every attempt, so that the other side knows a repeat.
    pub id: Uuid,
    /// By which way.
    pub kind: OutboxKind,
    /// What is delivered.
    pub payload: Value,
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Delivery {
    /// Identity.
    pub id: Uuid,
    /// By which way.
    pub kind: OutboxKind,
    /// What it is about.
    pub conversation_id: ConversationId,
    /// What is delivered.
    #[sqlx(json)]
    pub payload: Value,
    /// Attempts that failed.
    pub attempts: i64,
    /// When it was written.
    pub created_at: Timestamp,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was taken.
    Delivered(Timestamp),
    /// It failed and is tried again then.
    Again(Timestamp),
    /// It failed for good.
    GivenUp,
}

impl Store {
    /// What is due at `now`, the oldest first, at most `most`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn due_deliveries(&self, now: Timestamp, most: u32) -> Result<Vec<Delivery>> {
        Ok(sqlx::query_as(
            "SELECT id, kind, conversation_id, payload, attempts, created_at FROM outbox
             WHERE next_at <= $1 ORDER BY next_at, id LIMIT $2",
        )
        .bind(now)
        .bind(most)
        .fetch_all(&mut *self.readers.get().await?)
        .await?)
    }

    /// When the next delivery is due; none if nothing waits.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn next_delivery(&self) -> Result<Option<Timestamp>> {
        Ok(sqlx::query_scalar("SELECT MIN(next_at) FROM outbox WHERE next_at IS NOT NULL")
            .fetch_one(&mut *self.readers.get().await?)
            .await?)
    }

    /// Notes how an attempt ended.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn settle_delivery(&self, id: Uuid, attempt: Attempt) -> Result<()> {
        let (failed, next_at, done_at) = match attempt {
            Attempt::Delivered(at) => (0, None, Some(at)),
            Attempt::Again(at) => (1, Some(at), None),
            Attempt::GivenUp => (1, None, None),
        };
        self.writer
            .write_single(move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE outbox SET attempts = attempts + $2, next_at = $3, done_at = $4 WHERE id = $1")
                        .bind(id)
                        .bind(failed)
                        .bind(next_at)
                        .bind(done_at)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Writes what is to be delivered, due at once.
pub(super) async fn insert_deliveries(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    deliveries: &[NewDelivery],
    at: Timestamp,
) -> Result<()> {
    for one in deliveries {
        sqlx::query(
            "INSERT INTO outbox (id, kind, conversation_id, payload, created_at, next_at)
             VALUES ($1, $2, $3, $4, $5, $5)",
        )
        .bind(one.id)
        .bind(one.kind)
        .bind(conversation)
        .bind(Json(&one.payload))
        .bind(at)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
