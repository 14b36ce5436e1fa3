//! Customer turns: the reading, the decision and the bot's answer in one transaction.

use super::churn::save_churn;
use super::database::Connection;
use super::events::{Guard, NewEvent, insert_event, owner};
use super::handovers::{NewHandover, begin_handover};
use super::ownership::{save_dialogue, set_owner};
use super::sql::{LOCK_CONVERSATION, sql};
use super::{Error, Result, Store};
use crate::domain::{Author, ChurnRisk, ConversationId, Event, EventKind, State, Timestamp, TurnRecord, WordWeight};
use serde_json::{Map, Value, json};
use sqlx::types::Json;

/// What the bot says.
#[derive(Clone, Debug)]
pub struct BotMessage {
    /// The bot's shown name.
    pub name: String,
    /// Markdown subset.
    pub text: String,
    /// Quick replies and the like.
    pub data: Value,
}

/// The owner after the turn, if it changes.
#[derive(Clone, Debug)]
pub struct NextState {
    /// New owner.
    pub state: State,
    /// Reason code, for an offer or a hand-over.
    pub reason: Option<String>,
    /// Queue priority, for a hand-over.
    pub priority: i64,
    /// What the state event says besides (position, wait).
    pub data: Map<String, Value>,
    /// The wait that begins with a hand-over.
    pub handover: NewHandover,
}

/// One decided turn, ready to be stored.
#[derive(Clone, Debug)]
pub struct TurnWrite {
    /// The reading and the decision.
    pub record: TurnRecord,
    /// The bot's words, if it says any.
    pub reply: Option<BotMessage>,
    /// The owner after it, if that changes.
    pub next: Option<NextState>,
    /// The bot's memory after it.
    pub dialogue: Value,
    /// Signs of leaving after it, if they are weighed.
    pub churn: Option<ChurnRisk>,
}

/// What became of a decided turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnOutcome {
    /// Stored with the bot's answer.
    Answered,
    /// A person owned the conversation by then: the reading is stored, the bot stays silent.
    Superseded,
    /// The turn had been decided before; nothing was stored.
    Repeated,
}

impl Store {
    /// Stores a decided turn: analysis row, bot message and change of owner together, or the
    /// reading alone when the bot does not own the conversation any more.
    ///
    /// # Errors
    /// `NotFound` if the conversation does not exist.
    pub async fn record_turn(&self, turn: TurnWrite) -> Result<TurnOutcome> {
        self.database
            .write_in_background(move |mut connection| Box::pin(async move { record(&mut connection, turn).await }))
            .await
    }

    /// Adds what the words of a decided turn carried.
    ///
    /// # Errors
    /// `NotFound` if there is no such turn (any more).
    pub async fn record_words(&self, conversation: ConversationId, seq: i64, words: Vec<WordWeight>) -> Result<()> {
        self.database
            .write_in_background(move |mut connection| {
                Box::pin(async move {
                    let written = connection
                        .query(sql!(
                            "UPDATE turn SET words = $3 WHERE conversation_id = $1 AND seq = $2 AND EXISTS
                                (SELECT 1 FROM conversation WHERE id = $1 AND erased_at IS NULL)"
                        ))
                        .bind(conversation)
                        .bind(seq)
                        .bind(Json(&words))
                        .execute()
                        .await?;
                    if written == 0 { Err(Error::NotFound) } else { Ok(()) }
                })
            })
            .await
    }

    /// The turns after `seq`, oldest first, at most 200.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn turns_after(&self, conversation: ConversationId, seq: i64) -> Result<Vec<TurnRecord>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT conversation_id, seq, at, source, mood, negative, positive, frustration, intent, action,
                    reasons, trace, words
             FROM turn WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
            ))
            .bind(conversation)
            .bind(seq)
            .bind(super::events::PAGE)
            .fetch_all()
            .await
    }

    /// Customer turns of one conversation that nothing was decided about yet, oldest first, at most 200. Turns are
    /// decided in the order of the log, so only what comes after the newest decision is looked at. A thumbs down is
    /// a turn.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unread_turns(&self, conversation: ConversationId) -> Result<Vec<Event>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT e.conversation_id, e.seq, e.at, e.kind, e.visibility, e.author, e.author_name, e.client_id,
                    e.text, e.data
             FROM event e
             WHERE e.conversation_id = $1 AND e.author = 'customer'
               AND (e.kind IN ('message', 'human_request')
                    OR (e.kind = 'feedback' AND CAST(e.data ->> 'helpful' AS TEXT) IN ('false', '0')))
               AND e.seq > COALESCE((SELECT MAX(t.seq) FROM turn t WHERE t.conversation_id = $1), 0)
             ORDER BY e.seq LIMIT $2"
            ))
            .bind(conversation)
            .bind(super::events::PAGE)
            .fetch_all()
            .await
    }
}

