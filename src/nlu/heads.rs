//! The trained heads: mood features in, sentiment, emotions and frustration out.
//!
//! One dense layer each, in plain Rust; calibration is folded into the weights. Knows nothing about
//! tokens or texts beyond their features.

use crate::domain::Sentiment;
use crate::domain::analysis::EMOTIONS;
use candle_core::Tensor;
use std::collections::{BTreeMap, HashMap};

/// One dense layer: `weight` is `[outputs, inputs]`, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dense {
    /// Row-major weights.
    pub(crate) weight: Vec<f32>,
    /// One per output.
    pub(crate) bias: Vec<f32>,
}

impl Dense {
    /// Width of the input.
    pub(crate) fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }

    /// The layer's outputs for one input.
    pub(crate) fn apply(&self, input: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(self.inputs().max(1));
        rows.zip(&self.bias).map(|(row, bias)| bias + dot(row, input)).collect()
    }
}

/// What the heads say about one text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// Three probabilities that sum to 1.
    pub(crate) sentiment: Sentiment,
    /// 28 probabilities in the order of [`EMOTIONS`].
    pub(crate) emotions: Vec<f32>,
    /// Score (logit) of frustration with the service, which [`super::context`] makes a probability.
    pub(crate) frustration: f32,
}

/// The three heads, each one layer: what there is to learn is learnt in the mood layers below.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heads {
    /// 28 scores.
    pub(crate) emotion: Dense,
    /// 3 scores.
    pub(crate) sentiment: Dense,
    /// 1 score.
    pub(crate) frustration: Dense,
}

impl Heads {
    /// Reads one text from its mood features.
    pub(crate) fn read(&self, mood: &[f32]) -> Reading {
        let shares = softmax(&self.sentiment.apply(mood));
        Reading {
            sentiment: Sentiment { negative: shares[0], neutral: shares[1], positive: shares[2] },
            emotions: self.emotion.apply(mood).into_iter().map(sigmoid).collect(),
            frustration: self.frustration.apply(mood).first().copied().unwrap_or(0.0),
        }
    }

    /// Tensors of a heads file, by name.
    pub(crate) fn tensors(&self) -> candle_core::Result<BTreeMap<String, Tensor>> {
        let mut tensors = BTreeMap::new();
        for (name, head) in
            [("emotion", &self.emotion), ("sentiment", &self.sentiment), ("frustration", &self.frustration)]
        {
            let device = &candle_core::Device::Cpu;
            let shape = (head.bias.len(), head.inputs());
            tensors.insert(format!("{name}.weight"), Tensor::from_slice(&head.weight, shape, device)?);
            tensors.insert(format!("{name}.bias"), Tensor::from_slice(&head.bias, head.bias.len(), device)?);
        }
        Ok(tensors)
    }

    /// Takes the heads out of a file's tensors; `width` is the number of mood features.
    ///
    /// # Errors
    /// Names the tensor that is missing or does not fit.
    pub(crate) fn from_tensors(mut tensors: HashMap<String, Tensor>, width: usize) -> Result<Self, String> {
        let mut take = |name: &str, outputs: usize| {
            let head = take_dense(&mut tensors, name)?;
            if head.inputs() != width || head.bias.len() != outputs {
                return Err(format!("the {name} head does not map {width} inputs to {outputs} scores"));
            }
            Ok(head)
        };
        let heads = Self {
            emotion: take("emotion", EMOTIONS.len())?,
            sentiment: take("sentiment", 3)?,
            frustration: take("frustration", 1)?,
        };
        match tensors.into_keys().next() {
            Some(name) => Err(format!("unknown tensor {name}")),
            None => Ok(heads),
        }
    }
}

fn take_dense(tensors: &mut HashMap<String, Tensor>, name: &str) -> Result<Dense, String> {
    let mut take = |part: &str| {
        let full = format!("{name}.{part}");
        let tensor = tensors.remove(&full).ok_or_else(|| format!("{full} is missing"))?;
        let values = tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        Ok::<_, String>((tensor.dims().to_vec(), values.map_err(|error| format!("{full}: {error}"))?))
    };
    let (shape, weight) = take("weight")?;
    let (_, bias) = take("bias")?;
    if shape.len() != 2 || shape[0] != bias.len() || bias.is_empty() {
        return Err(format!("{name} has shape {shape:?} with {} biases", bias.len()));
    }
    Ok(Dense { weight, bias })
}

/// Inner product, summed in eight lanes so that the compiler can use vector registers.
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (left_blocks, right_blocks) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest: f32 = left_blocks.remainder().iter().zip(right_blocks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left_blocks.zip(right_blocks) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Logistic function.
pub(crate) fn sigmoid(score: f32) -> f32 {
    1.0 / (1.0 + (-score).exp())
}

/// Probabilities from scores.
pub(crate) fn softmax(scores: &[f32]) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
    let total: f32 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Heads with small varied weights for features of `width`.
    pub(crate) fn small(width: usize) -> Heads {
        let dense = |inputs: usize, outputs: usize, seed: usize| Dense {
            weight: (0..inputs * outputs).map(|at| ((at * 31 + seed * 17) % 13) as f32 / 13.0 - 0.5).collect(),
            bias: (0..outputs).map(|at| at as f32 / 10.0).collect(),
        };
        Heads {
            emotion: dense(width, EMOTIONS.len(), 2),
            sentiment: dense(width, 3, 3),
            frustration: dense(width, 1, 4),
        }
    }

    #[test]
    fn a_dense_layer_multiplies_and_adds() {
        let layer = Dense { weight: vec![1.0, 2.0, 3.0, -1.0, 0.0, 1.0], bias: vec![0.5, 0.0] };
        assert_eq!(layer.apply(&[1.0, 1.0, 2.0]), [9.5, 1.0]);
        let long: Vec<f32> = (0..19).map(|value| value as f32).collect();
        assert_eq!(dot(&long, &long), long.iter().map(|value| value * value).sum::<f32>());
    }

    #[test]
    fn heads_survive_the_file_and_give_probabilities() {
        let heads = small(12);
        let tensors = heads.tensors().unwrap().into_iter().collect();
        assert_eq!(Heads::from_tensors(tensors, 12).unwrap(), heads);
        let reading = heads.read(&[0.3; 12]);
        let Sentiment { negative, neutral, positive } = reading.sentiment;
        assert!((negative + neutral + positive - 1.0).abs() < 1e-6);
        assert_eq!(reading.emotions.len(), EMOTIONS.len());
        assert!(reading.emotions.iter().all(|share| (0.0..=1.0).contains(share)) && reading.frustration.is_finite());
    }

    #[test]
    fn heads_of_another_width_or_with_strange_tensors_are_refused() {
        let tensors: HashMap<String, Tensor> = small(12).tensors().unwrap().into_iter().collect();
        assert!(Heads::from_tensors(tensors.clone(), 13).unwrap_err().contains("does not map"));
        let mut missing = tensors.clone();
        missing.remove("sentiment.bias");
        assert!(Heads::from_tensors(missing, 12).unwrap_err().contains("sentiment.bias"));
        let mut strange = tensors;
        strange.insert("x".to_owned(), strange["sentiment.bias"].clone());
        assert!(Heads::from_tensors(strange, 12).unwrap_err().contains("unknown tensor x"));
    }
}
