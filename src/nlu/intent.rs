//! Which intent a text has: a classifier fitted, when the server starts, on the embeddings of the
//! example phrases.
//!
//! Regularised multinomial logistic regression: on ten phrases per intent it beats the nearest
//! example by several points. Its probabilities are sharpened by one temperature, chosen on
//! phrases that were held out, so that they mean something whatever the number of intents. The
//! nearest example's cosine is kept beside it, because a classifier must choose something and
//! cannot say "none of these". Whether the best is good enough is not decided here.

use super::heads::{dot, softmax};
use crate::domain::IntentScore;
use candle_core::{D, Device, Result, Tensor};

/// Weight of the squared weights against the mean loss. Chosen on banking77, ten phrases per
/// intent, against values three and ten times larger and smaller.
const PENALTY: f64 = 3e-4;
/// Steps of the accelerated descent; more change no prediction.
const STEPS: usize = 200;
/// Parts that the phrases are dealt into to choose the temperature.
const FOLDS: usize = 3;
/// Scores are multiplied by one of these.
const SHARPNESS: [f32; 9] = [0.7, 1.0, 1.4, 1.8, 2.4, 3.2, 4.2, 5.6, 7.5];
/// Intents that an analysis lists.
const LISTED: usize = 5;

/// The fitted classifier.
pub(crate) struct IntentMatcher {
    names: Vec<String>,
    /// One row per intent.
    weights: Vec<Vec<f32>>,
    bias: Vec<f32>,
    sharpness: f32,
    /// Embeddings of the phrases and which intent each belongs to.
    phrases: Vec<(Vec<f32>, usize)>,
}

impl IntentMatcher {
    /// Fits the classifier on phrases given as embeddings of length 1 with the index of their
    /// intent in `names`. Without phrases it never matches.
    ///
    /// # Errors
    /// If the tensor library refuses, for example embeddings of different widths.
    pub(crate) fn fit(names: Vec<String>, phrases: Vec<(Vec<f32>, usize)>) -> Result<Self> {
        let classes = names.len();
        if phrases.is_empty() {
            return Ok(Self { names: Vec::new(), weights: Vec::new(), bias: Vec::new(), sharpness: 1.0, phrases });
        }
        let all: Vec<usize> = (0..phrases.len()).collect();
        let (weights, bias) = regress(&phrases, &all, classes)?;
        let sharpness = choose_sharpness(&phrases, classes)?;
        Ok(Self { names, weights, bias, sharpness, phrases })
    }

    /// The best-fitting intents of an embedding of length 1, best first, at most five.
    pub(crate) fn rank(&self, embedding: &[f32]) -> Vec<IntentScore> {
        if self.names.is_empty() {
            return Vec::new();
        }
        let mut nearest = vec![-1.0_f32; self.names.len()];
        for (phrase, intent) in &self.phrases {
            nearest[*intent] = nearest[*intent].max(dot(phrase, embedding));
        }
        let scores: Vec<f32> = self
            .weights
            .iter()
            .zip(&self.bias)
            .map(|(row, bias)| self.sharpness * (dot(row, embedding) + bias))
            .collect();
        let probabilities = softmax(&scores);
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|left, right| probabilities[*right].total_cmp(&probabilities[*left]));
        order
            .into_iter()
            .take(LISTED)
            .map(|intent| IntentScore {
                name: self.names[intent].clone(),
                probability: probabilities[intent],
                similarity: nearest[intent].clamp(-1.0, 1.0),
            })
            .collect()
    }
}

