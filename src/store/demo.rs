//! Removing the sample day. Sample conversations are written through the same methods as real
//! ones; they and their colleagues carry a mark.

use super::sql::{UNINDEX_SAMPLES, sql};
use super::{Result, Store};
use crate::domain::VisitorId;

impl Store {
    /// How many sample conversations there are.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count_samples(&self) -> Result<i64> {
        self.database.read().await?.query(sql!("SELECT COUNT(*) FROM conversation WHERE demo")).scalar().await
    }

    /// Removes every sample conversation, its visitors and the sample colleagues.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn remove_samples(&self) -> Result<()> {
        self.database
            .write(|mut connection| {
                Box::pin(async move {
                    let visitors: Vec<VisitorId> =
                        connection.query(sql!("SELECT visitor_id FROM conversation WHERE demo")).scalars().await?;
                    connection.query(UNINDEX_SAMPLES).execute().await?;
                    connection.query(sql!("DELETE FROM conversation WHERE demo")).execute().await?;
                    connection
                        .query(sql!(
                            "DELETE FROM agent WHERE demo AND NOT EXISTS
                            (SELECT 1 FROM conversation c WHERE c.agent_id = agent.id)
                            AND NOT EXISTS (SELECT 1 FROM handover h WHERE h.agent_id = agent.id)"
                        ))
                        .execute()
                        .await?;
                    for visitor in visitors {
                        connection.query(sql!("DELETE FROM visitor WHERE id = $1")).bind(visitor).execute().await?;
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
        self.database
            .read()
            .await?
            .query(sql!("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'sample_day')"))
            .scalar()
            .await
    }

    /// Remembers that the sample day was written, so that removing it is final.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn mark_sampled(&self) -> Result<()> {
        self.database
            .write(|mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!(
                            "INSERT INTO meta (key, value) VALUES ('sample_day', 'made') ON CONFLICT (key) DO NOTHING"
                        ))
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}
