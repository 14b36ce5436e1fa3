//! Customer turns: the reading, the decision and the bot's answer in one transaction.

use super::events::{NewEvent, insert_event, owner};
use super::ownership::{begin_handover, save_dialogue, set_owner};
use super::{Result, Store};
use crate::domain::{ActionKind, Author, ConversationId, EventKind, State, Timestamp, TurnRecord};
use serde_json::{Map, Value, json};
use sqlx::SqliteConnection;
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
        self.writer.write(move |connection| Box::pin(async move { record(connection, turn).await })).await
    }

    /// The turns after `seq`, oldest first, at most 200.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn turns_after(&self, conversation: ConversationId, seq: i64) -> Result<Vec<TurnRecord>> {
        Ok(sqlx::query_as(
            "SELECT conversation_id, seq, at, source, mood, negative, positive, frustration, intent, action,
                    reasons, trace
             FROM turn WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(conversation)
        .bind(seq)
        .bind(super::events::PAGE)
        .fetch_all(&self.read)
        .await?)
    }

    /// Customer turns of one conversation that nothing was decided about yet, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unread_turns(&self, conversation: ConversationId) -> Result<Vec<i64>> {
        Ok(sqlx::query_scalar(
            "SELECT e.seq FROM event e
             WHERE e.conversation_id = $1 AND e.author = 'customer' AND e.kind IN ('message', 'human_request')
               AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.conversation_id = e.conversation_id AND t.seq = e.seq)
             ORDER BY e.seq",
        )
        .bind(conversation)
        .fetch_all(&self.read)
        .await?)
    }

    /// The bot's memory of the dialogue, if it has said anything yet.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn dialogue(&self, conversation: ConversationId) -> Result<Option<Value>> {
        let text: Option<Option<String>> = sqlx::query_scalar("SELECT dialogue FROM conversation WHERE id = $1")
            .bind(conversation)
            .fetch_optional(&self.read)
            .await?;
        // A memory that this version cannot read is no memory: the bot starts afresh.
        Ok(text.flatten().and_then(|text| serde_json::from_str(&text).ok()))
    }
}

async fn record(connection: &mut SqliteConnection, mut turn: TurnWrite) -> Result<TurnOutcome> {
    let id = turn.record.conversation_id;
    let seen: Option<i64> = sqlx::query_scalar("SELECT seq FROM turn WHERE conversation_id = $1 AND seq = $2")
        .bind(id)
        .bind(turn.record.seq)
        .fetch_optional(&mut *connection)
        .await?;
    if seen.is_some() {
        return Ok(TurnOutcome::Repeated);
    }
    let (state, _) = owner(connection, id).await?;
    if !state.is_bot() {
        turn.record.action = ActionKind::Silent;
        turn.record.reasons.clear();
        insert_turn(connection, &turn.record).await?;
        return Ok(TurnOutcome::Superseded);
    }
    insert_turn(connection, &turn.record).await?;
    save_dialogue(connection, id, &turn.dialogue).await?;
    if let Some(reply) = turn.reply {
        let mut event = NewEvent::new(EventKind::Message, Author::Bot, turn.record.at);
        event.author_name = Some(reply.name);
        event.text = Some(reply.text);
        event.in_reply_to = Some(turn.record.seq);
        event.data = (!reply.data.is_null()).then_some(reply.data);
        insert_event(connection, id, &event).await?;
    }
    if let Some(next) = turn.next.filter(|next| next.state != state) {
        change_state(connection, id, next, turn.record.at).await?;
    }
    Ok(TurnOutcome::Answered)
}

async fn change_state(
    connection: &mut SqliteConnection,
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
    let appended = insert_event(connection, id, &event).await?;
    set_owner(connection, id, next.state, None, at).await?;
    if let Some(reason) = &next.reason {
        sqlx::query("UPDATE conversation SET reason = $2, priority = $3 WHERE id = $1")
            .bind(id)
            .bind(reason)
            .bind(next.priority)
            .execute(&mut *connection)
            .await?;
        if next.state == State::Queued {
            begin_handover(connection, id, appended.seq, reason, at).await?;
        }
    }
    Ok(())
}

async fn insert_turn(connection: &mut SqliteConnection, turn: &TurnRecord) -> Result<()> {
    sqlx::query(
        "INSERT INTO turn (conversation_id, seq, at, source, mood, negative, positive, frustration, intent,
                           action, reasons, trace)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
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
    .execute(connection)
    .await?;
    Ok(())
}
