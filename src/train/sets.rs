//! Turns rows of the data sets into targets and weights for the heads.

use super::data::{Emotional, NEGATIVE, NEUTRAL, POSITIVE, Support};
use crate::domain::analysis::EMOTIONS;
use anyhow::Result;
use candle_core::{Device, Tensor};

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

/// A set of rows: targets `[rows, outputs]` row by row, and how much each row counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    /// Row-major.
    pub(crate) values: Vec<f32>,
    /// One per row.
    pub(crate) weights: Vec<f32>,
}

impl Targets {
    /// Adds one row.
    pub(crate) fn push(&mut self, row: &[f32], weight: f32) {
        self.values.extend_from_slice(row);
        self.weights.push(weight);
    }

    /// Adds a source's polarity rows so that together they count `share` and each polarity that
    /// occurs counts the same: how often customers are angry is not for the model to assume.
    pub(crate) fn extend_balanced(&mut self, rows: &[[f32; 3]], share: f32) {
        let mut totals = [0.0_f32; 3];
        for row in rows {
            totals.iter_mut().zip(row).for_each(|(total, value)| *total += value);
        }
        let present = totals.iter().filter(|total| **total > 0.0).count() as f32;
        for row in rows {
            let parts = row.iter().zip(totals).filter(|(value, _)| **value > 0.0);
            let weight: f32 = parts.map(|(value, total)| value / (total * present)).sum();
            self.push(row, weight * share);
        }
    }

    /// Targets as a tensor.
    pub(crate) fn tensor(&self) -> Result<Tensor> {
        let rows = self.weights.len();
        Ok(Tensor::from_slice(&self.values, (rows, self.values.len() / rows.max(1)), &Device::Cpu)?)
    }
}

/// One column per emotion.
pub(crate) fn emotion_targets(rows: &[Emotional]) -> Targets {
    let mut targets = Targets::default();
    for row in rows {
        let mut values = [0.0; EMOTIONS.len()];
        row.labels.iter().for_each(|label| values[*label] = 1.0);
        targets.push(&values, 1.0);
    }
    targets
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

/// One column per polarity with a 1 in the class's.
pub(crate) fn one_hot(class: usize) -> [f32; 3] {
    let mut row = [0.0; 3];
    row[class] = 1.0;
    row
}

/// Deals support rows into folds so that each has the same share of every frustration level.
pub(crate) fn folds(rows: &[Support], count: usize, order: &[usize]) -> Vec<usize> {
    let mut dealt = std::collections::BTreeMap::new();
    let mut folds = vec![0; rows.len()];
    for row in order {
        let next: &mut usize = dealt.entry(rows[*row].frustration.clone()).or_default();
        folds[*row] = *next % count;
        *next += 1;
    }
    folds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_rows_count_the_same_for_each_polarity() {
        let mut targets = Targets::default();
        targets.extend_balanced(&[one_hot(0), one_hot(0), one_hot(0), one_hot(2), [0.5, 0.0, 0.5]], 2.0);
        assert!((targets.weights.iter().sum::<f32>() - 2.0).abs() < 1e-6);
        let counted = |class: usize| -> f32 {
            let rows = targets.values.chunks(3).zip(&targets.weights);
            rows.filter(|(row, _)| row[class] == 1.0).map(|(_, weight)| weight).sum()
        };
        assert!((counted(0) / 3.0 - targets.weights[0]).abs() < 1e-6);
        assert!(targets.weights[3] > 2.0 * targets.weights[0], "the rare polarity counts more a row");
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
