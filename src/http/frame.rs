//! The wire protocol, version 1: every frame of both sockets, the error codes and the close codes.
//! The public description is docs/protocol.md; snapshots in the tests show any change.

use crate::chat::desk::{Card, Wait};
use crate::chat::presence::Colleague;
use crate::chat::visitor::Survey;
use crate::dialogue::Summary;
use crate::dialogue::prompts::PreChat;
use crate::domain::{
    ActionKind, Agent, AgentId, Author, ConversationId, Event, EventKind, Invitation, Mood, Presence, Reason, Source,
    State, Timestamp, TurnRecord, Visibility, WordWeight,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Subprotocol of the customer socket.
pub(super) const CHAT_PROTOCOL: &str = "candor.v1";
/// Subprotocol of the desk socket.
pub(super) const DESK_PROTOCOL: &str = "candor.desk.v1";

/// Close codes, with the reason that goes with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// A frame that is not text.
    NotText,
    /// A frame that is not valid UTF-8.
    NotUtf8,
    /// A frame over the size limit.
    TooLarge,
    /// The server stops; come back when the `restarting` frame before it says.
    Restarting,
    /// The client sent nothing for longer than two pings.
    Silent,
    /// The first frame was not `hello`, or came too late.
    HelloMissing,
    /// The session ended, or its rights changed.
    NotAllowed,
    /// The client does not read what is sent to it.
    SlowReader,
}

impl Close {
    /// Code and reason as they are sent.
    #[must_use]
    pub(super) fn frame(self) -> (u16, &'static str) {
        match self {
            Self::Silent => (1001, "nothing was heard"),
            Self::NotText => (1003, "only text frames"),
            Self::NotUtf8 => (1007, "text frames are UTF-8"),
            Self::TooLarge => (1009, "frame too large"),
            Self::Restarting => (1012, "restarting"),
            Self::HelloMissing => (4001, "hello missing"),
            Self::NotAllowed => (4003, "not allowed"),
            Self::SlowReader => (4008, "slow reader"),
        }
    }
}

/// Codes of `error` frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorCode {
    /// Not JSON, an unknown type, a missing, extra or wrong field.
    BadFrame,
    /// The message is longer than 4,000 characters.
    TooLong,
    /// The message has nothing visible in it.
    Empty,
    /// A value is out of its range.
    Invalid,
    /// Too many messages in a short time.
    RateLimited,
    /// The id was used before for something else.
    Conflict,
    /// Somebody else has the conversation, or its state does not allow this.
    Forbidden,
    /// There is no such conversation.
    NotFound,
    /// The conversation is closed.
    Closed,
    /// The signed word on who the customer is was not taken; the chat goes on without it.
    Identity,
    /// The business lets only those in for whom it has signed.
    IdentityRequired,
    /// Something failed on our side; the frame may be sent again.
    Internal,
}

/// What a customer's client sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ClientFrame {
    /// First frame.
    Hello(Hello),
    /// A message.
    Say {
        /// Idempotency key.
        id: Uuid,
        /// The message.
        text: String,
    },
    /// The button for a person.
    Human {
        /// Idempotency key.
        id: Uuid,
    },
    /// The customer is typing. Carries no text that was not sent.
    Typing {},
    /// A survey answer.
    Rate {
        /// Idempotency key.
        id: Uuid,
        /// Which survey.
        kind: Survey,
        /// The answer.
        score: i64,
        /// A sentence of the customer's own.
        comment: Option<String>,
    },
    /// Thumbs on one bot answer.
    Feedback {
        /// Idempotency key.
        id: Uuid,
        /// The answer.
        seq: i64,
        /// Up or down.
        helpful: bool,
    },
    /// A message left while nobody is there.
    Leave {
        /// Idempotency key.
        id: Uuid,
        /// Where to answer.
        email: Option<String>,
        /// The message.
        text: String,
    },
    /// Ends the conversation.
    End {
        /// Idempotency key.
        id: Uuid,
    },
    /// Goes on with it after its end.
    Reopen {
        /// Idempotency key.
        id: Uuid,
    },
    /// Deletes what was said in it.
    Erase {
        /// Idempotency key.
        id: Uuid,
    },
    /// Stops or allows the reading of mood.
    Analysis {
        /// Idempotency key.
        id: Uuid,
        /// Whether it is allowed.
        allowed: bool,
    },
    /// Answers to what is asked before the first message.
    PreChat {
        /// Idempotency key.
        id: Uuid,
        /// By the names of the questions.
        answers: BTreeMap<String, String>,
    },
    /// Read mark.
    Read {
        /// Everything up to here was seen.
        seq: i64,
    },
    /// Sign of life.
    Ping {
        /// The last event that the client has.
        seq: Option<i64>,
    },
}

