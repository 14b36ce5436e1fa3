//! What staff say about the bot's decisions.

use super::sql::{LOCK_CONVERSATION, sql};
use super::{Error, Result, Store};
use crate::domain::{AgentId, ConversationId, Timestamp};

impl Store {
    /// Notes that a person was needed at a customer's turn, or that none was. The latest word about a turn counts; a
    /// word that nobody was needed takes back every turn of the conversation at which one was said to be.
    ///
    /// # Errors
    /// `NotFound` if there is no such customer turn.
    pub async fn label_handover(
        &self,
        conversation: ConversationId,
        seq: i64,
        needed: bool,
        agent: AgentId,
        at: Timestamp,
    ) -> Result<()> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    connection.query(LOCK_CONVERSATION).bind(conversation).execute().await?;
                    let known: Option<i64> = connection
                        .query(sql!("SELECT seq FROM turn WHERE conversation_id = $1 AND seq = $2"))
                        .bind(conversation)
                        .bind(seq)
                        .scalar_optional()
                        .await?;
                    if known.is_none() {
                        return Err(Error::NotFound);
                    }
                    // Needed at one turn and not needed at all cannot both hold.
                    connection
                        .query(sql!(
                            "DELETE FROM handover_label WHERE conversation_id = $1 AND (needed <> $2 OR NOT $2)"
                        ))
                        .bind(conversation)
                        .bind(needed)
                        .execute()
                        .await?;
                    connection
                        .query(sql!(
                            "INSERT INTO handover_label (conversation_id, seq, needed, agent_id, at)
                         VALUES ($1, $2, $3, $4, $5)
                         ON CONFLICT (conversation_id, seq) DO UPDATE SET
                            needed = excluded.needed, agent_id = excluded.agent_id, at = excluded.at"
                        ))
                        .bind(conversation)
                        .bind(seq)
                        .bind(needed)
                        .bind(agent)
                        .bind(at)
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}
