//! The stored explanation of a decision.
//!
//! ```json
//! { "prompts": "version", "state": "bot", "button": false, "customer": { .. }, "by": "soft_reasons",
//!   "before": { what the bot remembered },
//!   "analysis": { source, version, sentiment, frustration, language, intents, wish: { person, bot }, emotions: strongest first },
//!   "rules": { "checked": 9, "hits": [{ rule, reason, action, words }] }, "cues": ["affirm"],
//!   "heard": { wish: { language, what, words }, foreign: "de" },
//!   "meaning": { "how": "gates", "verdict": "known", "intents": ["delivery_time"] },
//!   "tone": { register, profile, opening: the acknowledgement or null },
//!   "figures": { frustration, added: { shouting, abuse }, weighed, limits, lowered, frustrated_in_a_row, .. },
//!   "would_change": { sufficient, any, all }: see `escalation/changes.rs`,
//!   "thresholds": { policy.toml }, "decided": { action, intent, failed, reasons, reply } }
//! ```
//! A thumbs down has `"rated_low": true` besides. `before`, `state`, `button`, `customer`, `analysis` and `thresholds`, with the text of the event, make the
//! same decision again: `recompute.rs`. Scores are rounded to four digits before anything is decided, so what is
//! stored is exactly what was compared.

use super::escalation::{Changes, Figures};
use super::language::Heard;
use super::prompts::Prompts;
use super::reading::{Meaning, Reading};
use super::rules::Hit;
use super::understanding::Understanding;
use super::{Outcome, Tone, Turn, understand};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, Evidence, Gist, IntentScore, Sentiment, Wish};
use serde_json::{Value, json};

/// Everything seen on the way to a decision.
pub(super) struct Record<'a> {
    pub(super) turn: &'a Turn<'a>,
    pub(super) analysis: &'a Analysis,
    pub(super) prompts: &'a Prompts,
    pub(super) hits: &'a [Hit],
    pub(super) heard: &'a Heard,
    pub(super) reading: &'a Reading,
    pub(super) figures: &'a Figures,
    pub(super) by: &'static str,
    pub(super) tone: &'a Tone,
    pub(super) changes: &'a Changes,
}

impl Record<'_> {
    pub(super) fn trace(&self, outcome: &Outcome) -> Value {
        let (verdict, intents) = match &self.reading.meaning {
            Meaning::Intent(name) => ("known", vec![name.as_str()]),
            Meaning::Either(first, second) => ("ambiguous", vec![first.as_str(), second.as_str()]),
            Meaning::Both(first, second) => ("both", vec![first.as_str(), second.as_str()]),
            Meaning::Neither => ("neither", Vec::new()),
            Meaning::Accept => ("accept", Vec::new()),
            Meaning::Decline(question) => ("decline", question.iter().map(String::as_str).collect()),
            Meaning::Unknown => ("unknown", Vec::new()),
        };
        let mut trace = json!({
            "by": self.by,
            "rules": { "checked": self.prompts.rules().rules.len(), "hits": self.hits },
            "heard": self.heard,
            "cues": self.reading.cues,
            "meaning": { "how": self.reading.how, "verdict": verdict, "intents": intents },
            "gates": name_of(&self.reading.understanding),
            "figures": self.figures,
            "tone": self.tone.trace(),
            "would_change": self.changes,
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
    let mut inputs = read(turn, analysis, prompts);
    if turn.rated_low {
        inputs["rated_low"] = true.into();
    }
    inputs
}

fn read(turn: &Turn<'_>, analysis: &Analysis, prompts: &Prompts) -> Value {
    let mut emotions: Vec<(&str, f32)> = EMOTIONS.iter().copied().zip(analysis.emotions.iter().copied()).collect();
    emotions.sort_by(|a, b| b.1.total_cmp(&a.1));
    json!({
        "prompts": prompts.version(),
        "state": turn.state,
        "button": turn.button,
        "customer": turn.customer,
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
            "wish": analysis.wish,
            "alone": analysis.evidence.as_ref().map(|seen| seen.alone),
            "gist": analysis.evidence.as_ref().map(|seen| Gist::new(&seen.meaning)),
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
        wish: analysis.wish.map(|wish| Wish { person: round(wish.person), bot: round(wish.bot) }),
        // What is remembered of it is rounded as well, so that it can be stored.
        evidence: analysis.evidence.as_ref().map(|seen| Evidence { alone: round(seen.alone), ..seen.clone() }),
    }
}

fn rounded_score(score: &IntentScore) -> IntentScore {
    IntentScore { name: score.name.clone(), probability: round(score.probability), similarity: round(score.similarity) }
}
