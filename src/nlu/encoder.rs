//! The BERT encoder: texts in, mean-pooled features of chosen layers out.
//!
//! candle-transformers' `BertModel` returns its last layer only. The heads want earlier layers
//! too (the last one of a sentence-similarity model has forgotten much about tone), so the
//! embeddings are loaded as a `BertModel` of zero layers and each layer as an encoder of one.
//! Knows nothing about heads, intents or files.

use super::tokenize::Tokenizer;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertEncoder, BertModel, Config};
use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most tokens (with padding) of one forward pass: few enough that the activations of a layer stay in the
/// processor's cache, enough that the matrices are worth their loading.
const PASS_TOKENS: usize = 512;
/// A pass up to this size takes any texts: below it, splitting costs more than padding.
const FREE_TOKENS: usize = 96;
/// Largest share of padding in a bigger pass.
const PADDING_SHARE: f32 = 0.15;

/// Why a forward pass failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    /// The tokenizer refused the text.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The tensor library refused.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// The thread pool could not be made.
    #[error("thread pool: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Tokenizer and transformer layers, on the CPU, in f32.
pub(crate) struct Encoder {
    tokenizer: Tokenizer,
    embeddings: BertModel,
    layers: Vec<BertEncoder>,
    pooled: Vec<usize>,
    hidden: usize,
    /// All threads together, for a single pass: a lone text is answered sooner.
    threads: rayon::ThreadPool,
    /// One thread each, for several passes side by side: less hand-over than sharing each pass.
    lanes: Vec<rayon::ThreadPool>,
}

impl Encoder {
    /// Builds the encoder from f32 tensors named as in a Hugging Face BERT file.
    ///
    /// `pooled` names the layers whose mean-pooled output is wanted: 0 is the embedding layer,
    /// `num_hidden_layers` the last one. `threads` is the number of CPU threads, 0 for all cores.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub(crate) fn load(
        tensors: HashMap<String, Tensor>,
        config: &Config,
        tokenizer: Tokenizer,
        pooled: &[usize],
        threads: usize,
    ) -> Result<Self, EncodeError> {
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let none = Config { num_hidden_layers: 0, ..config.clone() };
        let one = Config { num_hidden_layers: 1, ..config.clone() };
        let embeddings = BertModel::load(builder.clone(), &none)?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| {
                let rename = move |name: &str| name.replacen("layer.0.", &format!("layer.{layer}."), 1);
                BertEncoder::load(builder.clone().rename_f(rename).pp("encoder"), &one)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let threads =
            rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("nlu-{index}")).build()?;
        let lane = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let lanes = (0..threads.current_num_threads()).map(lane).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { tokenizer, embeddings, layers, pooled: pooled.to_vec(), hidden: config.hidden_size, threads, lanes })
    }

    /// The tokenizer, for callers that ask whether the model knows a word.
    #[must_use]
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Width of one layer's features.
    #[must_use]
    pub(crate) fn hidden(&self) -> usize {
        self.hidden
    }

    /// Features of each text, in order: the chosen layers' mean over the text's tokens, each
    /// scaled to length 1, one after the other. The last `hidden()` values are the last chosen
    /// layer's.
    ///
    /// # Errors
    /// If the tokenizer or the tensor library refuses; no partial result is returned.
    pub(crate) fn encode<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<f32>>, EncodeError> {
        let ids = texts
            .iter()
            .map(|text| self.tokenizer.ids(text.as_ref()).map_err(EncodeError::Tokenizer))
            .collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let mut features = vec![Vec::new(); texts.len()];
        let passes = passes(&lengths);
        for (pass, outputs) in passes.iter().zip(self.run(&ids, &passes)) {
            for (index, output) in pass.iter().zip(outputs?) {
                features[*index] = output;
            }
        }
        Ok(features)
    }

    /// Runs every pass, in order; several of them side by side.
    fn run(&self, ids: &[Vec<u32>], passes: &[Vec<usize>]) -> Vec<Result<Vec<Vec<f32>>, EncodeError>> {
        let forward = |pass: &Vec<usize>| {
            let rows: Vec<&[u32]> = pass.iter().map(|index| ids[*index].as_slice()).collect();
            self.forward(&rows)
        };
        if passes.len() < 2 || self.lanes.len() < 2 {
            return passes.iter().map(|pass| self.threads.install(|| forward(pass))).collect();
        }
        let next = AtomicUsize::new(0);
        let results: Vec<OnceLock<_>> = passes.iter().map(|_| OnceLock::new()).collect();
        std::thread::scope(|scope| {
            for lane in &self.lanes {
                scope.spawn(|| {
                    // Passes shrink in size from first to last, so taking the next one shares them well.
                    while let Some((pass, result)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        passes.get(at).zip(results.get(at))
                    } {
                        let _ = result.set(lane.install(|| forward(pass)));
                    }
                });
            }
        });
        results.into_iter().filter_map(OnceLock::into_inner).collect()
    }

    fn forward(&self, rows: &[&[u32]]) -> Result<Vec<Vec<f32>>, EncodeError> {
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let shape = (rows.len(), longest);
        let padded = |row: &&[u32]| row.iter().copied().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>();
        let ids = Tensor::from_vec(rows.iter().flat_map(padded).collect::<Vec<u32>>(), shape, &Device::Cpu)?;
        let kinds = ids.zeros_like()?;
        let hide =
            |row: &&[u32]| (0..longest).map(|at| if at < row.len() { 0.0 } else { f32::MIN }).collect::<Vec<_>>();
        let mask = rows.iter().flat_map(hide).collect::<Vec<f32>>();
        let mask = Tensor::from_vec(mask, (rows.len(), 1, 1, longest), &Device::Cpu)?;

        let mut features = vec![Vec::with_capacity(self.pooled.len() * self.hidden); rows.len()];
        let mut state = self.embeddings.forward(&ids, &kinds, None)?;
        for depth in 0..=self.layers.len() {
            if depth > 0 {
                state = self.layers[depth - 1].forward(&state, &mask)?;
            }
            if self.pooled.contains(&depth) {
                let values = state.flatten_all()?.to_vec1::<f32>()?;
                for (text, row) in rows.iter().enumerate() {
                    let tokens = &values[text * longest * self.hidden..][..row.len() * self.hidden];
                    features[text].extend(mean(tokens, self.hidden));
                }
            }
        }
        Ok(features)
    }
}

