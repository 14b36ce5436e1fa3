//! One BERT layer (Devlin et al., 2019): self-attention and a feed-forward part, each with its
//! residual and layer normalisation, on padded batches `[texts, tokens, width]`.
//!
//! The same code serves and trains; training passes a function that drops values out. Knows
//! nothing about texts, heads or files.

use super::ops::{gelu, layer_norm, softmax};
use candle_core::{Result, Tensor};
use candle_transformers::models::bert::{Config, HiddenAct};

/// The parts of a layer, by their names in a Hugging Face BERT file after `layer.N.`: what each
/// holds, in the order of [`Layer::new`]. The three of attention are kept as one matrix.
pub(crate) const PARTS: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

/// A matrix `[outputs, inputs]` or a scale, and what is added.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Weights.
    pub(crate) weight: Tensor,
    /// One per output.
    pub(crate) bias: Tensor,
}

impl Part {
    fn apply(&self, rows: &Tensor) -> Result<Tensor> {
        rows.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }
}

/// One layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Query, key and value under one another, `[3 width, width]`.
    attention: Part,
    attended: Part,
    attention_norm: Part,
    widen: Part,
    narrow: Part,
    norm: Part,
    heads: usize,
    epsilon: f32,
}

/// Changes values while training; the identity when serving.
pub(crate) type Drop<'a> = dyn FnMut(Tensor) -> Result<Tensor> + 'a;

impl Layer {
    /// Builds a layer; `part` gives the weight and bias of one of [`PARTS`].
    ///
    /// # Errors
    /// Whatever `part` refuses, shapes that do not fit together, and another activation than GELU.
    pub(crate) fn new(config: &Config, mut part: impl FnMut(&'static str) -> Result<Part>) -> Result<Self> {
        if config.hidden_act != HiddenAct::Gelu {
            candle_core::bail!("the encoder's activation is {:?}; only gelu is read", config.hidden_act);
        }
        let [query, key, value, attended, attention_norm, widen, narrow, norm] = PARTS;
        let three = [part(query)?, part(key)?, part(value)?];
        let attention = Part {
            weight: Tensor::cat(&three.each_ref().map(|part| &part.weight), 0)?,
            bias: Tensor::cat(&three.each_ref().map(|part| &part.bias), 0)?,
        };
        Ok(Self {
            attention,
            attended: part(attended)?,
            attention_norm: part(attention_norm)?,
            widen: part(widen)?,
            narrow: part(narrow)?,
            norm: part(norm)?,
            heads: config.num_attention_heads,
            epsilon: config.layer_norm_eps as f32,
        })
    }

    /// The layer's output for a state `[texts, tokens, width]`; `mask` is 0 for a token and very
    /// negative for padding, `[texts, 1, 1, tokens]`.
    pub(crate) fn forward(&self, state: &Tensor, mask: &Tensor, drop: &mut Drop<'_>) -> Result<Tensor> {
        let (texts, tokens, width) = state.dims3()?;
        let size = width / self.heads;
        let rows = state.reshape((texts * tokens, width))?;
        let parts = self.attention.apply(&rows)?.reshape((texts, tokens, 3, self.heads, size))?;
        let split = |at: usize| parts.narrow(2, at, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let (query, key, value) = (split(0)?, split(1)?, split(2)?);
        let scores = (query.matmul(&key.t()?)? * (1.0 / (size as f64).sqrt()))?.broadcast_add(mask)?;
        let shares = drop(softmax(&scores)?)?;
        let context = shares.matmul(&value)?.transpose(1, 2)?.contiguous()?.reshape((texts * tokens, width))?;
        let attended = (drop(self.attended.apply(&context)?)? + rows)?;
        let attended = self.normalise(&attended, &self.attention_norm)?;
        let fed = self.narrow.apply(&gelu(&self.widen.apply(&attended)?)?)?;
        self.normalise(&(drop(fed)? + attended)?, &self.norm)?.reshape((texts, tokens, width))
    }

    fn normalise(&self, rows: &Tensor, norm: &Part) -> Result<Tensor> {
        layer_norm(rows, &norm.weight, &norm.bias, self.epsilon)
    }
}

/// The identity, for serving.
pub(crate) fn keep(values: Tensor) -> Result<Tensor> {
    Ok(values)
}

/// The additive mask of texts of these lengths, `[texts, 1, 1, longest]`.
pub(crate) fn mask(lengths: &[usize]) -> Result<Tensor> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let hide = |length: &usize| (0..longest).map(|at| if at < *length { 0.0 } else { f32::MIN }).collect::<Vec<_>>();
    let values = lengths.iter().flat_map(hide).collect::<Vec<f32>>();
    Tensor::from_vec(values, (lengths.len(), 1, 1, longest), &candle_core::Device::Cpu)
}
