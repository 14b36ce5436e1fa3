//! Changes of owner by people: claim, give back, transfer, close. The rule that a conversation has
//! one owner is held here, inside the transaction.

use super::database::Connection;
use super::events::{Guard, NewEvent, insert_event, owner};
use super::handovers::{NewHandover, begin_handover};
use super::sql::sql;
use super::{Appended, Error, Result, Store};
use crate::domain::{AgentId, Author, ConversationId, EventKind, State, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::types::Json;
use uuid::Uuid;

/// A change of owner.
#[derive(Clone, Debug)]
pub enum Change {
    /// An agent takes it from the queue, or over from the bot.
    Claim {
        /// Who takes it.
        agent: AgentId,
        /// The name that the customer sees.
        name: String,
        /// A colleague from whom it may be taken, because they are gone.
        from: Option<AgentId>,
    },
    /// The agent puts it back into the queue.
    Release {
        /// Who has it.
        agent: AgentId,
        /// The wait that begins with it.
        handover: NewHandover,
    },
    /// The agent hands it to a colleague.
    Transfer {
        /// Who has it.
        from: AgentId,
        /// Who gets it.
        to: AgentId,
        /// The name that the customer sees.
        name: String,
    },
    /// The agent gives it back to the bot.
    ReturnToBot {
        /// Who has it.
        agent: AgentId,
        /// The bot's memory from now on (JSON).
        dialogue: Value,
        /// Version of the notice that a bot answers, which is said with it.
        disclosure: String,
    },
    /// The agent who has it ends it.
    Close {
        /// Who has it.
        agent: AgentId,
        /// Which survey follows.
        survey: Option<NextSurvey>,
    },
    /// The customer ends it.
    End {
        /// Which survey follows.
        survey: Option<NextSurvey>,
    },
    /// The customer goes on with a closed one.
    Reopen {
        /// Version of the notice that a bot answers, which is said with it.
        disclosure: String,
    },
}

/// The survey that is asked at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextSurvey {
    /// `csat`, `ces` or `nps`.
    pub kind: &'static str,
    /// What is asked.
    pub question: String,
}

impl Store {
    /// Carries out a change of owner and appends the state event. `text` is what the customer
    /// reads about it.
    ///
    /// # Errors
    /// `NotFound`; `NotOwner` if somebody else has it or its state does not allow the change.
    pub async fn change_owner(
        &self,
        conversation: ConversationId,
        change: Change,
        text: Option<String>,
        at: Timestamp,
    ) -> Result<Appended> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move { apply(&mut connection, conversation, change, text, None, at).await })
            })
            .await
    }
}

