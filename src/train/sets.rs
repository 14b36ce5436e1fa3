//! What each source teaches: turns the rows of the data sets into examples with weights.

use super::corpus::{self, Turn};
use super::counterfactual::Counterfactuals;
use super::data::{self, Emotional};
use super::joined::joined;
use super::network::Example;
use crate::domain::analysis::EMOTIONS;
use crate::measure::labels::{NEGATIVE, NEUTRAL, POSITIVE};
use crate::random::Random;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::Path;

/// Positive emotions of the GoEmotions paper's grouping.
const PLEASANT: [&str; 12] = [
    "admiration",
    "amusement",
    "approval",
    "caring",
    "desire",
    "excitement",
    "gratitude",
    "joy",
    "love",
    "optimism",
    "pride",
    "relief",
];
/// Negative emotions of the same grouping.
const UNPLEASANT: [&str; 11] = [
    "anger",
    "annoyance",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "fear",
    "grief",
    "nervousness",
    "remorse",
    "sadness",
];

/// What a row counts in a loss, by its source.
struct Weights {
    /// Reviews: people's own polarity.
    review: f32,
    /// Posts of the corpus.
    post: f32,
    /// Critics' sentences, whose wit says little about how others write.
    critic: f32,
    /// Our own turns, in the sentiment.
    turn: f32,
    /// Our own turns, in the frustration.
    frustration: f32,
}

/// In the layers: posts and critics' sentences stand in the same files there.
const IN_LAYERS: Weights = Weights { review: 3.0, post: 2.0, critic: 2.0, turn: 0.3, frustration: 1.5 };
/// In the head for the sentiment.
const IN_HEAD: Weights = Weights { review: 2.0, post: 0.5, critic: 0.1, turn: 0.1, frustration: 3.0 };
/// What an everyday request counts there.
const CALM: f32 = 0.6;
/// Longer turns are not read again, in bytes: what is added would hardly weigh.
const LONGEST_AGAIN: usize = 160;
/// Everyday requests taken from each of CLINC150's intents as examples of a calm tone: our own
/// turns alone would leave out what people calmly ask outside a dispute.
const CALM_PER_INTENT: usize = 8;

/// What the layers are trained on.
pub(crate) fn for_layers(data: &Path, corpus: &Path, seed: u64) -> Result<Vec<Example>> {
    let mut all = comments(&data::goemotions(data, "train")?);
    all.extend(polar(corpus::posts(corpus, &corpus::LAYER_POSTS)?, IN_LAYERS.post));
    all.extend(shared(data, corpus, seed, &IN_LAYERS)?);
    Ok(all)
}

/// What the heads are trained on. Their polarity comes from posts that the layers have not seen, and
/// not from the comments: a group of emotions is near to a polarity, not the same.
pub(crate) fn for_heads(data: &Path, corpus: &Path, seed: u64) -> Result<Vec<Example>> {
    let mut all = comments(&data::goemotions(data, "train")?);
    all.iter_mut().for_each(|example| example.sentiment = None);
    all.extend(polar(corpus::posts(corpus, &corpus::HEAD_POSTS)?, IN_HEAD.post));
    all.extend(polar(corpus::posts(corpus, &corpus::CRITICS)?, IN_HEAD.critic));
    all.extend(shared(data, corpus, seed, &IN_HEAD)?);
    Ok(all)
}

/// Reviews, our own turns as they are and read again, and everyday requests.
fn shared(data: &Path, corpus: &Path, seed: u64, weights: &Weights) -> Result<Vec<Example>> {
    let reviews = data::uci(data)?.into_iter().map(|row| (row.text, row.class)).collect();
    let mut all = polar(reviews, weights.review);
    let turns = turns(&corpus::turns_of(corpus, &corpus::TRAINING)?, weights);
    all.extend(joined(&turns, weights.turn, seed));
    all.extend(counterfactual(&turns, &Counterfactuals::read(corpus)?, seed));
    all.extend(turns);
    all.extend(calm_requests(data, seed)?);
    Ok(all)
}

/// Comments teach emotions, and polarity by their emotions; each polarity counts the same.
fn comments(rows: &[Emotional]) -> Vec<Example> {
    let shares: Vec<[f32; 3]> = rows.iter().map(|row| polarity(&row.labels)).collect();
    let weights = balance(&shares);
    let examples = rows.iter().zip(shares).map(|(row, shares)| Example {
        text: row.text.clone(),
        emotions: Some(row.labels.clone()),
        sentiment: Some((shares, shares.iter().zip(weights).map(|(share, weight)| share * weight).sum())),
        frustration: None,
    });
    examples.collect()
}

fn polar(rows: Vec<(String, usize)>, weight: f32) -> Vec<Example> {
    let example = |(text, class)| Example { text, sentiment: Some((one_hot(class), weight)), ..Example::default() };
    rows.into_iter().map(example).collect()
}

