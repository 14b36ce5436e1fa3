//! Signs of leaving: what the next turn starts from, and what lists show.

use super::database::Connection;
use super::sql::sql;
use super::{Result, Store};
use crate::domain::{ChurnRisk, ConversationId};
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::types::Json;
use std::collections::BTreeMap;

/// A structured value that may not be there.
type Stored = Option<Json<Value>>;

impl Store {
    /// The risk after the latest turn, and how many answers of the bot the customer has marked as not
    /// helpful. A second judgement of an answer replaces the first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn churn(&self, conversation: ConversationId) -> Result<(Option<ChurnRisk>, u32)> {
        let rows: Vec<(Stored, Stored)> = self
            .database
            .read()
            .await?
            .query(sql!(
                "SELECT r.risk, e.data FROM conversation c
             LEFT JOIN churn r ON r.conversation_id = c.id
             LEFT JOIN event e ON e.conversation_id = c.id AND e.kind = 'feedback'
             WHERE c.id = $1 ORDER BY e.seq"
            ))
            .bind(conversation)
            .fetch_all()
            .await?;
        // A risk that this version cannot read is none: counting starts afresh.
        let stored = rows.first().and_then(|(risk, _)| risk.as_ref());
        let risk = stored.and_then(|Json(risk)| ChurnRisk::deserialize(risk).ok());
        let judged = rows.iter().filter_map(|(_, data)| {
            let data = data.as_ref()?;
            Some((data.get("of")?.as_i64()?, data.get("helpful")?.as_bool()?))
        });
        let latest: BTreeMap<i64, bool> = judged.collect();
        let down = latest.values().filter(|helpful| !**helpful).count();
        Ok((risk, u32::try_from(down).unwrap_or(u32::MAX)))
    }
}

/// Writes the risk after a turn over the one before it.
pub(super) async fn save_churn(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    risk: &ChurnRisk,
) -> Result<()> {
    connection
        .query(sql!(
            "INSERT INTO churn (conversation_id, score, band, risk) VALUES ($1, $2, $3, $4)
         ON CONFLICT (conversation_id) DO UPDATE SET score = $2, band = $3, risk = $4"
        ))
        .bind(conversation)
        .bind(risk.score)
        .bind(risk.band)
        .bind(Json(risk))
        .execute()
        .await?;
    Ok(())
}
