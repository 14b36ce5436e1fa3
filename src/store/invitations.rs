//! Invitations to a chat: how often one was due, and what became of the visits.

use super::sql::sql;
use super::{Result, Store};
use crate::domain::{Arm, ConversationId, Invitation, Timestamp, time::DAY_MS};

/// One trigger's figures for one arm.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ArmCount {
    /// The trigger.
    pub trigger_name: String,
    /// The arm.
    pub arm: Arm,
    /// Visits in which it was due.
    pub visits: i64,
    /// Of those, in how many the customer said something in a chat.
    pub conversations: i64,
    /// Conversations that accepting the invitation opened.
    pub accepted: i64,
    /// Conversations that went to a person.
    pub handed_over: i64,
    /// Conversations that the customer rated.
    pub rated: i64,
    /// Sum of those ratings, 1 to 5 each.
    pub rating_sum: i64,
}

impl Store {
    /// Counts an invitation that was due.
    ///
    /// # Errors
    /// `Busy` if too much waits; if the database fails.
    pub async fn count_invitation(&self, trigger: String, arm: Arm, at: Timestamp) -> Result<()> {
        self.database
            // They wait for one another at one row: messages need not wait with them.
            .write_in_background(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!(
                            "INSERT INTO invitation_count (day, trigger_name, arm, count) VALUES ($1, $2, $3, 1)
                         ON CONFLICT (day, trigger_name, arm) DO UPDATE SET count = invitation_count.count + 1"
                        ))
                        .bind(at.day())
                        .bind(trigger)
                        .bind(arm)
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Notes the invitation of the page view in which a conversation was opened.
    ///
    /// # Errors
    /// If there is no such conversation; if the database fails.
    pub async fn note_invitation(&self, conversation: ConversationId, invitation: Invitation) -> Result<()> {
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    connection.query(sql!("INSERT INTO invitation (conversation_id, trigger_name, arm, accepted) VALUES ($1, $2, $3, $4)
                         ON CONFLICT (conversation_id) DO NOTHING"))
                    .bind(conversation)
                    .bind(invitation.trigger)
                    .bind(invitation.arm)
                    .bind(invitation.accepted).execute()
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Figures of the days from `from` (inclusive) to `to` (exclusive), by trigger and arm.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn invitation_counts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<ArmCount>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT n.trigger_name, n.arm, n.visits, COUNT(c.id) AS conversations,
                COUNT(CASE WHEN i.accepted AND c.id IS NOT NULL THEN 1 END) AS accepted,
                COUNT(CASE WHEN EXISTS (SELECT 1 FROM handover h WHERE h.conversation_id = c.id) THEN 1 END)
                    AS handed_over,
                COUNT(r.score) AS rated, CAST(COALESCE(SUM(r.score), 0) AS BIGINT) AS rating_sum
             FROM (SELECT trigger_name, arm, CAST(SUM(count) AS BIGINT) AS visits FROM invitation_count
                   WHERE day >= $1 AND day < $2 GROUP BY trigger_name, arm) AS n
             LEFT JOIN invitation i ON i.trigger_name = n.trigger_name AND i.arm = n.arm
             LEFT JOIN conversation c ON c.id = i.conversation_id AND c.customer_turns > 0
                AND c.created_at >= $3 AND c.created_at < $4
             LEFT JOIN rating r ON r.conversation_id = c.id AND r.kind = 'csat'
             GROUP BY n.trigger_name, n.arm, n.visits ORDER BY n.trigger_name, n.arm"
            ))
            .bind(from.0.div_euclid(DAY_MS))
            .bind(to.0.div_euclid(DAY_MS))
            .bind(from)
            .bind(to)
            .fetch_all()
            .await
    }
}
