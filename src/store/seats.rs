//! Who has a desk open at which node. Each node writes its own rows and reads those of the others.

use super::sql::sql;
use super::{Result, Store};
use crate::domain::{AgentId, NodeId, Presence, Timestamp};

/// Somebody with a desk open at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnSeat {
    /// Who.
    pub agent_id: AgentId,
    /// What they say of themselves; not offline.
    pub status: Presence,
    /// Counts what they said: the higher is newer.
    pub said: i64,
}

/// Somebody with a desk open at another node.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OtherSeat {
    /// Who.
    pub agent_id: AgentId,
    /// Shown name.
    pub name: String,
    /// Where.
    pub node: NodeId,
    /// What they say of themselves.
    pub status: Presence,
    /// Counts what they said: the higher is newer.
    pub said: i64,
    /// That node's latest sign of life, by its own clock.
    pub seen_at: Timestamp,
}

impl Store {
    /// Replaces the seats of a node, which also is its sign of life.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn save_seats(&self, node: NodeId, seats: Vec<OwnSeat>, at: Timestamp) -> Result<()> {
        self.database
            .write_in_background(move |mut connection| {
                Box::pin(async move {
                    connection.query(sql!("DELETE FROM seat WHERE node = $1")).bind(node).execute().await?;
                    for seat in seats {
                        // An account that was deleted meanwhile has no seat.
                        connection
                            .query(sql!(
                                "INSERT INTO seat (agent_id, node, status, said, seen_at)
                                 SELECT a.id, $2, $3, $4, $5 FROM agent a WHERE a.id = $1"
                            ))
                            .bind(seat.agent_id)
                            .bind(node)
                            .bind(seat.status)
                            .bind(seat.said)
                            .bind(at)
                            .execute()
                            .await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The seats of all other nodes, also of those that died.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn seats_elsewhere(&self, node: NodeId) -> Result<Vec<OtherSeat>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT s.agent_id, a.name, s.node, s.status, s.said, s.seen_at
                 FROM seat s JOIN agent a ON a.id = s.agent_id WHERE s.node <> $1 ORDER BY s.node, s.agent_id"
            ))
            .bind(node)
            .fetch_all()
            .await
    }

    /// Removes the seats of a node whose latest sign of life is still `seen_at`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn drop_seats(&self, node: NodeId, seen_at: Timestamp) -> Result<()> {
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!("DELETE FROM seat WHERE node = $1 AND seen_at = $2"))
                        .bind(node)
                        .bind(seen_at)
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Ends what an earlier run left behind, seats, leases and one-time links, on a database that nobody else uses.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn end_other_nodes(&self) -> Result<()> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    connection.query(sql!("DELETE FROM seat")).execute().await?;
                    connection.query(sql!("UPDATE lease SET until_at = 0")).execute().await?;
                    connection.query(sql!("DELETE FROM meta WHERE key LIKE 'setup %'")).execute().await?;
                    Ok(())
                })
            })
            .await
    }
}
