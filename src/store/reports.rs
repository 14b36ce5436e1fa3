//! Figures for managers, computed from the log by UTC day.

use super::events::{Guard, insert_event};
use super::sql::sql;
use super::{Appended, NewEvent, Result, Store};
use crate::domain::{ConversationId, Timestamp};

/// The first figures of a period. All counts are conversations in which a customer said something
/// and that were opened in the period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// All of them.
    pub conversations: i64,
    /// Never handed to a person.
    pub contained: i64,
    /// Handed to a person at least once.
    pub handed_over: i64,
    /// A person was offered at least once.
    pub offered: i64,
    /// Not closed yet, whenever opened.
    pub open_now: i64,
    /// Milliseconds from the customer's first message to the bot's first answer, one per conversation.
    pub bot_response_ms: Vec<i64>,
    /// Milliseconds from entering the queue to a person's first answer, one per hand-over.
    pub person_response_ms: Vec<i64>,
    /// CSAT answers by score, 1 to 5.
    pub csat: [i64; 5],
    /// Hand-overs by reason code, most frequent first.
    pub reasons: Vec<ReasonCount>,
    /// One entry per UTC day that has conversations, oldest first.
    pub by_day: Vec<DayCount>,
}

/// Hand-overs for one reason.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ReasonCount {
    /// Reason code.
    pub code: String,
    /// How many.
    pub count: i64,
}

/// One day's conversations.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DayCount {
    /// Days since 1970-01-01 (UTC).
    pub day: i64,
    /// All.
    pub conversations: i64,
    /// Handed to a person.
    pub handed_over: i64,
}

impl Store {
    /// The figures of the conversations opened from `from` (inclusive) to `to` (exclusive).
    ///
    /// # Errors
    /// If the database fails.
    pub async fn figures(&self, from: Timestamp, to: Timestamp) -> Result<Figures> {
        let (conversations, handed_over, offered): (i64, i64, i64) = self
            .database
            .read()
            .await?
            .query(sql!(
                "SELECT COUNT(*),
                COUNT(CASE WHEN EXISTS (SELECT 1 FROM handover h WHERE h.conversation_id = c.id) THEN 1 END),
                COUNT(CASE WHEN EXISTS (SELECT 1 FROM turn t WHERE t.conversation_id = c.id AND t.action = 'offer')
                      THEN 1 END)
             FROM conversation c WHERE c.customer_turns > 0 AND c.created_at >= $1 AND c.created_at < $2"
            ))
            .bind(from)
            .bind(to)
            .fetch_one()
            .await?;
        let open_now: i64 = self
            .database
            .read()
            .await?
            .query(sql!("SELECT COUNT(*) FROM conversation WHERE customer_turns > 0 AND state IN ('bot', 'offered', 'queued', 'assigned')"))
            .scalar()
            .await?;
        let scores: Vec<(i64, i64)> = self
            .database
            .read()
            .await?
            .query(sql!(
                "SELECT r.score, COUNT(*) FROM rating r JOIN conversation c ON c.id = r.conversation_id
             WHERE r.kind = 'csat' AND c.created_at >= $1 AND c.created_at < $2 GROUP BY r.score"
            ))
            .bind(from)
            .bind(to)
            .fetch_all()
            .await?;
        let mut csat = [0; 5];
        for (score, count) in scores {
            if let Some(slot) = usize::try_from(score - 1).ok().and_then(|index| csat.get_mut(index)) {
                *slot = count;
            }
        }
        Ok(Figures {
            conversations,
            contained: conversations - handed_over,
            handed_over,
            offered,
            open_now,
            bot_response_ms: self.bot_responses(from, to).await?,
            person_response_ms: self.person_responses(from, to).await?,
            csat,
            reasons: self.reason_counts(from, to).await?,
            by_day: self.day_counts(from, to).await?,
        })
    }

    async fn bot_responses(&self, from: Timestamp, to: Timestamp) -> Result<Vec<i64>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT answer.at - asked.at FROM conversation c
             JOIN event asked ON asked.conversation_id = c.id AND asked.seq =
                (SELECT MIN(seq) FROM event WHERE conversation_id = c.id AND author = 'customer' AND kind = 'message')
             JOIN event answer ON answer.conversation_id = c.id AND answer.in_reply_to = asked.seq
             WHERE c.created_at >= $1 AND c.created_at < $2"
            ))
            .bind(from)
            .bind(to)
            .scalars()
            .await
    }

    async fn person_responses(&self, from: Timestamp, to: Timestamp) -> Result<Vec<i64>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT h.answered_at - h.queued_at FROM handover h JOIN conversation c ON c.id = h.conversation_id
             WHERE h.answered_at IS NOT NULL AND c.created_at >= $1 AND c.created_at < $2"
            ))
            .bind(from)
            .bind(to)
            .scalars()
            .await
    }

    async fn reason_counts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<ReasonCount>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT h.reason AS code, COUNT(*) AS count FROM handover h
             JOIN conversation c ON c.id = h.conversation_id
             WHERE c.created_at >= $1 AND c.created_at < $2 GROUP BY h.reason ORDER BY 2 DESC, 1"
            ))
            .bind(from)
            .bind(to)
            .fetch_all()
            .await
    }

    async fn day_counts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<DayCount>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT c.created_at / 86400000 AS day, COUNT(*) AS conversations,
                COUNT(CASE WHEN EXISTS (SELECT 1 FROM handover h WHERE h.conversation_id = c.id) THEN 1 END)
                    AS handed_over
             FROM conversation c WHERE c.customer_turns > 0 AND c.created_at >= $1 AND c.created_at < $2
             GROUP BY 1 ORDER BY 1"
            ))
            .bind(from)
            .bind(to)
            .fetch_all()
            .await
    }

    /// Stores a survey answer with its event. A second answer of the same kind replaces the first.
    ///
    /// # Errors
    /// `NotFound` if there is no such conversation; `Conflict` if the client id was used before
    /// for something else.
    pub async fn rate(
        &self,
        conversation: ConversationId,
        kind: &'static str,
        score: i64,
        comment: Option<String>,
        event: NewEvent,
    ) -> Result<Appended> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    let appended = insert_event(&mut connection, conversation, Guard::Exists, &event).await?;
                    if appended.repeated {
                        return Ok(appended);
                    }
                    connection
                        .query(sql!(
                            "INSERT INTO rating (conversation_id, kind, score, comment, at) VALUES ($1, $2, $3, $4, $5)
                         ON CONFLICT (conversation_id, kind) DO UPDATE SET score = $3, comment = $4, at = $5"
                        ))
                        .bind(conversation)
                        .bind(kind)
                        .bind(score)
                        .bind(comment)
                        .bind(event.at)
                        .execute()
                        .await?;
                    Ok(appended)
                })
            })
            .await
    }
}
