//! From scores to an accepted intent, by thresholds alone.
//!
//! Knows nothing of the conversation: what a reading means after an offer or a question is
//! decided in `reading`.

use super::policy::{IntentPolicy, Policy};
use crate::domain::{Analysis, IntentScore, Source};

/// What one text was taken to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Understanding {
    /// One intent passed every gate.
    Known(IntentScore),
    /// The two best are both plausible and too close to choose: ask.
    Ambiguous(IntentScore, IntentScore),
    /// Nothing the bot knows, or not sure enough.
    Unknown,
}

impl Understanding {
    /// The accepted intent's name.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(score) => Some(&score.name),
            Self::Ambiguous(..) | Self::Unknown => None,
        }
    }
}

/// The gates that fit whoever read the text.
#[must_use]
pub(super) fn gates<'p>(analysis: &Analysis, policy: &'p Policy) -> &'p IntentPolicy {
    match analysis.source {
        Source::Model => &policy.intent,
        Source::Rules => &policy.intent_rules,
    }
}

/// Takes the best intent if its probability, its similarity to an example and its lead over the
/// second all pass. One gate alone fails in its own way: probability is shared out among known
/// intents even for a text about the weather, similarity confuses neighbours, and a lead says
/// nothing when all are far away.
#[must_use]
pub fn understand(analysis: &Analysis, policy: &Policy) -> Understanding {
    accept(&analysis.intents, gates(analysis, policy))
}

/// The same for the scores of one sentence.
pub(super) fn accept(intents: &[IntentScore], gates: &IntentPolicy) -> Understanding {
    let mut near = intents.iter().filter(|intent| intent.similarity >= gates.accept_similarity);
    let Some(best) = intents.first().filter(|best| best.similarity >= gates.accept_similarity) else {
        return Understanding::Unknown;
    };
    let second = near.find(|intent| intent.name != best.name);
    let lead = best.probability - intents.get(1).map_or(0.0, |second| second.probability);
    let sure =
        best.similarity >= gates.sure_similarity && intents.iter().all(|other| other.similarity <= best.similarity);
    if sure || (best.probability >= gates.accept_probability && lead >= gates.margin) {
        return Understanding::Known(best.clone());
    }
    match second {
        Some(second) if best.probability + second.probability >= gates.clarify_probability => {
            Understanding::Ambiguous(best.clone(), second.clone())
        }
        _ => Understanding::Unknown,
    }
}
