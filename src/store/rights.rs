//! What customers may do with what is kept of them: end, go on, erase, object, read. Must not know who is asking.

use super::database::Connection;
use super::events::{Guard, NewEvent, Written, find_repeated, insert_event, owner};
use super::ownership::{Change, apply};
use super::sql::{UNINDEX, WORDS_OF, sql};
use super::{Appended, Error, Result, Store};
use crate::domain::{Author, Conversation, ConversationId, EventKind, Profile, State, Timestamp, VisitorId};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

/// Everything that is kept of a visitor besides their conversations.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct KnownVisitor {
    /// Which visitor.
    pub id: VisitorId,
    /// When they first came.
    pub created_at: Timestamp,
    /// The business's own id of the customer.
    pub external_id: Option<String>,
    profile: Option<Json<Value>>,
    /// When they objected to the reading of their mood, if they did.
    pub objected_at: Option<Timestamp>,
}

impl KnownVisitor {
    /// What the business said about them.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        super::visitors::read(self.profile.as_ref())
    }
}

/// A survey answer.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Rating {
    /// `csat`, `ces` or `nps`.
    pub kind: String,
    /// In the range of its kind.
    pub score: i64,
    /// In the customer's words.
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Carries out a change of owner that a customer asked for under `client_id`. A second time it is found, not done.
    /// `text` is what they read about it.
    ///
    /// # Errors
    /// `NotFound`; `Closed` and `NotOwner` if the state does not allow it; `Conflict` if the id was used for
    /// something else.
    pub async fn change_by_customer(
        &self,
        conversation: ConversationId,
        client_id: Uuid,
        change: Change,
        text: String,
        at: Timestamp,
    ) -> Result<Appended> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    match earlier(&mut connection, conversation, client_id).await? {
                        Some(first) => Ok(first),
                        None => apply(&mut connection, conversation, change, Some(text), Some(client_id), at).await,
                    }
                })
            })
            .await
    }

    /// Takes out of a conversation all that was said in it, read from it and told about it, and closes it. What stays is
    /// that it took place, when, and what became of it. If the visitor has no other one, who they are goes too.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the id was used for something else.
    pub async fn erase(
        &self,
        conversation: ConversationId,
        client_id: Uuid,
        text: String,
        at: Timestamp,
    ) -> Result<Appended> {
        let words = self.words_of(conversation).await?;
        let erased = self
            .database
            .write(move |mut connection| {
                Box::pin(async move {
                    if let Some(first) = earlier(&mut connection, conversation, client_id).await? {
                        return Ok(first);
                    }
                    connection.query(UNINDEX).bind(conversation).bind(Json(words)).execute().await?;
                    erase(&mut connection, conversation, client_id, text, at).await
                })
            })
            .await?;
        // What was added while it was looked for. Nothing is, any more.
        let rest = self.words_of(conversation).await?;
        if !rest.is_empty() {
            self.database
                .write_single(move |mut connection| {
                    Box::pin(async move {
                        connection.query(UNINDEX).bind(conversation).bind(Json(rest)).execute().await?;
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(erased)
    }

    /// Where SQLite's index has the words of a conversation. All words are read for it, so not on the writing connection.
    async fn words_of(&self, conversation: ConversationId) -> Result<Vec<i64>> {
        let asked = Json([conversation.0.simple().to_string()]);
        let found: Vec<(ConversationId, i64)> =
            self.database.read().await?.query(WORDS_OF).bind(asked).fetch_all().await?;
        Ok(found.into_iter().map(|(_, row)| row).collect())
    }

    /// Records that the customer of a conversation objects to the reading of their mood, or takes that back. It holds for
    /// all browsers of a customer whom the business knows. `event` is the note of it for staff.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`.
    pub async fn object(&self, conversation: ConversationId, objects: bool, event: NewEvent) -> Result<Appended> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    let appended = insert_event(&mut connection, conversation, Guard::Exists, &event).await?;
                    connection
                        .query(sql!(
                            "UPDATE visitor SET objected_at = $2 WHERE id IN
                                (SELECT w.id FROM conversation c JOIN visitor v ON v.id = c.visitor_id
                                 JOIN visitor w ON w.id = v.id OR w.external_id = v.external_id WHERE c.id = $1)"
                        ))
                        .bind(conversation)
                        .bind(objects.then_some(event.at))
                        .execute()
                        .await?;
                    Ok(appended)
                })
            })
            .await
    }

    /// Whether mood may be read in what this visitor writes.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn may_read_mood(&self, visitor: VisitorId) -> Result<bool> {
        Ok(self.browsers_of(visitor).await?.iter().all(|known| known.objected_at.is_none()))
    }

    /// The visitor and, where the business has said who that is, the same customer in their other browsers.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn browsers_of(&self, visitor: VisitorId) -> Result<Vec<KnownVisitor>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT w.id, w.created_at, w.external_id, w.profile, w.objected_at FROM visitor v
                 JOIN visitor w ON w.id = v.id OR w.external_id = v.external_id
                 WHERE v.id = $1 ORDER BY w.created_at, w.id"
            ))
            .bind(visitor)
            .fetch_all()
            .await
    }

    /// The conversations of a visitor, oldest first, without those that were erased.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn conversations_of(&self, visitor: VisitorId) -> Result<Vec<Conversation>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT id, visitor_id, state, agent_id, last_seq, created_at, updated_at, queued_at, closed_at,
                    priority, reason, locale, page, demo, customer_read, erased_at
                 FROM conversation WHERE visitor_id = $1 AND erased_at IS NULL ORDER BY created_at, id"
            ))
            .bind(visitor)
            .fetch_all()
            .await
    }

    /// The survey answers to a conversation.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn ratings(&self, conversation: ConversationId) -> Result<Vec<Rating>> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT kind, score, comment, at FROM rating WHERE conversation_id = $1 ORDER BY at, kind"))
            .bind(conversation)
            .fetch_all()
            .await
    }

    /// What decides which survey follows the end of a conversation: how many the customer has had, this one among
    /// them, whether a person dealt with this one, whether it was asked about already, and when the customer was last
    /// asked for the net promoter score.
    ///
    /// # Errors
    /// `NotFound`; if the database fails.
    pub async fn survey_facts(&self, conversation: ConversationId) -> Result<SurveyFacts> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT c.survey IS NOT NULL AS asked,
                    EXISTS (SELECT 1 FROM handover h WHERE h.conversation_id = c.id) AS handed_over,
                    (SELECT COUNT(*) FROM conversation o JOIN visitor w ON w.id = o.visitor_id
                     WHERE (w.id = v.id OR w.external_id = v.external_id) AND o.customer_turns > 0) AS conversations,
                    (SELECT MAX(o.closed_at) FROM conversation o JOIN visitor w ON w.id = o.visitor_id
                     WHERE (w.id = v.id OR w.external_id = v.external_id) AND o.survey = 'nps') AS promoter_asked_at
                 FROM conversation c JOIN visitor v ON v.id = c.visitor_id WHERE c.id = $1"
            ))
            .bind(conversation)
            .fetch_optional()
            .await?
            .ok_or(Error::NotFound)
    }
}