/// Our own turns teach polarity, each counting the same, and frustration.
fn turns(rows: &[Turn], weights: &Weights) -> Vec<Example> {
    let balanced = balance(&rows.iter().map(|row| one_hot(row.sentiment)).collect::<Vec<_>>());
    let examples = rows.iter().map(|row| Example {
        text: row.text.clone(),
        emotions: None,
        sentiment: Some((one_hot(row.sentiment), weights.turn * balanced[row.sentiment])),
        frustration: Some((row.target(), weights.frustration)),
    });
    examples.collect()
}

/// Turns again with somebody's name, family, age, faith or origin mentioned, or in another English.
fn counterfactual(turns: &[Example], made: &Counterfactuals, seed: u64) -> Vec<Example> {
    let mut random = Random::new(seed);
    let mut all = Vec::new();
    for (at, turn) in turns.iter().enumerate().filter(|(_, turn)| turn.text.len() <= LONGEST_AGAIN) {
        let mut texts = vec![made.mention(&turn.text, at, &mut random)];
        if at % 2 == 0 {
            // Group words are the most and the rarest: they get a second place in every other turn.
            texts.push(made.mention(&turn.text, 2, &mut random));
        }
        texts.extend(made.speak(&turn.text, at, &mut random).filter(|_| at % 2 == 1));
        all.extend(texts.into_iter().map(|text| Example { text, ..turn.clone() }));
    }
    all
}

/// Everyday requests to an assistant, some about a broken card or a lost parcel, none of them angry.
fn calm_requests(data: &Path, seed: u64) -> Result<Vec<Example>> {
    let rows = data::clinc150(data, "train")?;
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen = Random::new(seed).order(rows.len());
    chosen.retain(|row| {
        let count = taken.entry(rows[*row].1.as_str()).or_default();
        *count += 1;
        *count <= CALM_PER_INTENT
    });
    let calm = |row: usize| Example { text: rows[row].0.clone(), frustration: Some((0.0, CALM)), ..Example::default() };
    Ok(chosen.into_iter().map(calm).collect())
}

/// The factor of each polarity under which all count the same and a row counts 1 on average.
fn balance(rows: &[[f32; 3]]) -> [f32; 3] {
    let mut totals = [0.0_f32; 3];
    rows.iter().for_each(|row| totals.iter_mut().zip(row).for_each(|(total, value)| *total += value));
    totals.map(|total| rows.len() as f32 / (3.0 * total.max(1.0)))
}

/// Polarity of a comment from its emotions: each label votes for its group, the ambiguous ones
/// (surprise, curiosity ...) and `neutral` for neutral.
pub(crate) fn polarity(labels: &[usize]) -> [f32; 3] {
    let mut votes = [0.0; 3];
    for label in labels {
        let name = EMOTIONS[*label];
        let class = match () {
            () if PLEASANT.contains(&name) => POSITIVE,
            () if UNPLEASANT.contains(&name) => NEGATIVE,
            () => NEUTRAL,
        };
        votes[class] += 1.0 / labels.len() as f32;
    }
    votes
}

/// A 1 in the class's column.
fn one_hot(class: usize) -> [f32; 3] {
    let mut row = [0.0; 3];
    row[class] = 1.0;
    row
}

/// For each emotion, which rows carry it.
pub(crate) fn emotion_columns(rows: &[Emotional]) -> Vec<Vec<bool>> {
    (0..EMOTIONS.len()).map(|label| rows.iter().map(|row| row.labels.contains(&label)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_polarity_counts_the_same_and_a_row_one_on_average() {
        let rows = [one_hot(0), one_hot(0), one_hot(0), one_hot(2), one_hot(1), [0.5, 0.0, 0.5]];
        let weights = balance(&rows);
        let counted = |class: usize| rows.iter().map(|row| row[class] * weights[class]).sum::<f32>();
        assert!((counted(0) - counted(1)).abs() < 1e-5 && (counted(1) - counted(2)).abs() < 1e-5);
        assert!(((0..3).map(counted).sum::<f32>() - rows.len() as f32).abs() < 1e-5);
    }

    #[test]
    fn every_emotion_votes_for_one_polarity() {
        for label in 0..EMOTIONS.len() {
            assert_eq!(polarity(&[label]).iter().sum::<f32>(), 1.0);
        }
        let at = |name| EMOTIONS.iter().position(|emotion| *emotion == name).unwrap();
        assert_eq!(polarity(&[at("joy"), at("anger")]), [0.5, 0.0, 0.5]);
        assert_eq!(polarity(&[at("curiosity")]), [0.0, 1.0, 0.0]);
        assert_eq!(PLEASANT.len() + UNPLEASANT.len() + 4 + 1, EMOTIONS.len(), "four ambiguous ones and neutral");
    }
}
