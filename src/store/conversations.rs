//! Conversations, and the rows that the desk shows.

use super::events::{Guard, NewEvent, insert_event};
use super::sql::sql;
use super::visitors::read;
use super::{Result, Store};
use crate::domain::{
    AgentId, Author, Band, Conversation, ConversationId, EventKind, Mood, State, Timestamp, VisitorId,
};
use serde_json::{Value, json};
use sqlx::types::Json;

/// What is known when a conversation is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Whose it is.
    pub visitor: VisitorId,
    /// Locale that the widget reported.
    pub locale: Option<String>,
    /// Page that the widget was opened on.
    pub page: Option<String>,
    /// Version of the notice that is shown before the first message.
    pub disclosure: String,
    /// True for a sample conversation.
    pub demo: bool,
    /// When.
    pub at: Timestamp,
}

/// A conversation as a list entry on the desk.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct CardRow {
    /// Which conversation.
    pub id: ConversationId,
    /// Whose.
    pub visitor_id: VisitorId,
    /// The business vouched for who that is.
    pub verified: bool,
    /// What it said about them (JSON).
    pub(super) profile: Option<Json<Value>>,
    /// Owner.
    pub state: State,
    /// The agent who has it.
    pub agent_id: Option<AgentId>,
    /// That agent's name.
    pub agent_name: Option<String>,
    /// Newest sequence number.
    pub last_seq: i64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When its newest event was written.
    pub updated_at: Timestamp,
    /// When it entered the queue.
    pub queued_at: Option<Timestamp>,
    /// Higher first.
    pub priority: i64,
    /// Code of the latest reason.
    pub reason: Option<String>,
    /// Sample data.
    pub demo: bool,
    /// Newest message.
    pub last_text: Option<String>,
    /// Its author.
    pub last_author: Option<Author>,
    /// The customer's newest message.
    pub last_customer_text: Option<String>,
    /// Mood of the most frustrated of the customer's last three messages: a "yes please" to the
    /// offer of a person does not undo the anger that led to it.
    pub mood: Option<Mood>,
    /// Frustration of that message, 0 to 1.
    pub frustration: Option<f64>,
    /// Signs of leaving after the newest turn, 0 to 1,
    pub churn_score: Option<f64>,
    /// and their range.
    pub churn_band: Option<Band>,
}

impl CardRow {
    /// What the business calls the customer.
    #[must_use]
    pub fn customer_name(&self) -> Option<String> {
        read(self.profile.as_ref())?.name
    }
}

/// A conversation that waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Queued {
    /// Which.
    pub id: ConversationId,
    /// Sample data.
    pub demo: bool,
    /// Higher first.
    pub priority: i64,
    /// Since when they wait for this hand-over.
    pub since: Timestamp,
}

macro_rules! card_query {
    ($condition:tt) => {
        sql!(
            "SELECT c.id, c.visitor_id, v.external_id IS NOT NULL AS verified, v.profile, c.state, c.agent_id, a.name AS agent_name, c.last_seq, c.created_at,
                c.updated_at, c.queued_at, c.priority, c.reason, c.demo,
                e.text AS last_text, e.author AS last_author, t.mood, t.frustration,
                r.score AS churn_score, r.band AS churn_band,
                (SELECT text FROM event WHERE conversation_id = c.id AND author = 'customer'
                    AND kind IN ('message', 'left_message') ORDER BY seq DESC LIMIT 1) AS last_customer_text
             FROM conversation c
             JOIN visitor v ON v.id = c.visitor_id
             LEFT JOIN agent a ON a.id = c.agent_id
             LEFT JOIN churn r ON r.conversation_id = c.id
             LEFT JOIN event e ON e.conversation_id = c.id AND e.seq =
                (SELECT MAX(seq) FROM event WHERE conversation_id = c.id AND kind IN ('message', 'left_message'))
             LEFT JOIN turn t ON t.conversation_id = c.id AND t.seq =
                (SELECT lately.seq FROM
                    (SELECT w.seq, w.frustration FROM turn w JOIN event r ON r.conversation_id = w.conversation_id
                       AND r.seq = w.seq AND r.kind = 'message'
                     WHERE w.conversation_id = c.id ORDER BY w.seq DESC LIMIT 3) AS lately
                 ORDER BY lately.frustration DESC, lately.seq DESC LIMIT 1)
             WHERE c.customer_turns > 0 AND ",
            $condition
        )
    };
}

