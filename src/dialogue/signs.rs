//! What a message says beside its question, as the model read it: that somebody leaves or goes public, an insult.
//!
//! Such readings stand among the intents, because they are learnt as those are, but they are no question: they are
//! taken out of the reading, so that the question beside them is heard, and join what the rules found. Rules catch the
//! wordings that leave no doubt, the model those that no rule foresaw.

use super::prompts::Prompts;
use super::rules::Hit;
use super::understanding::gates;
use crate::domain::{Analysis, IntentScore};

/// Takes the signs out of a reading: each that is sure joins `hits`, unless a rule found the same. None if there are
/// no signs in it. `text` is the customer's, normalised.
pub(super) fn take(analysis: &Analysis, text: &str, prompts: &Prompts, hits: &mut Vec<Hit>) -> Option<Analysis> {
    let sign = |score: &IntentScore| prompts.intent(&score.name).and_then(|intent| intent.kind.sign());
    let lists = || analysis.sentences.iter().chain([&analysis.intents]);
    if !lists().flatten().any(|score| sign(score).is_some()) {
        return None;
    }
    let gates = gates(analysis, prompts.policy());
    for list in lists() {
        for score in list {
            let Some((reason, action)) = sign(score) else { continue };
            let sure = score.probability >= gates.hard_offer_probability && score.similarity >= gates.hard_similarity;
            if sure && hits.iter().all(|hit| hit.reason != reason) {
                hits.push(Hit { rule: 0, reason: reason.to_owned(), action, words: text.to_owned() });
            }
        }
    }
    let without = |list: &Vec<IntentScore>| -> Vec<IntentScore> {
        let taken: f32 = list.iter().filter(|score| sign(score).is_some()).map(|score| score.probability).sum();
        // What is left shares all of the probability, as if the sign had not been said.
        let left = (1.0 - taken).max(f32::EPSILON);
        let rest = list.iter().filter(|score| sign(score).is_none());
        rest.map(|score| IntentScore { probability: (score.probability / left).min(1.0), ..score.clone() }).collect()
    };
    Some(Analysis {
        intents: without(&analysis.intents),
        sentences: analysis.sentences.iter().map(without).collect(),
        ..analysis.clone()
    })
}
