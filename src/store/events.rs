//! Writing to and reading from the log.

use super::database::Connection;
use super::sql::{OWNER, Sql, sql};
use super::{Error, Result, Store};
use crate::domain::{AgentId, Author, ConversationId, Event, EventKind, State, Timestamp, Visibility};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

/// Most events that one read returns.
pub const PAGE: i64 = 200;
/// A read ends with the event whose text passes this many bytes: a client that does not take what was read for it, holds
/// no more than that in memory.
const PAGE_BYTES: usize = 64 * 1024;

/// Whether nothing was left behind `page`, which [`Store::events_after`] returned.
pub fn is_last_page(page: &[Event]) -> bool {
    let bytes: usize = page.iter().map(text_bytes).sum();
    page.len() < PAGE as usize && bytes < PAGE_BYTES
}

fn text_bytes(event: &Event) -> usize {
    event.text.as_ref().map_or(0, String::len)
}

/// What is to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// Who may see it.
    pub visibility: Visibility,
    /// Who did it.
    pub author: Author,
    /// The author's id, for staff.
    pub author_id: Option<Uuid>,
    /// The author's shown name.
    pub author_name: Option<String>,
    /// The client's idempotency key.
    pub client_id: Option<Uuid>,
    /// The customer event that this answers.
    pub in_reply_to: Option<i64>,
    /// The text.
    pub text: Option<String>,
    /// What else belongs to the kind.
    pub data: Option<Value>,
    /// When it happened.
    pub at: Timestamp,
}

impl NewEvent {
    /// An event without text, ids or data, visible to all.
    #[must_use]
    pub fn new(kind: EventKind, author: Author, at: Timestamp) -> Self {
        Self {
            kind,
            visibility: Visibility::All,
            author,
            author_id: None,
            author_name: None,
            client_id: None,
            in_reply_to: None,
            text: None,
            data: None,
            at,
        }
    }
}

/// What must hold, inside the transaction, for an event to be appended.
#[derive(Clone, Copy, Debug)]
pub enum Guard {
    /// The conversation exists and was not erased (it may be closed: ratings, notes).
    Exists,
    /// It is not closed.
    Open,
    /// It is open and no person has it.
    Unassigned,
    /// It is assigned to this agent.
    OwnedBy(AgentId),
}

/// Where an event stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its sequence number.
    pub seq: i64,
    /// When it was first written.
    pub at: Timestamp,
    /// True if the same client id had been written before: nothing new was stored.
    pub repeated: bool,
}

impl NewEvent {
    /// The event as a reader of the log finds it.
    #[must_use]
    pub fn stored(self, conversation: ConversationId, appended: Appended) -> Event {
        Event {
            conversation_id: conversation,
            seq: appended.seq,
            at: appended.at,
            kind: self.kind,
            visibility: self.visibility,
            author: self.author,
            author_name: self.author_name,
            client_id: self.client_id,
            text: self.text,
            data: self.data,
        }
    }
}

/// Who is owed an answer by the bot. The states are left out one by one, as no index is to be sought by those that stay:
/// most conversations have them. Samples are answered by whoever writes them, at their own times.
pub(super) const UNANSWERED: Sql = sql!(
    "SELECT id FROM conversation
     WHERE owed_since < $1 AND state NOT IN ('queued', 'assigned', 'closed') AND NOT demo
     ORDER BY owed_since LIMIT 100"
);

impl Store {
    /// Appends one event durably. The same client id with the same content returns the first
    /// event's place.
    ///
    /// # Errors
    /// `NotFound`, `Closed` and `NotOwner` by `guard`; `Conflict` if the client id was used for
    /// another content.
    pub async fn append(&self, conversation: ConversationId, guard: Guard, event: NewEvent) -> Result<Appended> {
        if event.author == Author::Agent && event.kind == EventKind::Message {
            return self
                .database
                .write(move |mut connection| {
                    Box::pin(async move {
                        let appended = insert_event(&mut connection, conversation, guard, &event).await?;
                        if !appended.repeated {
                            mark_answered(&mut connection, conversation, event.at).await?;
                        }
                        Ok(appended)
                    })
                })
                .await;
        }
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move { insert_event(&mut connection, conversation, guard, &event).await })
            })
            .await
    }

    /// The events after `seq`, oldest first: at most 200, and with long texts fewer. Whether there are more says
    /// [`is_last_page`].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn events_after(&self, conversation: ConversationId, seq: i64) -> Result<Vec<Event>> {
        let mut bytes = 0;
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT conversation_id, seq, at, kind, visibility, author, author_name, client_id, text, data
             FROM event WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
            ))
            .bind(conversation)
            .bind(seq)
            .bind(PAGE)
            .fetch_until(|event| {
                bytes += text_bytes(event);
                bytes >= PAGE_BYTES
            })
            .await
    }

    /// The newest sequence number; none if there is no such conversation.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn last_seq(&self, conversation: ConversationId) -> Result<Option<i64>> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT last_seq FROM conversation WHERE id = $1"))
            .bind(conversation)
            .scalar_optional()
            .await
    }

    /// One event.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn event(&self, conversation: ConversationId, seq: i64) -> Result<Option<Event>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT conversation_id, seq, at, kind, visibility, author, author_name, client_id, text, data
             FROM event WHERE conversation_id = $1 AND seq = $2"
            ))
            .bind(conversation)
            .bind(seq)
            .fetch_optional()
            .await
    }

    /// Conversations in which the bot owes an answer to a customer event older than `before`: what a
    /// crash between the durable message and its answer leaves behind. At most 100, those owed longest first; what
    /// it costs does not depend on what is stored.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unanswered(&self, before: Timestamp) -> Result<Vec<ConversationId>> {
        self.database.read().await?.query(UNANSWERED).bind(before).scalars().await
    }

    /// Remembers how far the customer has read. Not an event: it may be lost.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn mark_read(&self, conversation: ConversationId, seq: i64) -> Result<()> {
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!(
                            "UPDATE conversation SET customer_read = $2
                         WHERE id = $1 AND customer_read < $2 AND $2 <= last_seq"
                        ))
                        .bind(conversation)
                        .bind(seq)
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The owner, read and locked inside the transaction that is about to write.
pub(super) async fn owner(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
) -> Result<(State, Option<AgentId>)> {
    connection.query(OWNER).bind(conversation).fetch_optional().await?.ok_or(Error::NotFound)
}

