//! Frustration in its context: a logistic regression over the reading of the text and what the
//! conversation shows, with weights that stand in the model folder's `config.json` for everybody
//! to read.
//!
//! A curt "no" says little by itself and much after three wrong answers. The weights are fitted on
//! the tuning dialogues, which also calibrates the probability. Knows nothing about tokens, layers
//! or what is done with the probability.

use super::heads::{dot, sigmoid};
use super::surface::CUES;
use crate::domain::{Analysis, Context};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Evidence beside the visible cues of the text, each from 0 to 1 except `text`, which is the text
/// head's score (a logit).
pub(crate) const EVIDENCE: [&str; 6] = [
    "text",
    // Probability that the turn before was frustrated, read alone.
    "previous",
    // The highest such probability of the earlier turns.
    "highest",
    // How near this turn's meaning is to an earlier turn of the customer's: 0 below a cosine of
    // 0.5, 1 for the same.
    "repeats",
    // 1 if the bot's last answer missed: it did not understand, or said the same again.
    "bot_missed",
    // Earlier turns of the customer, 1 from the fifth on.
    "turns",
];

/// Earlier turns beyond this count no more.
const TURNS: f32 = 5.0;
/// Cosine below which two turns are no repetition.
const UNLIKE: f32 = 0.5;

/// The fitted weights; one for each of [`EVIDENCE`] and of the visible cues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextModel {
    /// Score without any evidence.
    pub(crate) bias: f32,
    /// Weight by name of the evidence.
    pub(crate) weights: BTreeMap<String, f32>,
}

impl Default for ContextModel {
    /// The text's score as it is.
    fn default() -> Self {
        let named = |name: &&str| ((*name).to_owned(), f32::from(u8::from(*name == "text")));
        Self { bias: 0.0, weights: names().map(|name| named(&name)).collect() }
    }
}

/// All names of evidence, in the order of [`evidence`].
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    EVIDENCE.into_iter().chain(CUES)
}

impl ContextModel {
    /// Whether it has a finite weight for every evidence and no other.
    pub(crate) fn is_whole(&self) -> bool {
        self.bias.is_finite()
            && self.weights.len() == EVIDENCE.len() + CUES.len()
            && names().all(|name| self.weights.get(name).is_some_and(|weight| weight.is_finite()))
    }

    /// Probability of frustration with the service, 0 to 1.
    pub(crate) fn probability(&self, evidence: &[f32]) -> f32 {
        let weights: Vec<f32> = names().map(|name| self.weights.get(name).copied().unwrap_or(0.0)).collect();
        sigmoid(self.bias + dot(&weights, evidence))
    }
}

/// Answers this near to one another (cosine) say the same.
const SAME: f32 = 0.85;

/// Whether two texts mean nearly the same; not where rules read them.
#[must_use]
pub fn says_the_same(one: &Analysis, other: &Analysis) -> bool {
    let meanings = one.evidence.as_ref().zip(other.evidence.as_ref());
    meanings.is_some_and(|(one, other)| is_same(&one.meaning, &other.meaning))
}

/// The same for two embeddings of length 1.
pub(crate) fn is_same(one: &[f32], other: &[f32]) -> bool {
    dot(one, other) >= SAME
}

/// The evidence of one turn: `score` is the text head's, `meaning` the text's embedding of length 1.
pub(crate) fn evidence(score: f32, cues: &[f32; CUES.len()], meaning: &[f32], context: &Context) -> Vec<f32> {
    let earlier = &context.earlier;
    let alike =
        |turn: &crate::domain::EarlierTurn| ((turn.meaning.cosine(meaning) - UNLIKE) / (1.0 - UNLIKE)).clamp(0.0, 1.0);
    let of_dialogue = [
        score,
        earlier.last().map_or(0.0, |turn| turn.frustration),
        earlier.iter().map(|turn| turn.frustration).fold(0.0, f32::max),
        earlier.iter().map(alike).fold(0.0, f32::max),
        f32::from(u8::from(context.bot_missed)),
        (context.turns as f32).min(TURNS) / TURNS,
    ];
    of_dialogue.into_iter().chain(*cues).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EarlierTurn, Gist};

    fn context() -> Context {
        let earlier = |frustration, meaning: [f32; 2]| EarlierTurn { frustration, meaning: Gist::new(&meaning) };
        Context { earlier: vec![earlier(0.8, [1.0, 0.0]), earlier(0.3, [0.0, 1.0])], bot_missed: true, turns: 12 }
    }

    #[test]
    fn evidence_stays_in_its_range_and_names_its_places() {
        let found = evidence(1.5, &[0.0; CUES.len()], &[1.0, 0.0], &context());
        assert_eq!(found.len(), names().count());
        assert_eq!(&found[..3], &[1.5, 0.3, 0.8]);
        assert!(found[3] > 0.98, "the same again: {}", found[3]);
        assert_eq!(&found[4..6], &[1.0, 1.0]);
        let alone = evidence(1.5, &[0.0; CUES.len()], &[1.0, 0.0], &Context::default());
        assert_eq!(&alone[1..], vec![0.0; names().count() - 1]);
    }

    #[test]
    fn weights_are_whole_or_refused_and_move_the_probability() {
        let mut model = ContextModel::default();
        assert!(model.is_whole());
        let found = evidence(0.0, &[0.0; CUES.len()], &[1.0, 0.0], &context());
        assert!((model.probability(&found) - 0.5).abs() < 1e-6);
        model.weights.insert("bot_missed".to_owned(), 1.0);
        assert!(model.probability(&found) > 0.7);
        model.weights.insert("unknown".to_owned(), 1.0);
        assert!(!model.is_whole());
        model.weights.remove("unknown");
        model.weights.remove("text");
        assert!(!model.is_whole());
    }
}