/// Minimises the class-balanced logistic loss by Nesterov's accelerated descent. The step is fixed
/// by the loss's curvature, which for vectors of length 1 is known beforehand.
fn regress(phrases: &[(Vec<f32>, usize)], chosen: &[usize], classes: usize) -> Result<(Vec<Vec<f32>>, Vec<f32>)> {
    let width = phrases[0].0.len();
    let mut sizes = vec![0_usize; classes];
    for index in chosen {
        sizes[phrases[*index].1] += 1;
    }
    let present = sizes.iter().filter(|size| **size > 0).count();
    // A column of ones carries the bias.
    let mut rows = Vec::with_capacity(chosen.len() * (width + 1));
    let mut truth = vec![0.0_f32; chosen.len() * classes];
    let mut shares = Vec::with_capacity(chosen.len());
    for (row, index) in chosen.iter().enumerate() {
        let (embedding, intent) = &phrases[*index];
        rows.extend_from_slice(embedding);
        rows.push(1.0);
        truth[row * classes + intent] = 1.0;
        shares.push(1.0 / (present * sizes[*intent]) as f32);
    }
    let device = &Device::Cpu;
    let inputs = Tensor::from_vec(rows, (chosen.len(), width + 1), device)?;
    let transposed = inputs.t()?.contiguous()?;
    let truth = Tensor::from_vec(truth, (chosen.len(), classes), device)?;
    let shares = Tensor::from_vec(shares, (chosen.len(), 1), device)?;

    // Softmax curves by at most 1/2, the rows with their one have squared length 2.
    let step = 1.0 / (1.0 + PENALTY);
    let mut weights = Tensor::zeros((width + 1, classes), candle_core::DType::F32, device)?;
    let mut ahead = weights.clone();
    let mut pace = 1.0_f64;
    for _ in 0..STEPS {
        let error = (candle_nn::ops::softmax(&inputs.matmul(&ahead)?, D::Minus1)? - &truth)?;
        let slope = (transposed.matmul(&error.broadcast_mul(&shares)?)? + (&ahead * PENALTY)?)?;
        let next = (&ahead - (slope * step)?)?;
        let quicker = (1.0 + (1.0 + 4.0 * pace * pace).sqrt()) / 2.0;
        ahead = (&next + ((&next - &weights)? * ((pace - 1.0) / quicker))?)?;
        (weights, pace) = (next, quicker);
    }
    let bias = weights.get(width)?.to_vec1()?;
    let weights = weights.narrow(0, 0, width)?.t()?.to_vec2()?;
    Ok((weights, bias))
}

/// The factor under which classifiers fitted without a third of the phrases are the least
/// surprised by that third.
fn choose_sharpness(phrases: &[(Vec<f32>, usize)], classes: usize) -> Result<f32> {
    let mut seen = vec![0_usize; classes];
    let folds: Vec<usize> = phrases
        .iter()
        .map(|(_, intent)| {
            seen[*intent] += 1;
            seen[*intent] % FOLDS
        })
        .collect();
    let mut losses = [0.0_f64; SHARPNESS.len()];
    for fold in 0..FOLDS {
        let (held, kept): (Vec<usize>, Vec<usize>) = (0..phrases.len()).partition(|index| folds[*index] == fold);
        if kept.is_empty() {
            continue;
        }
        let (weights, bias) = regress(phrases, &kept, classes)?;
        for index in held {
            let (embedding, intent) = &phrases[index];
            let scores: Vec<f32> = weights.iter().zip(&bias).map(|(row, bias)| dot(row, embedding) + bias).collect();
            for (loss, factor) in losses.iter_mut().zip(SHARPNESS) {
                let sharpened: Vec<f32> = scores.iter().map(|score| score * factor).collect();
                *loss -= f64::from(softmax(&sharpened)[*intent].max(1e-9).ln());
            }
        }
    }
    let least = losses.iter().zip(SHARPNESS).min_by(|left, right| left.0.total_cmp(right.0));
    Ok(least.map_or(1.0, |(_, factor)| factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::encoder::normalise;

    /// Three intents around three axes, with some spread.
    fn phrases() -> Vec<(Vec<f32>, usize)> {
        (0..30)
            .map(|at: usize| {
                let mut vector = vec![0.05 * ((at * 7) % 5) as f32; 6];
                vector[at % 3] += 1.0;
                vector[3 + at % 2] += 0.2;
                normalise(&mut vector);
                (vector, at % 3)
            })
            .collect()
    }

    fn names() -> Vec<String> {
        ["refund", "delivery", "sizes"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_right_intent_comes_first_and_is_sure() {
        let matcher = IntentMatcher::fit(names(), phrases()).unwrap();
        for (embedding, intent) in phrases() {
            let ranked = matcher.rank(&embedding);
            assert_eq!(ranked[0].name, names()[intent]);
            assert!(ranked[0].probability > 0.9, "{ranked:?}");
            assert!(ranked[0].similarity > 0.999, "the phrase itself is its nearest example");
            let total: f32 = ranked.iter().map(|score| score.probability).sum();
            assert!((total - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn something_else_altogether_is_near_nothing() {
        let matcher = IntentMatcher::fit(names(), phrases()).unwrap();
        let ranked = matcher.rank(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert!(ranked.iter().all(|score| score.similarity < 0.3), "{ranked:?}");
    }

    #[test]
    fn without_phrases_nothing_matches() {
        let matcher = IntentMatcher::fit(Vec::new(), Vec::new()).unwrap();
        assert!(matcher.rank(&[1.0, 0.0]).is_empty());
    }
}
