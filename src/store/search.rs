//! The transcript list and full-text search. SQLite's FTS5 is the part that PostgreSQL will say
//! differently, so it stands alone in this file; a trigger adds each text to the index.

use super::visitors::read;
use super::{Result, Store};
use crate::domain::{ConversationId, Mood, State, Timestamp, VisitorId};

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
    pub(super) profile: Option<String>,
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
        read(self.profile.as_deref())?.name
    }
}

macro_rules! transcript_query {
    ($snippet:literal, $with:literal, $join:literal) => {
        concat!(
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
                AND (CAST($4 AS INTEGER) IS NULL OR c.updated_at < $4 OR (c.updated_at = $4 AND c.id < $5))
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
        let words = filter.query.as_deref().and_then(match_expression);
        let statement = if words.is_some() {
            transcript_query!(
                "(SELECT snippet(event_search, 0, char(2), char(3), '…', 14) FROM event_search
                   WHERE event_search MATCH $7 AND rowid = hit.first)",
                "WITH hit AS MATERIALIZED (SELECT conversation_id, MIN(rowid) AS first FROM event_search
                   WHERE event_search MATCH $7 GROUP BY conversation_id) ",
                "JOIN hit ON hit.conversation_id = c.id"
            )
        } else {
            transcript_query!("NULL", "", "")
        };
        let mut query = sqlx::query_as(statement)
            .bind(filter.state)
            .bind(&filter.reason)
            .bind(filter.mood)
            .bind(filter.before.map(|(at, _)| at))
            .bind(filter.before.map(|(_, id)| id))
            .bind(filter.limit);
        if let Some(words) = words {
            query = query.bind(words);
        }
        Ok(query.fetch_all(&mut *self.readers.get().await?).await?)
    }
}

/// What a person typed as an FTS5 expression: every word quoted, so that no operator can be
/// smuggled in, all required, the last one as a beginning.
fn match_expression(typed: &str) -> Option<String> {
    let words: Vec<String> = typed
        .split_whitespace()
        .map(|word| word.replace(['"', '\0'], ""))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(16)
        .map(|word| format!("\"{word}\""))
        .collect();
    (!words.is_empty()).then(|| format!("{}*", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::match_expression;

    #[test]
    fn operators_and_quotes_lose_their_meaning() {
        assert_eq!(match_expression("late parcel").as_deref(), Some("\"late\" \"parcel\"*"));
        assert_eq!(match_expression("a OR \"b NEAR(").as_deref(), Some("\"a\" \"OR\" \"b\" \"NEAR(\"*"));
        assert_eq!(match_expression(" \" ** "), None);
    }
}
