//! Waits for a person: what was promised, what follows while nobody has come, and how long people waited lately.

use super::database::Connection;
use super::events::{Guard, NewEvent, insert_event};
use super::outbox::{NewDelivery, insert_deliveries};
use super::sql::{LOCK_CONVERSATION, sql};
use super::{Result, Store};
use crate::domain::{ConversationId, Timestamp};

/// What a hand-over begins with. `Default` is one that nobody waits in.
#[derive(Clone, Debug, Default)]
pub struct NewHandover {
    /// People ahead of it in the queue; none where that says nothing about its wait.
    pub ahead: Option<i64>,
    /// Somebody was at a desk.
    pub staffed: bool,
    /// From when on the wait is longer than it was said to be.
    pub late_at: Option<Timestamp>,
    /// When the on-call person is told again.
    pub remind_at: Option<Timestamp>,
    /// What leaves the server because of it.
    pub deliveries: Vec<NewDelivery>,
}

/// A customer who waits and whom nobody has come to.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// The hand-over: its event's sequence number.
    pub seq: i64,
    /// Why.
    pub reason: String,
    /// Since when.
    pub queued_at: Timestamp,
    /// Reminders so far.
    pub reminders: i64,
}

/// A wait that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PastWait {
    /// People who were ahead.
    pub ahead: i64,
    /// How long it took, in milliseconds.
    pub waited: i64,
}

/// The hand-over that somebody waits in now.
macro_rules! waiting_query {
    ($condition:literal) => {
        sql!(
            "SELECT h.conversation_id, h.seq, h.reason, h.queued_at, h.reminders
             FROM handover h JOIN conversation c ON c.id = h.conversation_id
             WHERE h.claimed_at IS NULL AND c.state = 'queued' AND NOT c.demo AND ",
            $condition,
            " ORDER BY h.queued_at LIMIT 100"
        )
    };
}

/// A wait that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OpenWait {
    /// Since when.
    pub queued_at: Timestamp,
    /// When it is longer than it was said to be, if anything was said.
    pub late_at: Option<Timestamp>,
}

impl Store {
    /// Those who have waited longer than they were told, have not been told so, and have not left a message.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn late_waits(&self, now: Timestamp) -> Result<Vec<Waiting>> {
        self.database
            .read()
            .await?
            .query(waiting_query!(
                "h.late_said_at IS NULL AND h.late_at <= $1 AND NOT EXISTS
                (SELECT 1 FROM event e WHERE e.conversation_id = h.conversation_id AND e.seq > h.seq
                    AND e.kind = 'left_message')"
            ))
            .bind(now)
            .fetch_all()
            .await
    }

    /// Tells a customer that the wait is long: once for each wait, and only while it goes on. Returns whether
    /// that was written.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn say_late(&self, wait: &Waiting, event: NewEvent) -> Result<bool> {
        let (conversation, seq) = (wait.conversation_id, wait.seq);
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    // Whoever takes the conversation locks it first too.
                    connection.query(LOCK_CONVERSATION).bind(conversation).execute().await?;
                    let said = connection
                        .query(sql!(
                            "UPDATE handover SET late_said_at = $3
                         WHERE conversation_id = $1 AND seq = $2 AND claimed_at IS NULL AND late_said_at IS NULL
                           AND EXISTS (SELECT 1 FROM conversation WHERE id = $1 AND state = 'queued')"
                        ))
                        .bind(conversation)
                        .bind(seq)
                        .bind(event.at)
                        .execute()
                        .await?;
                    if said == 0 {
                        return Ok(false);
                    }
                    insert_event(&mut connection, conversation, Guard::Unassigned, &event).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Those whom the on-call person is to be reminded of.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unattended(&self, now: Timestamp) -> Result<Vec<Waiting>> {
        self.database.read().await?.query(waiting_query!("h.remind_at <= $1")).bind(now).fetch_all().await
    }

    /// Notes a reminder together with what leaves the server; `next` is when the one after it is due, if there is
    /// one. Returns false if the wait is over or somebody else did it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn remind(
        &self,
        wait: &Waiting,
        deliveries: Vec<NewDelivery>,
        next: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<bool> {
        let (conversation, seq, reminders) = (wait.conversation_id, wait.seq, wait.reminders);
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    let noted = connection
                        .query(sql!(
                            "UPDATE handover SET reminders = $3 + 1, remind_at = $4
                         WHERE conversation_id = $1 AND seq = $2 AND claimed_at IS NULL AND reminders = $3
                           AND EXISTS (SELECT 1 FROM conversation WHERE id = $1 AND state = 'queued')"
                        ))
                        .bind(conversation)
                        .bind(seq)
                        .bind(reminders)
                        .bind(next)
                        .execute()
                        .await?;
                    if noted == 0 {
                        return Ok(false);
                    }
                    insert_deliveries(&mut connection, conversation, &deliveries, at).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// The wait of a conversation that nobody has taken yet; the newest if there were several.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open_wait(&self, conversation: ConversationId) -> Result<Option<OpenWait>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT queued_at, late_at FROM handover WHERE conversation_id = $1 AND claimed_at IS NULL
                 ORDER BY seq DESC LIMIT 1"
            ))
            .bind(conversation)
            .fetch_optional()
            .await
    }

    /// The most recent waits since `since` that ended with a person, at most 200. Those who asked when nobody was
    /// at a desk waited for the morning; an agent who takes over from the bot makes nobody wait.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn recent_waits(&self, since: Timestamp) -> Result<Vec<PastWait>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT h.ahead, h.claimed_at - h.queued_at AS waited
             FROM handover h JOIN conversation c ON c.id = h.conversation_id
             WHERE h.claimed_at IS NOT NULL AND h.ahead IS NOT NULL AND h.staffed AND h.queued_at >= $1 AND NOT c.demo
             ORDER BY h.queued_at DESC LIMIT 200"
            ))
            .bind(since)
            .fetch_all()
            .await
    }
}

/// Opens the row that measures a hand-over's wait, with what leaves the server because of it.
pub(super) async fn begin_handover(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    seq: i64,
    reason: &str,
    at: Timestamp,
    new: &NewHandover,
) -> Result<()> {
    connection
        .query(sql!(
            "INSERT INTO handover (conversation_id, seq, reason, queued_at, ahead, staffed, late_at, remind_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ))
        .bind(conversation)
        .bind(seq)
        .bind(reason)
        .bind(at)
        .bind(new.ahead)
        .bind(new.staffed)
        .bind(new.late_at)
        .bind(new.remind_at)
        .execute()
        .await?;
    insert_deliveries(connection, conversation, &new.deliveries, at).await
}