impl ClientFrame {
    /// The idempotency key of a frame that is stored.
    pub(super) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Say { id, .. }
            | Self::Human { id }
            | Self::Rate { id, .. }
            | Self::Feedback { id, .. }
            | Self::Leave { id, .. }
            | Self::End { id }
            | Self::Reopen { id }
            | Self::Erase { id }
            | Self::Analysis { id, .. }
            | Self::PreChat { id, .. } => Some(*id),
            Self::Hello(_) | Self::Typing {} | Self::Read { .. } | Self::Ping { .. } => None,
        }
    }
}

/// A customer's first frame.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    /// Which site; `default` on a single-site server.
    pub site: String,
    /// Token of an earlier visit.
    pub token: Option<String>,
    /// The conversation to continue.
    pub conversation: Option<ConversationId>,
    /// The last event that the client has.
    pub after: Option<i64>,
    /// The history that `after` belongs to.
    pub epoch: Option<String>,
    /// Browser locale.
    pub locale: Option<String>,
    /// Address of the page.
    pub page: Option<String>,
    /// The business's signed word on who this is.
    pub identity: Option<String>,
    /// Start a new conversation though there is an old one.
    #[serde(default)]
    pub fresh: bool,
    /// The invitation that was due on the page.
    pub invitation: Option<Invitation>,
}

/// What a desk sends. Operations carry an `id`, which their `ack` or `error` repeats.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum DeskFrame {
    /// First frame.
    Hello {
        /// What the agent had said of themselves, when a desk comes back.
        status: Option<Presence>,
    },
    /// Look at a conversation: its log, then what is added to it.
    Open { id: Uuid, conversation: ConversationId, after: Option<i64> },
    /// Stop looking.
    Shut { id: Uuid, conversation: ConversationId },
    /// Take it.
    Claim { id: Uuid, conversation: ConversationId },
    /// Put it back into the queue.
    Release { id: Uuid, conversation: ConversationId },
    /// Hand it to a colleague.
    Transfer { id: Uuid, conversation: ConversationId, agent: AgentId },
    /// Answer the customer.
    Say { id: Uuid, conversation: ConversationId, text: String },
    /// Write a note that the customer never sees.
    Note { id: Uuid, conversation: ConversationId, text: String },
    /// Give it back to the bot.
    ReturnToBot { id: Uuid, conversation: ConversationId },
    /// End it.
    Close { id: Uuid, conversation: ConversationId },
    /// Take new conversations or not.
    Status { id: Uuid, status: Presence },
    /// The agent is typing.
    Typing { conversation: ConversationId },
    /// Sign of life.
    Ping {
        /// The version that the desk has.
        version: Option<u64>,
    },
}

/// What both sockets send. Events are built by [`event`], because their fields depend on the kind.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerFrame<'a> {
    /// Answer to a customer's hello.
    Welcome {
        conversation: ConversationId,
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<&'a str>,
        epoch: &'a str,
        seq: i64,
        state: State,
        disclosure: Disclosure<'a>,
        open: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        wait: Option<Wait>,
        business: &'a str,
        bot_name: &'a str,
        greeting: &'a str,
        rate: &'a str,
        /// Mood is read in what this customer writes.
        analysis: bool,
        /// Customers may delete what was said.
        erase: bool,
        /// They may attach files of so many bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        attachments: Option<usize>,
        /// What is asked before the first message; not there once something was said.
        #[serde(skip_serializing_if = "Option::is_none")]
        pre_chat: Option<&'a PreChat>,
    },
    /// Answer to a desk's hello.
    Snapshot { version: u64, me: Me<'a>, cards: Vec<Card>, agents: Vec<Colleague>, epoch: &'a str, demo: bool },
    /// A card is new or has changed.
    Card { version: u64, card: Card },
    /// A card leaves the desk.
    Gone { version: u64, conversation: ConversationId },
    /// Who is at the desk.
    Agents { version: u64, agents: Vec<Colleague> },
    /// The reading of and decision about one customer turn (staff only).
    Turn(Turn<'a>),
    /// Everything that was asked for with `open` has been sent.
    Opened { conversation: ConversationId, seq: i64, facts: Facts<'a>, reads: Reads },
    /// What a person has to know of an open conversation.
    Summary {
        conversation: ConversationId,
        #[serde(flatten)]
        summary: Box<Summary>,
    },
    /// It is durable.
    Ack {
        id: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<i64>,
        at: Timestamp,
    },
    /// Everything up to here has been sent.
    Resumed { seq: i64 },
    /// Forget what you hold; what follows begins after `after`.
    Reset {
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<i64>,
    },
    /// Place in the queue now.
    Position {
        position: i64,
        open: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        wait: Option<Wait>,
        #[serde(skip_serializing_if = "Option::is_none")]
        back_at: Option<Timestamp>,
    },
    /// Somebody is typing.
    Typing {
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        from: From<'a>,
    },
    /// Answer to a ping, with the newest sequence number, or the desk's version.
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
    /// Over the high-water mark: try again.
    Busy {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Uuid>,
        retry_after_ms: u64,
    },
    /// The server stops, and closes the socket next: come back after this time, which is another one for each socket.
    Restarting { retry_after_ms: u64 },
    /// Something was refused.
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Uuid>,
        code: ErrorCode,
        message: &'a str,
        /// Of `rate_limited`: when there is room for one more.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

/// The notice that a bot answers.
#[derive(Debug, Serialize)]
pub(super) struct Disclosure<'a> {
    /// Shown in full before the first message.
    pub text: &'a str,
    /// Logged when shown.
    pub version: &'a str,
}

/// What the customer's browser said about itself.
#[derive(Debug, Serialize)]
pub(super) struct Facts<'a> {
    pub(super) locale: Option<&'a str>,
    pub(super) page: Option<&'a str>,
    pub(super) created_at: Timestamp,
}

