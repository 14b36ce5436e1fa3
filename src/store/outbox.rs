//! What has to leave the server for certain. It is written in the transaction of what causes it; a background
//! task delivers it, at least once.

use super::database::Connection;
use super::sql::sql;
use super::{Result, Store};
use crate::domain::column::text_column;
use crate::domain::{ConversationId, Timestamp};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

/// By which way something leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Encode, sqlx::Decode)]
#[sqlx(rename_all = "snake_case")]
pub enum OutboxKind {
    /// An HTTP request.
    Webhook,
    /// A mail.
    Mail,
}

impl OutboxKind {
    /// Its name in figures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
        }
    }
}

text_column!(OutboxKind);

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
    /// How often it was taken up: the number under which its end is noted.
    pub claim: i64,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was taken.
    Delivered(Timestamp),
    /// It failed and is tried again then.
    Again(Timestamp),
    /// It was cut off, which is no failure, and is tried again then.
    PutBack(Timestamp),
    /// It failed for good.
    GivenUp,
}

impl Store {
    /// When the next delivery is due; none if nothing waits.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn next_delivery(&self) -> Result<Option<Timestamp>> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT MIN(next_at) FROM outbox WHERE next_at IS NOT NULL"))
            .scalar()
            .await
    }
}

/// Writes what is to be delivered, due at once.
pub(super) async fn insert_deliveries(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    deliveries: &[NewDelivery],
    at: Timestamp,
) -> Result<()> {
    for one in deliveries {
        connection
            .query(sql!(
                "INSERT INTO outbox (id, kind, conversation_id, payload, created_at, next_at)
             VALUES ($1, $2, $3, $4, $5, $5)"
            ))
            .bind(one.id)
            .bind(one.kind)
            .bind(conversation)
            .bind(Json(&one.payload))
            .bind(at)
            .execute()
            .await?;
    }
    Ok(())
}
