//! Writing to and reading from the log.

use super::{Error, Result, Store};
use crate::domain::{AgentId, Author, ConversationId, Event, EventKind, State, Timestamp, Visibility};
use serde_json::Value;
use sqlx::SqliteConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// Most events that one read returns; a reader that got this many asks again.
pub(super) const PAGE: i64 = 200;

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
    /// The conversation exists (it may be closed: ratings, notes).
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

impl Store {
    /// Appends one event durably. The same client id with the same content returns the first
    /// event's place.
    ///
    /// # Errors
    /// `NotFound`, `Closed` and `NotOwner` by `guard`; `Conflict` if the client id was used for
    /// another content.
    pub async fn append(&self, conversation: ConversationId, guard: Guard, event: NewEvent) -> Result<Appended> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    if let Some(first) = find_repeated(connection, conversation, &event).await? {
                        return Ok(first);
                    }
                    check(connection, conversation, guard).await?;
                    if event.author == Author::Agent && event.kind == EventKind::Message {
                        mark_answered(connection, conversation, event.at).await?;
                    }
                    insert_event(connection, conversation, &event).await
                })
            })
            .await
    }

    /// The events after `seq`, oldest first, at most 200.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn events_after(&self, conversation: ConversationId, seq: i64) -> Result<Vec<Event>> {
        Ok(sqlx::query_as(
            "SELECT conversation_id, seq, at, kind, visibility, author, author_name, client_id, text, data
             FROM event WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(conversation)
        .bind(seq)
        .bind(PAGE)
        .fetch_all(&self.read)
        .await?)
    }

    /// One event.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn event(&self, conversation: ConversationId, seq: i64) -> Result<Option<Event>> {
        Ok(sqlx::query_as(
            "SELECT conversation_id, seq, at, kind, visibility, author, author_name, client_id, text, data
             FROM event WHERE conversation_id = $1 AND seq = $2",
        )
        .bind(conversation)
        .bind(seq)
        .fetch_optional(&self.read)
        .await?)
    }

    /// Conversations in which the bot owes an answer to a customer event older than `before`: what a
    /// crash between the durable message and its answer leaves behind.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unanswered(&self, before: Timestamp) -> Result<Vec<ConversationId>> {
        Ok(sqlx::query_scalar(
            "SELECT DISTINCT e.conversation_id FROM event e JOIN conversation c ON c.id = e.conversation_id
             WHERE c.state IN ('bot', 'offered') AND e.author = 'customer'
               AND e.kind IN ('message', 'human_request') AND e.at < $1
               AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.conversation_id = e.conversation_id AND t.seq = e.seq)
             LIMIT 100",
        )
        .bind(before)
        .fetch_all(&self.read)
        .await?)
    }

    /// Remembers how far the customer has read. Not an event: it may be lost.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn mark_read(&self, conversation: ConversationId, seq: i64) -> Result<()> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE conversation SET customer_read = $2
                         WHERE id = $1 AND customer_read < $2 AND $2 <= last_seq",
                    )
                    .bind(conversation)
                    .bind(seq)
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The owner, read inside the transaction that is about to write.
pub(super) async fn owner(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
) -> Result<(State, Option<AgentId>)> {
    sqlx::query_as("SELECT state, agent_id FROM conversation WHERE id = $1")
        .bind(conversation)
        .fetch_optional(connection)
        .await?
        .ok_or(Error::NotFound)
}

async fn check(connection: &mut SqliteConnection, conversation: ConversationId, guard: Guard) -> Result<()> {
    let (state, agent) = owner(connection, conversation).await?;
    match guard {
        Guard::Exists => Ok(()),
        Guard::Open if state == State::Closed => Err(Error::Closed),
        Guard::Open => Ok(()),
        Guard::Unassigned if matches!(state, State::Assigned | State::Closed) => Err(Error::NotOwner),
        Guard::Unassigned => Ok(()),
        Guard::OwnedBy(who) if state == State::Assigned && agent == Some(who) => Ok(()),
        Guard::OwnedBy(_) if state == State::Closed => Err(Error::Closed),
        Guard::OwnedBy(_) => Err(Error::NotOwner),
    }
}

pub(super) async fn find_repeated(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    event: &NewEvent,
) -> Result<Option<Appended>> {
    let Some(client_id) = event.client_id else { return Ok(None) };
    let first: Option<Written> = sqlx::query_as(
        "SELECT seq, at, kind, author, author_id, text, data FROM event
         WHERE conversation_id = $1 AND client_id = $2",
    )
    .bind(conversation)
    .bind(client_id)
    .fetch_optional(connection)
    .await?;
    let Some(first) = first else { return Ok(None) };
    let same = first.kind == event.kind
        && first.author == event.author
        && first.author_id == event.author_id
        && first.text == event.text
        && first.data == event.data;
    if same { Ok(Some(Appended { seq: first.seq, at: first.at, repeated: true })) } else { Err(Error::Conflict) }
}

/// What decides whether a client id comes back with the same content.
#[derive(sqlx::FromRow)]
struct Written {
    seq: i64,
    at: Timestamp,
    kind: EventKind,
    author: Author,
    author_id: Option<Uuid>,
    text: Option<String>,
    #[sqlx(json(nullable))]
    data: Option<Value>,
}

/// Takes the next sequence number and writes the event under it.
pub(super) async fn insert_event(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    event: &NewEvent,
) -> Result<Appended> {
    let is_turn =
        event.author == Author::Customer && matches!(event.kind, EventKind::Message | EventKind::HumanRequest);
    let seq: i64 = sqlx::query_scalar(
        "UPDATE conversation SET last_seq = last_seq + 1, updated_at = $2, customer_turns = customer_turns + $3
         WHERE id = $1 RETURNING last_seq",
    )
    .bind(conversation)
    .bind(event.at)
    .bind(i64::from(is_turn))
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(Error::NotFound)?;
    sqlx::query(
        "INSERT INTO event (conversation_id, seq, at, kind, visibility, author, author_id, author_name,
                            client_id, in_reply_to, text, data)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(conversation)
    .bind(seq)
    .bind(event.at)
    .bind(event.kind)
    .bind(event.visibility)
    .bind(event.author)
    .bind(event.author_id)
    .bind(&event.author_name)
    .bind(event.client_id)
    .bind(event.in_reply_to)
    .bind(&event.text)
    .bind(event.data.as_ref().map(Json))
    .execute(&mut *connection)
    .await?;
    if let Some(text) = &event.text {
        super::search::index(connection, conversation, seq, text).await?;
    }
    Ok(Appended { seq, at: event.at, repeated: false })
}

/// The first answer of a person ends the wait that the figures report.
async fn mark_answered(connection: &mut SqliteConnection, conversation: ConversationId, at: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE handover SET answered_at = $2
         WHERE conversation_id = $1 AND answered_at IS NULL AND claimed_at IS NOT NULL",
    )
    .bind(conversation)
    .bind(at)
    .execute(connection)
    .await?;
    Ok(())
}