/// See [`Store::survey_facts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SurveyFacts {
    /// A survey was asked before this conversation was reopened.
    pub asked: bool,
    /// A person dealt with it.
    pub handed_over: bool,
    /// Conversations of the customer in which they said something.
    pub conversations: i64,
    /// When the customer was last asked for the net promoter score.
    pub promoter_asked_at: Option<Timestamp>,
}

/// The change that was stored under this id before. What it told may read differently by now.
async fn earlier(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    client_id: Uuid,
) -> Result<Option<Appended>> {
    let is_change = |first: &Written| first.kind == EventKind::State && first.author == Author::Customer;
    find_repeated(connection, conversation, client_id, is_change).await
}

async fn erase(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    client_id: Uuid,
    text: String,
    at: Timestamp,
) -> Result<Appended> {
    owner(connection, conversation).await?;
    for statement in [
        sql!(
            "UPDATE event SET text = NULL, data = CASE WHEN kind = 'state' THEN data END, author_name = NULL,
                client_id = NULL WHERE conversation_id = $1"
        ),
        sql!(
            "UPDATE turn SET mood = 'neutral', negative = 0, positive = 0, frustration = 0, intent = NULL,
                reasons = '[]', trace = '{\"erased\":true}', words = NULL WHERE conversation_id = $1"
        ),
        sql!("UPDATE rating SET comment = NULL WHERE conversation_id = $1"),
        sql!("DELETE FROM churn WHERE conversation_id = $1"),
        sql!("DELETE FROM outbox WHERE conversation_id = $1"),
        sql!("DELETE FROM attachment WHERE conversation_id = $1"),
    ] {
        connection.query(statement).bind(conversation).execute().await?;
    }
    let mut event = NewEvent::new(EventKind::State, Author::Customer, at);
    event.client_id = Some(client_id);
    event.data = Some(json!({ "state": State::Closed, "reason": "erased", "reason_text": text }));
    let appended = insert_event(connection, conversation, Guard::Exists, &event).await?;
    connection
        .query(sql!(
            "UPDATE conversation SET state = 'closed', agent_id = NULL, closed_at = COALESCE(closed_at, $2),
                erased_at = $2, dialogue = NULL, locale = NULL, page = NULL, owed_since = NULL WHERE id = $1"
        ))
        .bind(conversation)
        .bind(at)
        .execute()
        .await?;
    connection
        .query(sql!(
            "UPDATE visitor SET external_id = NULL, profile = NULL
             WHERE id = (SELECT visitor_id FROM conversation WHERE id = $1) AND NOT EXISTS
                (SELECT 1 FROM conversation o WHERE o.visitor_id = visitor.id AND o.erased_at IS NULL)"
        ))
        .bind(conversation)
        .execute()
        .await?;
    Ok(appended)
}
