//! Removing the sample day. Sample conversations are written through the same methods as real
//! ones; they and their colleagues carry a mark.

use super::{Result, Store};

impl Store {
    /// How many sample conversations there are.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count_samples(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM conversation WHERE demo").fetch_one(&self.read).await?)
    }

    /// Removes every sample conversation, its visitors and the sample colleagues.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn remove_samples(&self) -> Result<()> {
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    for statement in [
                        "DELETE FROM event_search WHERE conversation_id IN (SELECT id FROM conversation WHERE demo)",
                        "DELETE FROM conversation WHERE demo",
                        "DELETE FROM visitor WHERE NOT EXISTS
                            (SELECT 1 FROM conversation c WHERE c.visitor_id = visitor.id)",
                        "DELETE FROM agent WHERE demo AND NOT EXISTS
                            (SELECT 1 FROM conversation c WHERE c.agent_id = agent.id)
                            AND NOT EXISTS (SELECT 1 FROM handover h WHERE h.agent_id = agent.id)",
                    ] {
                        sqlx::query(statement).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Remembers that the sample day was made, so that removing it is final.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn mark_sampled(&self) -> Result<bool> {
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    let written = sqlx::query(
                        "INSERT INTO meta (key, value) VALUES ('sample_day', 'made') ON CONFLICT (key) DO NOTHING",
                    )
                    .execute(connection)
                    .await?;
                    Ok(written.rows_affected() == 1)
                })
            })
            .await
    }
}
