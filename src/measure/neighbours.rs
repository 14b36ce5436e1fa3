//! Intents whose example phrases lie among another intent's: the first thing to mend in a set of
//! prompts.
//!
//! Knows embeddings and names; must not know where phrases come from.

use candle_core::{Device, Result, Tensor};
use serde::Serialize;
use std::collections::BTreeMap;

/// Phrases compared with all others at once: large enough for the matrices to be worth it, small
/// enough for the result to stay in tens of megabytes.
const CHUNK: usize = 256;

/// Two intents that share ground.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AmbiguousPair {
    /// The intent whose phrases stray more often.
    pub intent: String,
    /// The intent that they stray to.
    pub other: String,
    /// Phrases of `intent` that are nearer to a phrase of `other` than to any other of their own.
    pub strays: usize,
    /// Phrases of `intent`.
    pub phrases: usize,
    /// Phrases of `other` that stray the other way.
    pub strays_back: usize,
    /// The phrase that strays furthest.
    pub example: String,
    /// What it is nearest to.
    pub nearest: String,
}

/// A phrase that is nearer to another intent than to its own.
struct Stray {
    phrase: usize,
    nearest: usize,
    lead: f32,
}

/// Pairs of intents with phrases nearer to the other than to their own, leave-one-out, most first.
/// A phrase is a text with its intent's index in `names`; embeddings have length 1.
///
/// # Errors
/// If the tensor library refuses, for example embeddings of different widths.
pub(crate) fn ambiguous_pairs(
    names: &[String],
    phrases: &[(&str, usize)],
    embeddings: &[Vec<f32>],
) -> Result<Vec<AmbiguousPair>> {
    let mut strays: BTreeMap<(usize, usize), Vec<Stray>> = BTreeMap::new();
    for stray in find_strays(phrases, embeddings)? {
        strays.entry((phrases[stray.phrase].1, phrases[stray.nearest].1)).or_default().push(stray);
    }
    let count = |from: usize, to: usize| strays.get(&(from, to)).map_or(0, Vec::len);
    let mut pairs = Vec::new();
    for ((intent, other), found) in &strays {
        let (there, back) = (found.len(), count(*other, *intent));
        // Each pair once, from the side that strays more.
        if there < back || (there == back && intent > other) {
            continue;
        }
        let Some(furthest) = found.iter().max_by(|left, right| left.lead.total_cmp(&right.lead)) else { continue };
        pairs.push(AmbiguousPair {
            intent: names[*intent].clone(),
            other: names[*other].clone(),
            strays: there,
            phrases: phrases.iter().filter(|(_, owner)| owner == intent).count(),
            strays_back: back,
            example: phrases[furthest.phrase].0.to_owned(),
            nearest: phrases[furthest.nearest].0.to_owned(),
        });
    }
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.strays + pair.strays_back));
    Ok(pairs)
}

fn find_strays(phrases: &[(&str, usize)], embeddings: &[Vec<f32>]) -> Result<Vec<Stray>> {
    let width = embeddings.first().map_or(0, Vec::len);
    if width == 0 {
        return Ok(Vec::new());
    }
    let all = Tensor::from_vec(embeddings.concat(), (phrases.len(), width), &Device::Cpu)?;
    let transposed = all.t()?.contiguous()?;
    let mut strays = Vec::new();
    for begin in (0..phrases.len()).step_by(CHUNK) {
        let rows = CHUNK.min(phrases.len() - begin);
        let cosines: Vec<Vec<f32>> = all.narrow(0, begin, rows)?.matmul(&transposed)?.to_vec2()?;
        strays.extend(cosines.iter().enumerate().filter_map(|(row, cosines)| stray(phrases, begin + row, cosines)));
    }
    Ok(strays)
}

fn stray(phrases: &[(&str, usize)], phrase: usize, cosines: &[f32]) -> Option<Stray> {
    let nearest = |own: bool| {
        let others = (0..phrases.len()).filter(|at| *at != phrase && (phrases[*at].1 == phrases[phrase].1) == own);
        others.max_by(|left, right| cosines[*left].total_cmp(&cosines[*right]))
    };
    // A phrase that is its intent's only one has no own neighbour, and says nothing.
    let (own, other) = (nearest(true)?, nearest(false)?);
    let lead = cosines[other] - cosines[own];
    (lead > 0.0).then_some(Stray { phrase, nearest: other, lead })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_among_anothers_is_found_once_with_its_neighbour() {
        let names = ["refund", "delivery", "alone"].map(str::to_owned);
        let angle = |degrees: f32| vec![degrees.to_radians().cos(), degrees.to_radians().sin()];
        let phrases = [
            ("money back", 0),
            ("refund please", 0),
            ("is it on its way", 0),
            ("where is it", 1),
            ("parcel", 1),
            ("odd", 2),
        ];
        let embeddings: Vec<Vec<f32>> = [0.0, 5.0, 78.0, 80.0, 90.0, 180.0].map(angle).to_vec();
        let found = ambiguous_pairs(&names, &phrases, &embeddings).unwrap();
        // "where is it" is 2 degrees from the stray and 10 from its own: it strays back.
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].strays, found[0].strays_back), (1, 1));
        assert_eq!((found[0].intent.as_str(), found[0].phrases), ("refund", 3));
        assert_eq!((found[0].example.as_str(), found[0].nearest.as_str()), ("is it on its way", "where is it"));
        assert!(ambiguous_pairs(&names, &[], &[]).unwrap().is_empty());
    }
}
