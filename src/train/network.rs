//! What is trained: the mood layers and the heads on top, from the states after the shared layers
//! to the loss of a mixed batch. Knows nothing about files, epochs or optimisers.

use crate::domain::analysis::EMOTIONS;
use crate::nlu::encoder::MOOD_LAYERS;
use crate::nlu::transformer::{Drop, Layer, PARTS, Part, mask};
use crate::random::Random;
use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::ops::log_softmax;
use candle_transformers::models::bert::Config;
use std::collections::{BTreeMap, HashMap};

/// Names and output counts of the heads.
pub(crate) const HEADS: [(&str, usize); 3] = [("emotion", EMOTIONS.len()), ("sentiment", 3), ("frustration", 1)];
/// What each task's loss counts.
const SHARES: [f64; 3] = [0.5, 0.5, 1.0];

/// What one text teaches; a task without a target learns nothing from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Example {
    /// The text.
    pub(crate) text: String,
    /// Indices of its emotions.
    pub(crate) emotions: Option<Vec<usize>>,
    /// Share of each polarity, and how much the row counts.
    pub(crate) sentiment: Option<([f32; 3], f32)>,
    /// Frustration, 0 to 1, and how much the row counts.
    pub(crate) frustration: Option<(f32, f32)>,
}

/// Sizes of what is trained.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Sizes of the encoder.
    pub(crate) config: Config,
    /// Lower layers that stay as they are.
    pub(crate) shared: usize,
    /// Layers whose means feed the heads, counted from 1 at the bottom.
    pub(crate) pooled: Vec<usize>,
    /// Share of values that training leaves out inside the layers.
    pub(crate) dropout: f32,
    /// Share of the features that training leaves out before the heads.
    pub(crate) feature_dropout: f32,
}

impl Shape {
    /// Variables at their starting values: the layers' from `start`, named as the encoder's own
    /// layers; the heads' at zero.
    pub(crate) fn variables(&self, start: &HashMap<String, Tensor>) -> Result<BTreeMap<String, Var>> {
        let mut variables = BTreeMap::new();
        for layer in self.shared..self.config.num_hidden_layers {
            for part in PARTS {
                for kind in ["weight", "bias"] {
                    let from = format!("encoder.layer.{layer}.{part}.{kind}");
                    let tensor = start.get(&from).with_context(|| format!("the encoder has no {from}"))?;
                    variables
                        .insert(format!("{MOOD_LAYERS}.{layer}.{part}.{kind}"), Var::from_tensor(&tensor.copy()?)?);
                }
            }
        }
        let width = self.config.hidden_size * self.pooled.len();
        for (name, outputs) in HEADS {
            variables.insert(format!("{name}.weight"), Var::zeros((outputs, width), DType::F32, &Device::Cpu)?);
            variables.insert(format!("{name}.bias"), Var::zeros(outputs, DType::F32, &Device::Cpu)?);
        }
        Ok(variables)
    }
}

/// The layers and heads over the variables as they are now.
pub(crate) struct Network<'a> {
    shape: &'a Shape,
    layers: Vec<Layer>,
    heads: Vec<Part>,
}

impl<'a> Network<'a> {
    /// Joins the variables; `get` gives one by its name.
    pub(crate) fn new(shape: &'a Shape, get: impl Fn(&str) -> Option<Tensor>) -> Result<Self> {
        let part = |name: String| -> candle_core::Result<Part> {
            let take = |kind: &str| {
                let full = format!("{name}.{kind}");
                get(&full).ok_or_else(|| candle_core::Error::msg(format!("no variable {full}")))
            };
            Ok(Part { weight: take("weight")?, bias: take("bias")? })
        };
        let layer = |layer: usize| Layer::new(&shape.config, |name| part(format!("{MOOD_LAYERS}.{layer}.{name}")));
        let layers = (shape.shared..shape.config.num_hidden_layers).map(layer).collect::<Result<_, _>>()?;
        let heads = HEADS.iter().map(|(name, _)| part((*name).to_owned())).collect::<Result<_, _>>()?;
        Ok(Self { shape, layers, heads })
    }

