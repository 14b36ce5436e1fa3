//! Visitors: browsers with a token, and the customer that the business says one of them is.

use super::sql::sql;
use super::{Result, Store};
use crate::domain::{Conversation, ConversationId, Customer, Profile, Timestamp, VisitorId};
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::types::Json;

/// Contacts within this time before a conversation was opened count as repeated ones.
const LATELY_MS: i64 = 24 * 3_600 * 1_000;

/// A visitor's row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Visitor {
    /// Which visitor.
    pub id: VisitorId,
    /// The business's id of the customer, if it vouched for them.
    pub external_id: Option<String>,
    /// What it said about them (JSON).
    profile: Option<Json<Value>>,
}

impl Visitor {
    /// True if the business said just this about them already.
    #[must_use]
    pub fn is(&self, external_id: &str, profile: &Profile) -> bool {
        self.external_id.as_deref() == Some(external_id) && read(self.profile.as_ref()).as_ref() == Some(profile)
    }
}

/// A stored profile; none if there is none, or none that this version can read.
pub(super) fn read(profile: Option<&Json<Value>>) -> Option<Profile> {
    profile.and_then(|Json(profile)| Profile::deserialize(profile).ok())
}

/// A conversation with the bot's memory and what is known of the customer.
#[derive(sqlx::FromRow)]
struct Remembered {
    #[sqlx(flatten)]
    conversation: Conversation,
    dialogue: Option<Json<Value>>,
    external_id: Option<String>,
    profile: Option<Json<Value>>,
    objects: bool,
    contacts: i64,
    last_rating: Option<i64>,
}

impl Remembered {
    fn customer(&self) -> Customer {
        let mut customer = match &self.external_id {
            Some(_) => Customer::vouched(read(self.profile.as_ref()).unwrap_or_default()),
            None => Customer::default(),
        };
        if customer.locale.is_none() {
            customer.locale.clone_from(&self.conversation.locale);
        }
        customer.contacts = u32::try_from(self.contacts).unwrap_or(u32::MAX);
        customer.last_rating = self.last_rating;
        customer.objects = self.objects;
        customer
    }
}

impl Store {
    /// The visitor that holds the token with this hash.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn visitor(&self, token_hash: Vec<u8>) -> Result<Option<Visitor>> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT id, external_id, profile FROM visitor WHERE token_hash = $1"))
            .bind(token_hash)
            .fetch_optional()
            .await
    }

    /// Records a new visitor.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn create_visitor(&self, token_hash: Vec<u8>, at: Timestamp) -> Result<VisitorId> {
        let id = VisitorId(self.clock.id());
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!("INSERT INTO visitor (id, token_hash, created_at) VALUES ($1, $2, $3)"))
                        .bind(id)
                        .bind(token_hash)
                        .bind(at)
                        .execute()
                        .await?;
                    Ok(id)
                })
            })
            .await
    }

    /// Records which customer a visitor is, and what the business says about them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn identify(&self, id: VisitorId, external_id: String, profile: &Profile) -> Result<()> {
        let profile = profile.clone();
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!("UPDATE visitor SET external_id = $2, profile = $3 WHERE id = $1"))
                        .bind(id)
                        .bind(external_id)
                        .bind(Json(profile))
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// What the business said about a visitor, if it vouched for them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn profile(&self, id: VisitorId) -> Result<Option<Profile>> {
        let found: Option<(Option<String>, Option<Json<Value>>)> = self
            .database
            .read()
            .await?
            .query(sql!("SELECT external_id, profile FROM visitor WHERE id = $1"))
            .bind(id)
            .fetch_optional()
            .await?;
        Ok(found.and_then(|(external_id, profile)| external_id.map(|_| read(profile.as_ref()).unwrap_or_default())))
    }

    /// One conversation, the bot's memory of its dialogue if it has said anything yet, and who the
    /// customer is: in one statement, because a turn waits for it. Of a customer's other
    /// conversations, in any browser, those count in which they said something.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn conversation_with_dialogue(
        &self,
        id: ConversationId,
    ) -> Result<Option<(Conversation, Option<Value>, Customer)>> {
        let found: Option<Remembered> = self.database.read().await?.query(sql!("SELECT c.id, c.visitor_id, c.state, c.agent_id, c.last_seq, c.created_at, c.updated_at, c.queued_at,
                    c.closed_at, c.priority, c.reason, c.locale, c.page, c.demo, c.customer_read, c.erased_at, c.dialogue,
                    v.external_id, v.profile,
                    EXISTS (SELECT 1 FROM visitor w WHERE (w.id = v.id OR w.external_id = v.external_id)
                        AND w.objected_at IS NOT NULL) AS objects,
                    (SELECT COUNT(*) FROM conversation o
                     WHERE o.visitor_id IN (SELECT w.id FROM visitor w WHERE w.id = v.id OR w.external_id = v.external_id)
                       AND o.created_at >= c.created_at - $2 AND o.created_at <= c.created_at
                       AND o.id <> c.id AND o.customer_turns > 0) AS contacts,
                    (SELECT r.score FROM conversation o JOIN rating r ON r.conversation_id = o.id AND r.kind = 'csat'
                     WHERE o.visitor_id IN (SELECT w.id FROM visitor w WHERE w.id = v.id OR w.external_id = v.external_id)
                       AND o.id <> c.id AND r.at <= c.created_at
                     ORDER BY r.at DESC LIMIT 1) AS last_rating
             FROM conversation c JOIN visitor v ON v.id = c.visitor_id WHERE c.id = $1"))
        .bind(id)
        .bind(LATELY_MS).fetch_optional()
        .await?;
        Ok(found.map(|found| {
            let customer = found.customer();
            let dialogue = found.dialogue.map(|Json(memory)| memory);
            (found.conversation, dialogue, customer)
        }))
    }
}