async fn record(connection: &mut Connection<'_>, turn: TurnWrite) -> Result<TurnOutcome> {
    let id = turn.record.conversation_id;
    connection.query(LOCK_CONVERSATION).bind(id).execute().await?;
    let Some(state) = insert_turn(connection, &turn.record).await? else {
        // Either there is no such conversation, or it was erased, or there is such a turn.
        owner(connection, id).await?;
        return Ok(TurnOutcome::Repeated);
    };
    if let Some(risk) = &turn.churn {
        save_churn(connection, id, risk).await?;
    }
    if !state.is_bot() {
        return Ok(TurnOutcome::Superseded);
    }
    save_dialogue(connection, id, &turn.dialogue).await?;
    if let Some(reply) = turn.reply {
        let mut event = NewEvent::new(EventKind::Message, Author::Bot, turn.record.at);
        event.author_name = Some(reply.name);
        event.text = Some(reply.text);
        event.in_reply_to = Some(turn.record.seq);
        event.data = (!reply.data.is_null()).then_some(reply.data);
        insert_event(connection, id, Guard::Exists, &event).await?;
    }
    if let Some(next) = turn.next.filter(|next| next.state != state) {
        change_state(connection, id, next, turn.record.at).await?;
    }
    Ok(TurnOutcome::Answered)
}

async fn change_state(
    connection: &mut Connection<'_>,
    id: ConversationId,
    next: NextState,
    at: Timestamp,
) -> Result<()> {
    let mut data = next.data;
    data.insert("state".to_owned(), json!(next.state));
    if let Some(reason) = &next.reason {
        data.insert("reason".to_owned(), json!(reason));
    }
    let mut event = NewEvent::new(EventKind::State, Author::System, at);
    event.data = Some(Value::Object(data));
    let appended = insert_event(connection, id, Guard::Exists, &event).await?;
    set_owner(connection, id, next.state, None, at).await?;
    if let Some(reason) = &next.reason {
        connection
            .query(sql!("UPDATE conversation SET reason = $2, priority = $3 WHERE id = $1"))
            .bind(id)
            .bind(reason)
            .bind(next.priority)
            .execute()
            .await?;
        if next.state == State::Queued {
            begin_handover(connection, id, appended.seq, reason, at, &next.handover).await?;
        }
    }
    Ok(())
}

/// Writes the reading with the decision, or without it if the bot does not own the conversation.
/// Returns the owner; none if nothing was written.
async fn insert_turn(connection: &mut Connection<'_>, turn: &TurnRecord) -> Result<Option<State>> {
    connection
        .query(sql!(
            "INSERT INTO turn (conversation_id, seq, at, source, mood, negative, positive, frustration, intent,
                           action, reasons, trace)
         SELECT c.id, $2, $3, $4, $5, $6, $7, $8, $9,
                CASE WHEN c.state IN ('bot', 'offered') THEN $10 ELSE 'silent' END,
                CASE WHEN c.state IN ('bot', 'offered') THEN $11 ELSE ",
            ["'[]'" | "'[]'::jsonb"],
            " END, $12
         FROM conversation c WHERE c.id = $1 AND c.erased_at IS NULL
         ON CONFLICT (conversation_id, seq) DO NOTHING
         RETURNING (SELECT state FROM conversation WHERE id = $1)"
        ))
        .bind(turn.conversation_id)
        .bind(turn.seq)
        .bind(turn.at)
        .bind(turn.source)
        .bind(turn.mood)
        .bind(turn.negative)
        .bind(turn.positive)
        .bind(turn.frustration)
        .bind(&turn.intent)
        .bind(turn.action)
        .bind(Json(&turn.reasons))
        .bind(Json(&turn.trace))
        .scalar_optional()
        .await
}