/// How far the customer has read.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Reads {
    pub(super) customer: i64,
}

/// The signed-in agent.
#[derive(Debug, Serialize)]
pub(super) struct Me<'a> {
    #[serde(flatten)]
    pub agent: &'a Agent,
    pub status: Presence,
}

/// Who something comes from.
#[derive(Debug, Serialize)]
pub(super) struct From<'a> {
    pub role: Author,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
}

/// One turn as staff see it.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    pub conversation: ConversationId,
    pub seq: i64,
    pub at: Timestamp,
    pub source: Source,
    pub mood: Mood,
    pub negative: f64,
    pub positive: f64,
    pub frustration: f64,
    pub intent: Option<&'a str>,
    pub action: ActionKind,
    pub reasons: &'a [Reason],
    pub trace: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<&'a [WordWeight]>,
}

impl<'a> std::convert::From<&'a TurnRecord> for Turn<'a> {
    fn from(turn: &'a TurnRecord) -> Self {
        Self {
            conversation: turn.conversation_id,
            seq: turn.seq,
            at: turn.at,
            source: turn.source,
            mood: turn.mood,
            negative: turn.negative,
            positive: turn.positive,
            frustration: turn.frustration,
            intent: turn.intent.as_deref(),
            action: turn.action,
            reasons: &turn.reasons,
            trace: &turn.trace,
            words: turn.words.as_deref(),
        }
    }
}

/// Who reads an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The customer.
    Customer,
    /// Staff.
    Staff,
}

/// An `event` frame as this reader may see it: the customer gets only the place of an entry among
/// staff, so that their log has no gap.
#[must_use]
pub(super) fn event(event: &Event, reader: Reader) -> Value {
    let mut frame = Map::new();
    frame.insert("type".to_owned(), json!("event"));
    frame.insert("seq".to_owned(), json!(event.seq));
    if reader == Reader::Staff {
        frame.insert("conversation".to_owned(), json!(event.conversation_id));
    } else if event.visibility == Visibility::Staff {
        frame.insert("kind".to_owned(), json!("hidden"));
        return Value::Object(frame);
    }
    frame.insert("at".to_owned(), json!(event.at));
    frame.insert("kind".to_owned(), json!(event.kind));
    frame.insert("from".to_owned(), json!(From { role: event.author, name: event.author_name.as_deref() }));
    if let Some(text) = &event.text {
        frame.insert("text".to_owned(), json!(text));
    }
    if let Some(id) = event.client_id.filter(|_| event.kind == EventKind::Message || reader == Reader::Staff) {
        frame.insert("id".to_owned(), json!(id));
    }
    // A kind's own fields stand beside the common ones; none of them may replace one.
    let own = event.data.as_ref().and_then(Value::as_object).into_iter().flatten();
    for (name, value) in own {
        // `kind` of a rating is the survey.
        let name = if name == "kind" { "survey" } else { name.as_str() };
        // What a bot message was made of is for the desk.
        if name == "said" && reader == Reader::Customer {
            continue;
        }
        frame.entry(name).or_insert_with(|| value.clone());
    }
    Value::Object(frame)
}

#[cfg(test)]
mod tests;