    /// Scores of each head for some texts' shared states `[tokens, width]`. With `random`, values
    /// are left out as in training.
    pub(crate) fn scores(&self, states: &[&Tensor], mut random: Option<Random>) -> Result<Vec<Tensor>> {
        let lengths: Vec<usize> = states.iter().map(|state| state.dim(0)).collect::<Result<_, _>>()?;
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let padded = |state: &&Tensor| state.to_dtype(DType::F32)?.pad_with_zeros(0, 0, longest - state.dim(0)?);
        let mut state = Tensor::stack(&states.iter().map(padded).collect::<Result<Vec<_>, _>>()?, 0)?;
        let mask = mask(&lengths)?;
        let weigh =
            |length: &usize| (0..longest).map(|at| if at < *length { 1.0 / *length as f32 } else { 0.0 }).collect();
        let weights: Vec<f32> = lengths.iter().flat_map::<Vec<f32>, _>(weigh).collect();
        let weights = Tensor::from_vec(weights, (lengths.len(), longest, 1), &Device::Cpu)?;
        let mut means = Vec::new();
        for (depth, layer) in self.layers.iter().enumerate() {
            let share = self.shape.dropout;
            let drop: &mut Drop<'_> = &mut |values| drop_out(values, share, random.as_mut());
            state = layer.forward(&state, &mask, drop)?;
            if self.shape.pooled.contains(&(self.shape.shared + depth + 1)) {
                means.push(state.broadcast_mul(&weights)?.sum(1)?);
            }
        }
        let features = drop_out(Tensor::cat(&means, 1)?, self.shape.feature_dropout, random.as_mut())?;
        self.heads.iter().map(|head| Ok(features.matmul(&head.weight.t()?)?.broadcast_add(&head.bias)?)).collect()
    }

    /// The loss of some examples, summed, divided by `rows`: a part of a batch of so many.
    pub(crate) fn loss(&self, scores: &[Tensor], examples: &[&Example], rows: usize) -> Result<Tensor> {
        let count = examples.len();
        let (mut emotions, mut known) = (vec![0.0_f32; count * EMOTIONS.len()], vec![0.0_f32; count]);
        let (mut polarity, mut frustration) = (vec![0.0_f32; count * 3], vec![0.0_f32; count]);
        let mut weights = vec![0.0_f32; count];
        for (row, example) in examples.iter().enumerate() {
            if let Some(labels) = &example.emotions {
                labels.iter().for_each(|label| emotions[row * EMOTIONS.len() + label] = 1.0);
                known[row] = 1.0;
            }
            if let Some((shares, weight)) = example.sentiment {
                (0..3).for_each(|class| polarity[row * 3 + class] = shares[class] * weight);
            }
            if let Some((value, weight)) = example.frustration {
                (frustration[row], weights[row]) = (value, weight);
            }
        }
        let column = |values: Vec<f32>| Tensor::from_vec(values, (count, 1), &Device::Cpu);
        let emotions = Tensor::from_vec(emotions, (count, EMOTIONS.len()), &Device::Cpu)?;
        let polarity = Tensor::from_vec(polarity, (count, 3), &Device::Cpu)?;
        let losses = [
            binary(&scores[0], &emotions)?.broadcast_mul(&column(known)?)?.sum_all()?,
            (log_softmax(&scores[1], D::Minus1)? * polarity)?.sum_all()?.neg()?,
            (binary(&scores[2], &column(frustration)?)? * column(weights)?)?.sum_all()?,
        ];
        let mut total = Tensor::zeros((), DType::F32, &Device::Cpu)?;
        for (loss, share) in losses.iter().zip(SHARES) {
            total = (total + (loss * (share / rows as f64))?)?;
        }
        Ok(total)
    }
}

/// Logistic loss of each score: max(s, 0) - s t + ln(1 + e^-|s|), exact for large scores of either sign.
fn binary(scores: &Tensor, targets: &Tensor) -> Result<Tensor> {
    Ok(((scores.relu()? - (scores * targets)?)? + (scores.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

fn drop_out(values: Tensor, share: f32, random: Option<&mut Random>) -> candle_core::Result<Tensor> {
    let Some(random) = random.filter(|_| share > 0.0) else { return Ok(values) };
    let keep = 1.0 / (1.0 - share);
    let mask: Vec<f32> = (0..values.elem_count()).map(|_| if random.unit() < share { 0.0 } else { keep }).collect();
    &values * Tensor::from_vec(mask, values.shape(), &Device::Cpu)?
}
