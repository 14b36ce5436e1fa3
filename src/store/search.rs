//! The transcript list and full-text search. How words are looked up is what the two databases say most differently:
//! SQLite has an FTS5 table, which a trigger fills; PostgreSQL has an index on the event.

use super::snippet::{search_words, snippet};
use super::sql::sql;
use super::visitors::read;
use super::{Result, Store};
use crate::domain::{ConversationId, Mood, State, Timestamp, VisitorId};
use serde_json::Value;
use sqlx::types::Json;

/// Marks around a hit in a snippet; control characters cannot come from a message, where they are
/// removed on the way in.
pub const HIT_START: char = '\u{2}';
/// The closing mark.
pub const HIT_END: char = '\u{3}';

/// Which transcripts to list. All conditions must hold; `None` is no condition.
#[derive(Clone, Debug, Default)]
pub struct TranscriptFilter {
    /// Words that must all occur; the last may be the beginning of a word.
    pub query: Option<String>,
    /// Owner.
    pub state: Option<State>,
    /// Reason code of its latest offer or hand-over.
    pub reason: Option<String>,
    /// Mood of its worst turn.
    pub mood: Option<Mood>,
    /// Only those after this place in the list: the cursor.
    pub before: Option<(Timestamp, ConversationId)>,
    /// At most this many.
    pub limit: i64,
}

/// One line of the transcript list.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct TranscriptRow {
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
    /// The person who has or last had it.
    pub agent_name: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When its newest event was written.
    pub updated_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Messages of the customer.
    pub turns: i64,
    /// Code of its latest reason.
    pub reason: Option<String>,
    /// Mood of the customer's last words.
    pub mood_end: Option<Mood>,
    /// The worst mood of any turn.
    pub mood_worst: Option<Mood>,
    /// CSAT score, 1 to 5.
    pub csat: Option<i64>,
    /// The customer's first message.
    pub first_text: Option<String>,
    /// The first hit with its surroundings, hits between [`HIT_START`] and [`HIT_END`].
    pub snippet: Option<String>,
    /// Sample data.
    pub demo: bool,
}

impl TranscriptRow {
    /// What the business calls the customer.
    #[must_use]
    pub fn customer_name(&self) -> Option<String> {
        read(self.profile.as_ref())?.name
    }
}

macro_rules! transcript_query {
    ($with:tt, $snippet:literal, $join:literal) => {
        sql!(
            $with,
            "SELECT c.id, c.visitor_id, v.external_id IS NOT NULL AS verified, v.profile, c.state, c.created_at, c.updated_at, c.closed_at,
                c.customer_turns AS turns, c.reason, c.demo,
                (SELECT a.name FROM handover h JOIN agent a ON a.id = h.agent_id
                  WHERE h.conversation_id = c.id ORDER BY h.seq DESC LIMIT 1) AS agent_name,
                (SELECT mood FROM turn t JOIN event e ON e.conversation_id = t.conversation_id AND e.seq = t.seq
                    AND e.kind = 'message' WHERE t.conversation_id = c.id ORDER BY t.seq DESC LIMIT 1) AS mood_end,
                (SELECT mood FROM turn t WHERE t.conversation_id = c.id
                  ORDER BY CASE t.mood WHEN 'frustrated' THEN 0 WHEN 'negative' THEN 1
                    WHEN 'neutral' THEN 2 ELSE 3 END LIMIT 1) AS mood_worst,
                (SELECT score FROM rating r WHERE r.conversation_id = c.id AND r.kind = 'csat') AS csat,
                (SELECT text FROM event e WHERE e.conversation_id = c.id AND e.author = 'customer'
                   AND e.kind = 'message' ORDER BY e.seq LIMIT 1) AS first_text, ",
            $snippet,
            " AS snippet FROM conversation c JOIN visitor v ON v.id = c.visitor_id ",
            $join,
            " WHERE c.customer_turns > 0
                AND (CAST($1 AS TEXT) IS NULL OR c.state = $1)
                AND (CAST($2 AS TEXT) IS NULL OR c.reason = $2)
                AND (CAST($3 AS TEXT) IS NULL OR
                     (SELECT mood FROM turn t WHERE t.conversation_id = c.id
                       ORDER BY CASE t.mood WHEN 'frustrated' THEN 0 WHEN 'negative' THEN 1
                    WHEN 'neutral' THEN 2 ELSE 3 END LIMIT 1) = $3)
                AND (CAST($4 AS BIGINT) IS NULL OR c.updated_at < $4 OR (c.updated_at = $4 AND c.id < $5))
              ORDER BY c.updated_at DESC, c.id DESC LIMIT $6"
        )
    };
}

impl Store {
    /// The transcripts that pass `filter`, most recently changed first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn transcripts(&self, filter: &TranscriptFilter) -> Result<Vec<TranscriptRow>> {
        let words = filter.query.as_deref().and_then(search_words);
        let statement = if words.is_some() {
            transcript_query!(
                ["WITH hit AS MATERIALIZED (SELECT conversation_id, MIN(seq) AS first FROM event_search
                   WHERE event_search MATCH '\"' || replace($7, ' ', '\" \"') || '\"*' GROUP BY conversation_id) "
                    | "WITH hit AS MATERIALIZED (SELECT conversation_id, MIN(seq) AS first FROM event
                   WHERE text IS NOT NULL AND to_tsvector('simple', search_words(text))
                      @@ to_tsquery('simple', replace(NULLIF(search_words($7), ''), ' ', ' & ') || ':*')
                   GROUP BY conversation_id) "],
                "(SELECT e.text FROM event e WHERE e.conversation_id = c.id AND e.seq = hit.first)",
                "JOIN hit ON hit.conversation_id = c.id"
            )
        } else {
            transcript_query!("", "NULL", "")
        };
        let mut reader = self.database.read().await?;
        let mut query = reader
            .query(statement)
            .bind(filter.state)
            .bind(&filter.reason)
            .bind(filter.mood)
            .bind(filter.before.map(|(at, _)| at))
            .bind(filter.before.map(|(_, id)| id))
            .bind(filter.limit);
        if let Some(words) = &words {
            query = query.bind(words);
        }
        let mut found: Vec<TranscriptRow> = query.fetch_all().await?;
        if let Some(words) = words {
            for row in &mut found {
                row.snippet = row.snippet.take().map(|text| snippet(&text, &words));
            }
        }
        Ok(found)
    }
}
