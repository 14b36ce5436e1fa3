//! Work that must not be done twice when several nodes look for it: leases for what one node does for all, and
//! claims of single deliveries. Both carry a number that rises when they change hands, so that a node that was
//! away too long cannot undo what the next one did.

use super::outbox::{Attempt, Delivery};
use super::sql::sql;
use super::{Result, Store};
use crate::domain::{NodeId, Timestamp};
use std::time::Duration;
use uuid::Uuid;

impl Store {
    /// Takes or keeps the lease `name` for `period` from `now` on. Returns its number, which is the same as long as
    /// the lease does not change hands; none if another node has it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn take_lease(
        &self,
        name: &'static str,
        node: NodeId,
        now: Timestamp,
        period: Duration,
    ) -> Result<Option<i64>> {
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!(
                            "INSERT INTO lease (name, holder, token, until_at) VALUES ($1, $2, 1, $4)
                         ON CONFLICT (name) DO UPDATE SET holder = $2, until_at = $4,
                            token = lease.token + CASE WHEN lease.holder = $2 THEN 0 ELSE 1 END
                         WHERE lease.holder = $2 OR lease.until_at <= $3 OR lease.until_at > $5
                         RETURNING token"
                        ))
                        .bind(name)
                        .bind(node)
                        .bind(now)
                        .bind(now.after(period))
                        // Whoever wrote a time that far ahead had a clock that was wrong.
                        .bind(now.after(period * 2))
                        .scalar_optional()
                        .await
                })
            })
            .await
    }

    /// Takes up what is due at `now`, at most `most`, the oldest first. Whoever takes something up has it for
    /// `period`; after that it is due again, for anybody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_deliveries(&self, now: Timestamp, period: Duration, most: u32) -> Result<Vec<Delivery>> {
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    // Of two statements that chose the same row, the later one looks at the condition again; what
                    // another node is about to take is passed over.
                    let mut claimed: Vec<Delivery> = connection
                        .query(sql!(
                            "WITH due AS MATERIALIZED
                                (SELECT id FROM outbox WHERE next_at <= $1 ORDER BY next_at, id LIMIT $3",
                            ["" | " FOR UPDATE SKIP LOCKED"],
                            ")
                             UPDATE outbox SET claim = claim + 1, next_at = $2
                             WHERE next_at <= $1 AND id IN (SELECT id FROM due)
                             RETURNING id, kind, conversation_id, payload, attempts, created_at, claim"
                        ))
                        .bind(now)
                        .bind(now.after(period))
                        .bind(i64::from(most))
                        .fetch_all()
                        .await?;
                    claimed.sort_by_key(|delivery| (delivery.created_at, delivery.id));
                    Ok(claimed)
                })
            })
            .await
    }

    /// Notes how an attempt ended. False, and nothing is noted, if somebody else has taken the delivery up since.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn settle_delivery(&self, id: Uuid, claim: i64, attempt: Attempt) -> Result<bool> {
        let (failed, next_at, done_at) = match attempt {
            Attempt::Delivered(at) => (0_i64, None, Some(at)),
            Attempt::Again(at) => (1, Some(at), None),
            Attempt::PutBack(at) => (0, Some(at), None),
            Attempt::GivenUp => (1, None, None),
        };
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    let settled = connection
                        .query(sql!(
                            "UPDATE outbox SET attempts = attempts + $3, next_at = $4, done_at = $5
                             WHERE id = $1 AND claim = $2"
                        ))
                        .bind(id)
                        .bind(claim)
                        .bind(failed)
                        .bind(next_at)
                        .bind(done_at)
                        .execute()
                        .await?;
                    Ok(settled > 0)
                })
            })
            .await
    }
}
