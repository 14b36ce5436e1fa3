//! What holds of every reading, whatever the text. `fuzz/` checks the same.

use candor::domain::analysis::EMOTIONS;
use candor::domain::{Analysis, IntentScore};

/// What sums and lengths may lose in f32.
const SLACK: f32 = 1e-3;
/// Most intents of a ranking, and most sentences that are read by themselves.
const MOST: (usize, usize) = (8, 6);

fn is_probability(value: f32) -> bool {
    (0.0..=1.0).contains(&value)
}

fn is_one(value: f32) -> bool {
    (value - 1.0).abs() < SLACK
}

fn is_ranking(intents: &[IntentScore]) -> bool {
    intents.len() <= MOST.0
        && intents.iter().all(|intent| is_probability(intent.probability) && intent.similarity.abs() < 1.0 + SLACK)
        && intents.iter().map(|intent| intent.probability).sum::<f32>() < 1.0 + SLACK
}

/// The first thing about a reading that cannot be.
pub(crate) fn fault(analysis: &Analysis) -> Option<&'static str> {
    let mood = &analysis.sentiment;
    let shares = [mood.negative, mood.neutral, mood.positive];
    let checks = [
        ("sentiment", shares.into_iter().all(is_probability) && is_one(shares.iter().sum())),
        ("emotions", analysis.emotions.len() == EMOTIONS.len()),
        ("an emotion", analysis.emotions.iter().copied().all(is_probability)),
        ("frustration", is_probability(analysis.frustration)),
        ("trust", is_probability(analysis.trust)),
        ("intents", is_ranking(&analysis.intents) && !analysis.intents.is_empty()),
        ("sentences", analysis.sentences.len() <= MOST.1 && analysis.sentences.iter().all(|one| is_ranking(one))),
        ("evidence where nothing is guessed", analysis.supported == analysis.evidence.is_some()),
        (
            "evidence",
            analysis.evidence.as_ref().is_none_or(|seen| {
                let length = seen.meaning.iter().map(|value| value * value).sum::<f32>();
                is_one(length)
                    && seen.score.is_finite()
                    && seen.cues.iter().copied().all(is_probability)
                    && seen.alone == analysis.frustration
            }),
        ),
    ];
    checks.into_iter().find_map(|(what, holds)| (!holds).then_some(what))
}