/// Mean of the token vectors, scaled to length 1.
fn mean(tokens: &[f32], hidden: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; hidden];
    for token in tokens.chunks_exact(hidden) {
        for (total, value) in sum.iter_mut().zip(token) {
            *total += value;
        }
    }
    normalise(&mut sum);
    sum
}

/// Scales a vector to length 1; a zero vector stays as it is.
pub(crate) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

/// Splits texts of the given token lengths into forward passes with little padding: longest
/// first, neighbours in length together. Every index appears exactly once.
fn passes(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(lengths[*index]));
    let mut passes: Vec<Vec<usize>> = Vec::new();
    let (mut longest, mut used) = (0, 0);
    for index in order {
        let length = lengths[index];
        if let Some(pass) = passes.last_mut() {
            let padded = longest * (pass.len() + 1);
            let waste = (padded - used - length) as f32 / padded.max(1) as f32;
            if padded <= FREE_TOKENS || (padded <= PASS_TOKENS && waste <= PADDING_SHARE) {
                pass.push(index);
                used += length;
                continue;
            }
        }
        passes.push(vec![index]);
        (longest, used) = (length, length);
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn passes_hold_every_text_once_within_the_token_limit(lengths in prop::collection::vec(2_usize..=256, 0..200)) {
            let passes = passes(&lengths);
            let mut seen: Vec<usize> = passes.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for pass in passes {
                let longest = pass.iter().map(|index| lengths[*index]).max().unwrap();
                prop_assert!(longest * pass.len() <= PASS_TOKENS || pass.len() == 1);
            }
        }
    }
}
