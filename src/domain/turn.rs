//! One customer turn as it was read and decided: the stored explanation.

use super::column::text_column;
use super::{ConversationId, Source, Timestamp};
use serde::{Deserialize, Serialize};

/// What was done about a turn. `candor replay` prints these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum ActionKind {
    /// The bot answered.
    Reply,
    /// The bot asked which of two things was meant.
    Clarify,
    /// The bot said that it did not understand.
    Fallback,
    /// The bot offered a person.
    Offer,
    /// The conversation went to a person.
    Handoff,
    /// Nothing was said: a person owns the conversation.
    Silent,
}

impl ActionKind {
    /// Its name in the database, in frames and in figures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Clarify => "clarify",
            Self::Fallback => "fallback",
            Self::Offer => "offer",
            Self::Handoff => "handoff",
            Self::Silent => "silent",
        }
    }
}

text_column!(ActionKind);

/// One reason for an offer or a hand-over, with the figures that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Code from `prompts/handoff.toml`, for example `frustration`.
    pub code: String,
    /// What was compared, for people: `frustration on two turns`.
    pub evidence: String,
    /// The measured value, if the reason is a score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
    /// The threshold it was held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

/// How much one word or phrase of a text carried of its frustration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordWeight {
    /// Its first character, from 0; a character is a Unicode scalar value.
    pub start: u32,
    /// The character after its last one.
    pub end: u32,
    /// Probability of frustration with it less that without it, -1 to 1.
    pub frustration: f32,
}

/// A turn's mood in one word, for lists and filters; derived from the stored scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Mood {
    /// Mostly positive.
    Positive,
    /// Neither.
    Neutral,
    /// Mostly negative, but not frustrated with the service.
    Negative,
    /// Frustrated with the service.
    Frustrated,
}

text_column!(Mood);

/// One customer turn with its reading and its decision, as stored.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct TurnRecord {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Sequence number of the customer's event.
    pub seq: i64,
    /// When the decision was stored.
    pub at: Timestamp,
    /// Model or rules.
    pub source: Source,
    /// Mood in one word.
    pub mood: Mood,
    /// Probability of negative sentiment, 0 to 1.
    pub negative: f64,
    /// Probability of positive sentiment, 0 to 1.
    pub positive: f64,
    /// Probability of frustration, 0 to 1.
    pub frustration: f64,
    /// The accepted intent, if one was.
    pub intent: Option<String>,
    /// What was done.
    pub action: ActionKind,
    /// Reasons of an offer or hand-over; empty otherwise.
    #[sqlx(json)]
    pub reasons: Vec<Reason>,
    /// Everything that the decision saw: scores, thresholds, rules, versions.
    #[sqlx(json)]
    pub trace: serde_json::Value,
    /// What its words carried, where it was looked for and found.
    #[sqlx(json(nullable))]
    pub words: Option<Vec<WordWeight>>,
}
