//! Removing the sample day. Sample conversations are written through the same methods as real
//! ones; they and their colleagues carry a mark.

use super::{Result, Store};
use crate::domain::VisitorId;

impl Store {
    /// How many sample conversations there are.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count_samples(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM conversation WHERE demo")
            .fetch_one(&mut *self.readers.get().await?)
            .await?)
    }

    /// Removes every sample conversation, its visitors and the sample colleagues.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn remove_samples(&self) -> Result<()> {
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    let visitors: Vec<VisitorId> = sqlx::query_scalar("SELECT visitor_id FROM conversation WHERE demo")
                        .fetch_all(&mut *connection)
                        .await?;
                    for statement in [
                        "DELETE FROM event_search WHERE conversation_id IN (SELECT id FROM conversation WHERE demo)",
                        "DELETE FROM conversation WHERE demo",
                        "DELETE FROM agent WHERE demo AND NOT EXISTS
                            (SELECT 1 FROM conversation c WHERE c.agent_id = agent.id)
                            AND NOT EXISTS (SELECT 1 FROM handover h WHERE h.agent_id = agent.id)",
                    ] {
                        sqlx::query(statement).execute(&mut *connection).await?;
                    }
                    for visitor in visitors {
                        sqlx::query("DELETE FROM visitor WHERE id = $1")
                            .bind(visitor)
                            .execute(&mut *connection)
                            .await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Whether the sample day was written in the life of this database.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_sampled(&self) -> Result<bool> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'sample_day')")
            .fetch_one(&mut *self.readers.get().await?)
            .await?)
    }

    /// Remembers that the sample day was written, so that removing it is final.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn mark_sampled(&self) -> Result<()> {
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO meta (key, value) VALUES ('sample_day', 'made') ON CONFLICT (key) DO NOTHING",
                    )
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}
