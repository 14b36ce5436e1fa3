//! What the model (or the rules that stand in for it) read in one piece of text.

use super::column::text_column;
use serde::{Deserialize, Serialize};

/// The 28 GoEmotions labels (Demszky et al., 2020), in the order of the data set's label file,
/// which is the order of [`Analysis::emotions`].
pub const EMOTIONS: [&str; 28] = [
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
];

/// Who produced an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Encode, sqlx::Decode)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Source {
    /// The transformer.
    Model,
    /// Keyword rules: the model was missing, late, overloaded or failed.
    Rules,
}

text_column!(Source);

/// Probabilities of the three polarities; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sentiment {
    /// Probability that the text is negative, 0 to 1.
    pub negative: f32,
    /// Probability that the text is neutral, 0 to 1.
    pub neutral: f32,
    /// Probability that the text is positive, 0 to 1.
    pub positive: f32,
}

/// What stands for messages that mean none of the intents; no intent has this name.
pub const OTHER: &str = "other";

/// How well one intent fits a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentScore {
    /// The intent's name in `prompts/`.
    pub name: String,
    /// The classifier's probability among all intents, 0 to 1.
    pub probability: f32,
    /// Cosine similarity to the intent's nearest example phrase, -1 to 1. Low for every intent
    /// when a text is about something else altogether. Rules put word overlap (0 to 1) here.
    pub similarity: f32,
}

/// How likely two things are that customers say in any language.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// Probability that a person is asked for, 0 to 1.
    pub person: f32,
    /// Probability that it is asked whether a machine is talking, and nobody is asked for, 0 to 1.
    pub bot: f32,
}

/// One text, read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Model or rules.
    pub source: Source,
    /// Version of the weights, or of the rules: stored with every decision.
    pub version: String,
    /// Polarity.
    pub sentiment: Sentiment,
    /// Probability of each of [`EMOTIONS`], independent of one another, 0 to 1.
    pub emotions: Vec<f32>,
    /// Probability that the writer is frustrated with the service (not merely reporting a
    /// problem), 0 to 1: from this text alone, until it is read in its conversation.
    pub frustration: f32,
    /// ISO 639-1 code, or none where the text is too short to tell.
    pub language: Option<String>,
    /// Whether the text is in a language that the reading was made for, as far as it can be told.
    /// If not, mood and frustration are neutral: not guessed.
    pub supported: bool,
    /// The best-fitting intents, best first, at most eight. Whether the best is good enough is
    /// the dialogue's decision, not the model's.
    pub intents: Vec<IntentScore>,
    /// Probability that the first of them is meant, 0 to 1; low as well where the text is about
    /// something else. Rules give 0.
    pub trust: f32,
    /// The same for each sentence by itself, in order; empty where the text is a single one. A
    /// story around a question can hide it from a reading of the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<Vec<IntentScore>>,
    /// The wish for a person and the question about the bot, whatever the language; none where no reader
    /// of them is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// What a reading in context starts from; none from rules.
    #[serde(skip)]
    pub evidence: Option<Evidence>,
}

/// What the model saw in a text, for reading it in its conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Score (logit) of the frustration head.
    pub score: f32,
    /// Visible cues, each 0 to 1.
    pub cues: Vec<f32>,
    /// Embedding of length 1.
    pub meaning: Vec<f32>,
    /// Probability of frustration from the text alone, 0 to 1.
    pub alone: f32,
}

impl Analysis {
    /// The same reading without anything about mood: neutral, without emotion, frustration or evidence of it.
    #[must_use]
    pub fn without_mood(self) -> Self {
        let Self { sentiment, emotions, frustration, evidence, .. } = Self::unread();
        Self { sentiment, emotions, frustration, evidence, ..self }
    }

    /// The reading of something that is no text, such as the press of a button: neutral, and said
    /// to be by rules.
    #[must_use]
    pub fn unread() -> Self {
        Self {
            source: Source::Rules,
            version: "unread".to_owned(),
            sentiment: Sentiment { negative: 0.0, neutral: 1.0, positive: 0.0 },
            emotions: vec![0.0; EMOTIONS.len()],
            frustration: 0.0,
            language: None,
            supported: true,
            intents: Vec::new(),
            trust: 0.0,
            sentences: Vec::new(),
            wish: None,
            evidence: None,
        }
    }
}