/// The event that was stored under this id before; `Conflict` if it is another one.
pub(super) async fn find_repeated(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    client_id: Uuid,
    is_same: impl FnOnce(&Written) -> bool + Send,
) -> Result<Option<Appended>> {
    let first: Option<Written> = connection
        .query(sql!(
            "SELECT seq, at, kind, author, author_id, text, data FROM event
         WHERE conversation_id = $1 AND client_id = $2"
        ))
        .bind(conversation)
        .bind(client_id)
        .fetch_optional()
        .await?;
    let Some(first) = first else { return Ok(None) };
    if is_same(&first) {
        Ok(Some(Appended { seq: first.seq, at: first.at, repeated: true }))
    } else {
        Err(Error::Conflict)
    }
}

/// What decides whether a client id comes back with the same content.
#[derive(sqlx::FromRow)]
pub(super) struct Written {
    seq: i64,
    at: Timestamp,
    pub(super) kind: EventKind,
    pub(super) author: Author,
    author_id: Option<Uuid>,
    text: Option<String>,
    #[sqlx(json(nullable))]
    data: Option<Value>,
}

impl Written {
    /// Whether its data has this field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.data.as_ref().is_some_and(|data| data.get(field).is_some())
    }

    fn is(&self, event: &NewEvent) -> bool {
        self.kind == event.kind
            && self.author == event.author
            && self.author_id == event.author_id
            && self.text == event.text
            && self.data == event.data
    }
}

/// In PostgreSQL the row is locked, and read again if somebody else was writing it.
macro_rules! insert_when {
    ($condition:literal) => {
        sql!(
            "INSERT INTO event (conversation_id, seq, at, kind, visibility, author, author_id, author_name,
                                client_id, in_reply_to, text, data)
             SELECT c.id, c.last_seq + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
             FROM conversation c WHERE c.id = $1 AND ",
            $condition,
            ["" | " FOR NO KEY UPDATE OF c"],
            " ON CONFLICT (conversation_id, client_id) WHERE client_id IS NOT NULL DO NOTHING RETURNING seq"
        )
    };
}

/// Writes the event under the next sequence number if `guard` holds, or finds the one that was
/// written under the same client id. One statement, since each is a way to another thread and back;
/// the schema's triggers count the event and index its text. Only a refusal takes more, to say why.
pub(super) async fn insert_event(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    guard: Guard,
    event: &NewEvent,
) -> Result<Appended> {
    let statement = match guard {
        Guard::Exists => insert_when!("c.erased_at IS NULL"),
        Guard::Open => insert_when!("c.state <> 'closed'"),
        Guard::Unassigned => insert_when!("c.state NOT IN ('assigned', 'closed')"),
        Guard::OwnedBy(_) => insert_when!("c.state = 'assigned' AND c.agent_id = $12"),
    };
    let mut query = connection
        .query(statement)
        .bind(conversation)
        .bind(event.at)
        .bind(event.kind)
        .bind(event.visibility)
        .bind(event.author)
        .bind(event.author_id)
        .bind(&event.author_name)
        .bind(event.client_id)
        .bind(event.in_reply_to)
        .bind(&event.text)
        .bind(event.data.as_ref().map(Json));
    if let Guard::OwnedBy(agent) = guard {
        query = query.bind(agent);
    }
    let seq: Option<i64> = query.scalar_optional().await?;
    match seq {
        Some(seq) => Ok(Appended { seq, at: event.at, repeated: false }),
        None => explain(connection, conversation, guard, event).await,
    }
}

/// Why nothing was written.
async fn explain(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    guard: Guard,
    event: &NewEvent,
) -> Result<Appended> {
    if let Some(client_id) = event.client_id
        && let Some(first) = find_repeated(connection, conversation, client_id, |first| first.is(event)).await?
    {
        return Ok(first);
    }
    let (state, _) = owner(connection, conversation).await?;
    match guard {
        Guard::Open | Guard::OwnedBy(_) if state == State::Closed => Err(Error::Closed),
        _ => Err(Error::NotOwner),
    }
}

/// The first answer of a person ends the wait that the figures report.
async fn mark_answered(connection: &mut Connection<'_>, conversation: ConversationId, at: Timestamp) -> Result<()> {
    connection
        .query(sql!(
            "UPDATE handover SET answered_at = $2
         WHERE conversation_id = $1 AND answered_at IS NULL AND claimed_at IS NOT NULL"
        ))
        .bind(conversation)
        .bind(at)
        .execute()
        .await?;
    Ok(())
}
