//! Follows the log of every conversation and holds each change of owner against the rules of `domain::State`.

use super::verification::{Finding, MOST};
use crate::domain::{ConversationId, State};
use crate::store::Result;
use serde_json::Value;
use sqlx::SqliteConnection;
use sqlx::types::Json;

/// Changes that are read together.
const PAGE: i64 = 10_000;
/// Before every id.
const FIRST: ConversationId = ConversationId(uuid::Uuid::nil());

type Change = (ConversationId, i64, Option<Json<Value>>, State);

/// The changes that no state allows, and the conversations whose state is not the one that their log ends with.
pub(super) async fn illegal(connection: &mut SqliteConnection) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut cursor = (FIRST, 0);
    let mut followed = Follow { conversation: FIRST, seq: 0, state: State::Bot, row: State::Bot };
    loop {
        let page: Vec<Change> = sqlx::query_as(
            "SELECT e.conversation_id, e.seq, e.data, c.state FROM event e JOIN conversation c ON c.id = e.conversation_id
             WHERE e.kind = 'state' AND (e.conversation_id > $1 OR (e.conversation_id = $1 AND e.seq > $2))
             ORDER BY e.conversation_id, e.seq LIMIT $3",
        )
        .bind(cursor.0)
        .bind(cursor.1)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
        let Some((conversation, seq, ..)) = page.last() else { break };
        cursor = (*conversation, *seq);
        for change in page {
            findings.extend(followed.step(change));
        }
    }
    findings.extend(followed.end());
    let untouched: Vec<(ConversationId, i64)> = sqlx::query_as(
        "SELECT c.id, c.last_seq FROM conversation c WHERE c.state <> 'bot' AND NOT EXISTS
            (SELECT 1 FROM event e WHERE e.conversation_id = c.id AND e.kind = 'state') LIMIT $1",
    )
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    findings.extend(untouched.into_iter().map(|(conversation, seq)| end_differs(conversation, seq)));
    findings.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
    Ok(findings)
}

/// One conversation on the way through its log.
struct Follow {
    conversation: ConversationId,
    seq: i64,
    state: State,
    /// The state that its row has.
    row: State,
}

impl Follow {
    fn step(&mut self, (conversation, seq, data, row): Change) -> Vec<Finding> {
        let mut findings = Vec::new();
        if conversation != self.conversation {
            findings.extend(self.end());
            *self = Self { conversation, seq, state: State::Bot, row };
        }
        self.seq = seq;
        let next = data.and_then(|Json(data)| serde_json::from_value(data.get("state")?.clone()).ok());
        match next {
            Some(next) if self.state.may_become(next) => self.state = next,
            next => {
                findings.push(Finding {
                    check: "transition",
                    about: "the log has a change of owner that is not possible",
                    conversation: Some(conversation),
                    seq: Some(seq),
                    detail: None,
                });
                self.state = next.unwrap_or(self.state);
            }
        }
        findings
    }

    fn end(&self) -> Option<Finding> {
        (self.state != self.row).then(|| end_differs(self.conversation, self.seq))
    }
}

fn end_differs(conversation: ConversationId, seq: i64) -> Finding {
    Finding {
        check: "state",
        about: "the state is not the one that the log ends with",
        conversation: Some(conversation),
        seq: Some(seq),
        detail: None,
    }
}
