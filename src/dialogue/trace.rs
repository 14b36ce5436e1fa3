//! The stored explanation of a decision.
//!
//! ```json
//! { "prompts": "version", "state": "bot", "button": false, "by": "soft_reasons",
//!   "before": { what the bot remembered },
//!   "analysis": { source, version, sentiment, frustration, language, intents, emotions: strongest first },
//!   "rules": { "checked": 9, "hits": [{ rule, reason, action, words }] }, "cues": ["affirm"],
//!   "meaning": { "how": "gates", "verdict": "known", "intents": ["delivery_time"] },
//!   "figures": { frustration, frustrated_in_a_row, rise, failures_in_a_row, rest, .. },
//!   "thresholds": { policy.toml }, "decided": { action, intent, failed, reasons, reply } }
//! ```
//! `before`, `state`, `button`, `analysis` and `thresholds`, with the text of the event, make the
//! same decision again. Scores are rounded to four digits before anything is decided, so what is
//! stored is exactly what was compared.

use super::escalation::Figures;
use super::prompts::Prompts;
use super::reading::{Meaning, Reading};
use super::rules::Hit;
use super::understanding::Understanding;
use super::{Outcome, Turn, understand};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, IntentScore, Sentiment};
use serde_json::{Value, json};

/// Everything seen on the way to a decision.
pub(super) struct Record<'a> {
    pub(super) turn: &'a Turn<'a>,
    pub(super) analysis: &'a Analysis,
    pub(super) prompts: &'a Prompts,
    pub(super) hits: &'a [Hit],
    pub(super) reading: &'a Reading,
    pub(super) figures: &'a Figures,
    pub(super) by: &'static str,
}

impl Record<'_> {
    pub(super) fn trace(&self, outcome: &Outcome) -> Value {
        let (verdict, intents) = match &self.reading.meaning {
            Meaning::Intent(name) => ("known", vec![name.as_str()]),
            Meaning::Either(first, second) => ("ambiguous", vec![first.as_str(), second.as_str()]),
            Meaning::Neither => ("neither", Vec::new()),
            Meaning::Accept => ("accept", Vec::new()),
            Meaning::Decline(question) => ("decline", question.iter().map(String::as_str).collect()),
            Meaning::Unknown => ("unknown", Vec::new()),
        };
        let mut trace = json!({
            "by": self.by,
            "rules": { "checked": self.prompts.rules().rules.len(), "hits": self.hits },
            "cues": self.reading.cues,
            "meaning": { "how": self.reading.how, "verdict": verdict, "intents": intents },
            "gates": name_of(&self.reading.understanding),
            "figures": self.figures,
            "decided": {
                "action": outcome.candidate.action,
                "intent": outcome.candidate.intent,
                "failed": outcome.candidate.failed,
                "reasons": outcome.reasons,
                "reply": outcome.candidate.reply,
            },
        });
        merge(&mut trace, inputs(self.turn, self.analysis, self.prompts));
        tidy(&mut trace);
        trace
    }
}

/// The trace of a turn that a person owns: read, not decided.
pub(super) fn silent(turn: &Turn<'_>, analysis: &Analysis, prompts: &Prompts) -> Value {
    let mut trace = json!({
        "by": "owner",
        "gates": name_of(&understand(analysis, prompts.policy())),
    });
    merge(&mut trace, inputs(turn, analysis, prompts));
    tidy(&mut trace);
    trace
}

fn inputs(turn: &Turn<'_>, analysis: &Analysis, prompts: &Prompts) -> Value {
    let mut emotions: Vec<(&str, f32)> = EMOTIONS.iter().copied().zip(analysis.emotions.iter().copied()).collect();
    emotions.sort_by(|a, b| b.1.total_cmp(&a.1));
    json!({
        "prompts": prompts.version(),
        "state": turn.state,
        "button": turn.button,
        "before": turn.before,
        "analysis": {
            "source": analysis.source,
            "version": analysis.version,
            "sentiment": analysis.sentiment,
            "frustration": analysis.frustration,
            "supported": analysis.supported,
            "trust": analysis.trust,
            "language": analysis.language,
            "intents": analysis.intents,
            "sentences": analysis.sentences,
            "emotions": emotions.iter().map(|(name, score)| json!({"name": name, "probability": score})).collect::<Vec<_>>(),
        },
        "thresholds": prompts.policy(),
    })
}

fn name_of(understanding: &Understanding) -> &'static str {
    match understanding {
        Understanding::Known(_) => "known",
        Understanding::Ambiguous(..) => "ambiguous",
        Understanding::Unknown => "unknown",
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// An f32 becomes an f64 with a tail of digits that nobody measured; four are kept.
fn tidy(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64() {
                *value = json!((float * DIGITS).round() / DIGITS);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => fields.values_mut().for_each(tidy),
        _ => {}
    }
}

const DIGITS: f64 = 10_000.0;

/// A score cut to the digits that are stored. What is no number counts as zero, so that a damaged
/// model can make no one angry.
pub(super) fn round(score: f32) -> f32 {
    let rounded = (f64::from(score) * DIGITS).round() / DIGITS;
    if rounded.is_finite() { rounded as f32 } else { 0.0 }
}

/// The analysis with its scores cut to the digits that are stored.
pub(super) fn rounded(analysis: &Analysis) -> Analysis {
    let Sentiment { negative, neutral, positive } = analysis.sentiment;
    Analysis {
        source: analysis.source,
        version: analysis.version.clone(),
        sentiment: Sentiment { negative: round(negative), neutral: round(neutral), positive: round(positive) },
        emotions: analysis.emotions.iter().copied().map(round).collect(),
        frustration: round(analysis.frustration),
        language: analysis.language.clone(),
        intents: analysis.intents.iter().map(rounded_score).collect(),
        trust: round(analysis.trust),
        supported: analysis.supported,
        sentences: analysis.sentences.iter().map(|sentence| sentence.iter().map(rounded_score).collect()).collect(),
        evidence: analysis.evidence.clone(),
    }
}

fn rounded_score(score: &IntentScore) -> IntentScore {
    IntentScore { name: score.name.clone(), probability: round(score.probability), similarity: round(score.similarity) }
}