/// `client_id` is the id under which a customer asked for it.
pub(super) async fn apply(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    change: Change,
    text: Option<String>,
    client_id: Option<Uuid>,
    at: Timestamp,
) -> Result<Appended> {
    let (state, held_by) = owner(connection, conversation).await?;
    let actor = match &change {
        Change::Claim { agent, .. } => Some(*agent),
        Change::Release { agent, .. }
        | Change::ReturnToBot { agent, .. }
        | Change::Close { agent, .. }
        | Change::Transfer { from: agent, .. } => {
            if state != State::Assigned || held_by != Some(*agent) {
                return Err(Error::NotOwner);
            }
            Some(*agent)
        }
        Change::End { .. } if state == State::Closed => return Err(Error::Closed),
        Change::Reopen { .. } if state != State::Closed => return Err(Error::NotOwner),
        Change::End { .. } | Change::Reopen { .. } => None,
    };
    let (next, holder) = match &change {
        // Two agents may press "claim" at the same moment: the second finds it assigned.
        Change::Claim { from, .. } if state == State::Assigned && (from.is_none() || held_by != *from) => {
            return Err(Error::NotOwner);
        }
        Change::Claim { agent, .. } | Change::Transfer { to: agent, .. } => (State::Assigned, Some(*agent)),
        Change::Release { .. } => (State::Queued, None),
        Change::ReturnToBot { .. } | Change::Reopen { .. } => (State::Bot, None),
        Change::Close { .. } | Change::End { .. } => (State::Closed, None),
    };
    // What an agent does with a closed one is refused as what somebody else has is.
    if !state.may_become(next) {
        return Err(Error::NotOwner);
    }
    let mut data = Map::from_iter([("state".to_owned(), json!(next))]);
    if let Some(text) = text {
        data.insert("reason_text".to_owned(), json!(text));
    }
    if let Change::Claim { name, .. } | Change::Transfer { name, .. } = &change {
        data.insert("agent".to_owned(), json!({ "name": name }));
    }
    if let Change::ReturnToBot { disclosure, .. } | Change::Reopen { disclosure } = &change {
        data.insert("disclosure".to_owned(), json!(disclosure));
    }
    if let Change::Close { survey: Some(survey), .. } | Change::End { survey: Some(survey) } = &change {
        data.insert("survey".to_owned(), json!(survey));
    }
    match &change {
        Change::End { .. } => data.insert("reason".to_owned(), json!("ended")),
        Change::Reopen { .. } => data.insert("reason".to_owned(), json!("reopened")),
        _ => None,
    };
    let author = if actor.is_some() { Author::System } else { Author::Customer };
    let mut event = NewEvent::new(EventKind::State, author, at);
    event.author_id = actor.map(|agent| agent.0);
    event.client_id = client_id;
    event.data = Some(Value::Object(data));
    let appended = insert_event(connection, conversation, Guard::Exists, &event).await?;
    set_owner(connection, conversation, next, holder, at).await?;
    match change {
        Change::Claim { agent, .. } => {
            if state.is_bot() {
                let taken = NewHandover::default();
                begin_handover(connection, conversation, appended.seq, "agent", at, &taken).await?;
            }
            claim_handover(connection, conversation, agent, at).await?;
        }
        Change::Release { handover, .. } => {
            let reason: Option<String> = connection
                .query(sql!("SELECT reason FROM conversation WHERE id = $1"))
                .bind(conversation)
                .scalar()
                .await?;
            let reason = reason.as_deref().unwrap_or("agent");
            begin_handover(connection, conversation, appended.seq, reason, at, &handover).await?;
        }
        Change::ReturnToBot { dialogue, .. } => save_dialogue(connection, conversation, &dialogue).await?,
        Change::Close { survey: Some(survey), .. } | Change::End { survey: Some(survey) } => {
            connection
                .query(sql!("UPDATE conversation SET survey = $2 WHERE id = $1"))
                .bind(conversation)
                .bind(survey.kind)
                .execute()
                .await?;
        }
        Change::Transfer { .. } | Change::Close { .. } | Change::End { .. } | Change::Reopen { .. } => {}
    }
    Ok(appended)
}

/// Writes the owner; entering the queue keeps an earlier place in it.
pub(super) async fn set_owner(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    state: State,
    agent: Option<AgentId>,
    at: Timestamp,
) -> Result<()> {
    connection
        .query(sql!(
            "UPDATE conversation SET state = $2, agent_id = $3,
            queued_at = CASE WHEN $2 = 'queued' THEN COALESCE(queued_at, $4)
                             WHEN $2 = 'bot' THEN NULL ELSE queued_at END,
            closed_at = CASE WHEN $2 = 'closed' THEN $4 END
         WHERE id = $1"
        ))
        .bind(conversation)
        .bind(state)
        .bind(agent)
        .bind(at)
        .execute()
        .await?;
    Ok(())
}

async fn claim_handover(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    agent: AgentId,
    at: Timestamp,
) -> Result<()> {
    connection
        .query(sql!(
            "UPDATE handover SET claimed_at = $2, agent_id = $3 WHERE conversation_id = $1 AND claimed_at IS NULL"
        ))
        .bind(conversation)
        .bind(at)
        .bind(agent)
        .execute()
        .await?;
    Ok(())
}

/// Writes the bot's memory of the dialogue.
pub(super) async fn save_dialogue(
    connection: &mut Connection<'_>,
    conversation: ConversationId,
    dialogue: &Value,
) -> Result<()> {
    connection
        .query(sql!("UPDATE conversation SET dialogue = $2 WHERE id = $1"))
        .bind(conversation)
        .bind(Json(dialogue))
        .execute()
        .await?;
    Ok(())
}