impl Store {
    /// Opens a conversation. Its log begins with the notice that a bot answers.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open_conversation(&self, opening: Opening) -> Result<ConversationId> {
        let id = ConversationId(self.clock.id());
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!(
                            "INSERT INTO conversation (id, visitor_id, state, last_seq, created_at, updated_at,
                                                   locale, page, demo)
                         VALUES ($1, $2, 'bot', 0, $3, $3, $4, $5, $6)"
                        ))
                        .bind(id)
                        .bind(opening.visitor)
                        .bind(opening.at)
                        .bind(opening.locale)
                        .bind(opening.page)
                        .bind(opening.demo)
                        .execute()
                        .await?;
                    let mut shown = NewEvent::new(EventKind::Disclosure, Author::System, opening.at);
                    shown.data = Some(json!({ "version": opening.disclosure }));
                    insert_event(&mut connection, id, Guard::Exists, &shown).await?;
                    Ok(id)
                })
            })
            .await
    }

    /// One conversation.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT id, visitor_id, state, agent_id, last_seq, created_at, updated_at, queued_at, closed_at,
                    priority, reason, locale, page, demo, customer_read, erased_at
             FROM conversation WHERE id = $1"
            ))
            .bind(id)
            .fetch_optional()
            .await
    }

    /// The conversation of `visitor` that a returning client continues: the newest that was not erased.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn latest_conversation(&self, visitor: VisitorId) -> Result<Option<ConversationId>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT id FROM conversation WHERE visitor_id = $1 AND erased_at IS NULL
                 ORDER BY created_at DESC, id DESC LIMIT 1"
            ))
            .bind(visitor)
            .scalar_optional()
            .await
    }

    /// The desk's list: everything queued or assigned, and what the bot handled since `since`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn cards(&self, since: Timestamp) -> Result<Vec<CardRow>> {
        self.database
            .read()
            .await?
            .query(card_query!(
                "(c.state IN ('queued', 'assigned') OR (c.state IN ('bot', 'offered') AND c.updated_at >= $1))
             ORDER BY CASE WHEN c.state IN ('queued', 'assigned') THEN 0 ELSE 1 END,
                c.priority DESC, c.queued_at NULLS FIRST, c.updated_at DESC LIMIT 1000"
            ))
            .bind(since)
            .fetch_all()
            .await
    }

    /// The list entries of these conversations, as far as a customer has said anything in them; in any order. One
    /// statement for many: the way to the database and back costs more than what is done there.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn cards_of(&self, conversations: &[ConversationId]) -> Result<Vec<CardRow>> {
        if conversations.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = conversations.iter().map(|id| id.0.simple().to_string()).collect();
        self.database
            .read()
            .await?
            .query(card_query!(["c.id IN (SELECT unhex(value) FROM json_each($1))"
                | "c.id IN (SELECT CAST(value AS UUID) FROM jsonb_array_elements_text($1) AS asked (value))"]))
            .bind(Json(ids))
            .fetch_all()
            .await
    }

    /// How many waiting conversations would be served before a new one of this priority.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn queue_ahead(&self, priority: i64) -> Result<i64> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT COUNT(*) FROM conversation WHERE state = 'queued' AND NOT demo AND priority >= $1"))
            .bind(priority)
            .scalar()
            .await
    }

    /// The conversations that wait, in the order in which they are served; 10,000 at most.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn queue(&self) -> Result<Vec<Queued>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT c.id, c.demo, c.priority,
                    COALESCE((SELECT MAX(h.queued_at) FROM handover h
                              WHERE h.conversation_id = c.id AND h.claimed_at IS NULL), c.queued_at) AS since
             FROM conversation c WHERE c.state = 'queued' ORDER BY c.priority DESC, c.queued_at, c.id LIMIT 10000"
            ))
            .fetch_all()
            .await
    }
}
