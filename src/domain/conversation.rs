//! A conversation and who owns it.

use super::column::text_column;
use super::{AgentId, ConversationId, Timestamp, VisitorId};
use serde::{Deserialize, Serialize};

/// Who owns a conversation now. There is exactly one owner at any time, checked inside the
/// transaction that writes a reply, so the bot never talks over a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum State {
    /// The bot answers.
    Bot,
    /// The bot answers and has offered a person.
    Offered,
    /// Waiting for a person.
    Queued,
    /// A person has it.
    Assigned,
    /// Over.
    Closed,
}

text_column!(State);

impl State {
    /// True while the bot may speak.
    #[must_use]
    pub fn is_bot(self) -> bool {
        matches!(self, Self::Bot | Self::Offered)
    }

    /// Whether the transition is one that the product knows.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use State::{Assigned, Bot, Closed, Offered, Queued};
        matches!(
            (self, next),
            (Bot, Offered | Queued | Assigned | Closed)
                | (Offered, Bot | Queued | Assigned | Closed)
                | (Queued, Assigned | Bot | Closed)
                | (Assigned, Queued | Assigned | Bot | Closed)
                // The customer alone goes on with what was closed, or has it erased.
                | (Closed, Bot | Closed)
        )
    }
}

/// One conversation's row.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct Conversation {
    /// Identity.
    pub id: ConversationId,
    /// Whose it is.
    pub visitor_id: VisitorId,
    /// Current owner.
    pub state: State,
    /// The agent who has it, while `state` is `assigned`.
    pub agent_id: Option<AgentId>,
    /// Sequence number of the newest event; 0 for none.
    pub last_seq: i64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When its newest event was written.
    pub updated_at: Timestamp,
    /// When it entered the queue it is or was last in.
    pub queued_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Higher is served first; from the hand-over reason.
    pub priority: i64,
    /// Code of the latest offer or hand-over reason.
    pub reason: Option<String>,
    /// Locale that the widget reported.
    pub locale: Option<String>,
    /// Page that the widget was opened on.
    pub page: Option<String>,
    /// True for a sample conversation of the demo day.
    pub demo: bool,
    /// The newest event that the customer has seen.
    pub customer_read: i64,
    /// When the customer had what was said in it deleted.
    pub erased_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::State::{self, Assigned, Bot, Closed, Offered, Queued};

    #[test]
    fn what_is_closed_goes_on_with_the_bot_alone_and_nobody_skips_the_owner_rules() {
        for next in [Offered, Queued, Assigned] {
            assert!(!Closed.may_become(next));
        }
        assert!(Closed.may_become(Bot));
        assert!(!Queued.may_become(Offered), "a waiting customer is not offered what they have");
        assert!(!Assigned.may_become(Offered));
        assert!(State::Assigned.may_become(Assigned), "transfer to another agent");
    }
}
