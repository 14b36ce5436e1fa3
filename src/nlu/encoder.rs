//! The encoder: texts in, two vectors out, one of meaning and one of mood.
//!
//! A BERT whose lower layers are shared and whose top exists twice. The first top is the sentence
//! encoder's own, because training for mood would damage what intents are matched on; the second
//! was trained for mood. A text whose mood is not asked for does not pay for it. Knows nothing about
//! heads, intents or files.

use super::bundle::Section;
use super::tokenize::Tokenizer;
use super::transformer::{Layer, Part, keep, mask};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most tokens (with padding) of one forward pass: few enough that the activations of a layer stay in the
/// processor's cache, enough that the matrices are worth their loading.
const PASS_TOKENS: usize = 1024;
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

/// What is wanted of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The meaning alone.
    Meaning,
    /// The mood alone.
    Mood,
    /// Both.
    Both,
}

/// What the encoder made of a text. A vector that was not wanted is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Features {
    /// Means over the tokens of two of the sentence encoder's layers, each of length 1, the last
    /// layer last: twice `hidden` values.
    pub(crate) meaning: Vec<f32>,
    /// Means over the tokens of the chosen mood layers, one after the other.
    pub(crate) mood: Vec<f32>,
}

/// Tokenizer and transformer layers, on the CPU, in f32.
pub(crate) struct Encoder {
    tokenizer: Tokenizer,
    embeddings: BertModel,
    /// Shared by both tops.
    trunk: Vec<Layer>,
    meaning: Vec<Layer>,
    mood: Vec<Layer>,
    /// Layers whose means are the meaning, counted from 1 at the bottom.
    meant: [usize; 2],
    /// The same for the mood.
    pooled: Vec<usize>,
    hidden: usize,
    /// One thread each, for passes side by side: less hand-over than sharing each pass.
    lanes: Vec<rayon::ThreadPool>,
}

/// Prefix of the names of the sentence encoder's layers.
pub(crate) const LAYERS: &str = "encoder.layer";
/// Prefix of the names of the mood layers; a folder that has none yet starts from the encoder's.
pub(crate) const MOOD_LAYERS: &str = "mood.layer";

impl Encoder {
    /// Builds the encoder from f32 tensors named as in a Hugging Face BERT file, the mood layers
    /// with another prefix. `threads` is the number of CPU threads, 0 for all cores.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub(crate) fn load(
        tensors: HashMap<String, Tensor>,
        config: &Config,
        section: &Section,
        tokenizer: Tokenizer,
        threads: usize,
    ) -> Result<Self, EncodeError> {
        let mood = if tensors.keys().any(|name| name.starts_with(MOOD_LAYERS)) { MOOD_LAYERS } else { LAYERS };
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let none = Config { num_hidden_layers: 0, ..config.clone() };
        let embeddings = BertModel::load(builder.clone(), &none)?;
        let layers = |prefix: &str, range: std::ops::Range<usize>| -> Result<Vec<Layer>, EncodeError> {
            let load = |layer: usize| {
                let builder = builder.pp(format!("{prefix}.{layer}"));
                Layer::new(config, |name| {
                    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
                    Ok(Part { weight: builder.get_unchecked(&weight)?, bias: builder.get_unchecked(&bias)? })
                })
            };
            Ok(range.map(load).collect::<Result<_, _>>()?)
        };
        let (shared, depth) = (section.shared_layers, config.num_hidden_layers);
        let (trunk, meaning, mood) =
            (layers(LAYERS, 0..shared)?, layers(LAYERS, shared..depth)?, layers(mood, shared..depth)?);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let lane =
            |lane| rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(move |_| format!("nlu-{lane}")).build();
        let lanes = (0..if threads == 0 { cores() } else { threads }).map(lane).collect::<Result<Vec<_>, _>>()?;
        let (meant, pooled) = (section.meaning_layers, section.mood_layers.clone());
        Ok(Self { tokenizer, embeddings, trunk, meaning, mood, meant, pooled, hidden: config.hidden_size, lanes })
    }

    /// The tokenizer, for callers that ask whether the model knows a word.
    #[must_use]
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Number of values of a text's mood.
    #[must_use]
    pub(crate) fn mood_width(&self) -> usize {
        self.hidden * self.pooled.len()
    }

    /// The pools of one thread each, in which passes run side by side.
    #[must_use]
    pub(crate) fn lanes(&self) -> &[rayon::ThreadPool] {
        &self.lanes
    }

    /// Features of each text, in order.
    ///
    /// # Errors
    /// If the tokenizer or the tensor library refuses; no partial result is returned.
    pub(crate) fn encode<T: AsRef<str>>(&self, texts: &[T], wanted: Wanted) -> Result<Vec<Features>, EncodeError> {
        self.encode_each(texts, |_| wanted)
    }

    /// The same with a choice for each text, by its index. Passes mix texts of both kinds only
    /// where they ask for the same.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub(crate) fn encode_each<T: AsRef<str>>(
        &self,
        texts: &[T],
        wanted: impl Fn(usize) -> Wanted + Sync,
    ) -> Result<Vec<Features>, EncodeError> {
        let ids = self.ids(texts)?;
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let mut passes: Vec<(Wanted, Vec<usize>)> = Vec::new();
        for kind in [Wanted::Both, Wanted::Mood, Wanted::Meaning] {
            let chosen: Vec<usize> = (0..texts.len()).filter(|index| wanted(*index) == kind).collect();
            passes.extend(plan(&lengths, chosen).into_iter().map(|pass| (kind, pass)));
        }
        let run = |(kind, pass): &(Wanted, Vec<usize>)| {
            let rows: Vec<&[u32]> = pass.iter().map(|index| ids[*index].as_slice()).collect();
            self.forward(&rows, *kind)
        };
        let mut features = vec![Features::default(); texts.len()];
        for ((_, pass), outputs) in passes.iter().zip(self.side_by_side(&passes, run)) {
            for (index, output) in pass.iter().zip(outputs?) {
                features[*index] = output;
            }
        }
        Ok(features)
    }

    /// The states of each text's tokens after the shared layers, `[tokens, hidden]`, in order: what
    /// training starts from.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub(crate) fn shared_states<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Tensor>, EncodeError> {
        let ids = self.ids(texts)?;
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let passes = plan(&lengths, (0..texts.len()).collect());
        let run = |pass: &Vec<usize>| -> Result<Vec<Tensor>, EncodeError> {
            let rows: Vec<&[u32]> = pass.iter().map(|index| ids[*index].as_slice()).collect();
            let (state, ..) = self.share(&rows)?;
            let own = |(text, row): (usize, &&[u32])| Ok(state.get(text)?.narrow(0, 0, row.len())?.copy()?);
            rows.iter().enumerate().map(own).collect()
        };
        let mut states = vec![None; texts.len()];
        for (pass, outputs) in passes.iter().zip(self.side_by_side(&passes, run)) {
            for (index, output) in pass.iter().zip(outputs?) {
                states[*index] = Some(output);
            }
        }
        Ok(states.into_iter().flatten().collect())
    }

    fn ids<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>, EncodeError> {
        texts.iter().map(|text| self.tokenizer.ids(text.as_ref()).map_err(EncodeError::Tokenizer)).collect()
    }

    /// Runs every pass, in order; several of them side by side.
    fn side_by_side<P: Sync, R: Send + Sync>(&self, passes: &[P], run: impl Fn(&P) -> R + Sync) -> Vec<R> {
        if passes.len() < 2 || self.lanes.len() < 2 {
            return passes.iter().map(|pass| self.lanes[0].install(|| run(pass))).collect();
        }
        let next = AtomicUsize::new(0);
        let results: Vec<OnceLock<R>> = passes.iter().map(|_| OnceLock::new()).collect();
        std::thread::scope(|scope| {
            for lane in &self.lanes {
                scope.spawn(|| {
                    // Passes shrink in size from first to last, so taking the next one shares them well.
                    while let Some((pass, result)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        passes.get(at).zip(results.get(at))
                    } {
                        let _ = result.set(lane.install(|| run(pass)));
                    }
                });
            }
        });
        results.into_iter().filter_map(OnceLock::into_inner).collect()
    }

    /// The padded batch after the shared layers, its mask, and the means of those of them that are
    /// part of the meaning, by text.
    fn share(&self, rows: &[&[u32]]) -> Result<(Tensor, Tensor, Vec<Vec<f32>>), EncodeError> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let padded = |row: &&[u32]| row.iter().copied().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>();
        let ids: Vec<u32> = rows.iter().flat_map(padded).collect();
        let ids = Tensor::from_vec(ids, (rows.len(), longest), &Device::Cpu)?;
        let mask = mask(&lengths)?;
        let mut state = self.embeddings.forward(&ids, &ids.zeros_like()?, None)?;
        let mut meanings = vec![Vec::new(); rows.len()];
        for (depth, layer) in self.trunk.iter().enumerate() {
            state = layer.forward(&state, &mask, &mut keep)?;
            self.gather(depth + 1, &state, rows, &mut meanings)?;
        }
        Ok((state, mask, meanings))
    }

    /// Adds the means of a layer to the meanings if it is one of theirs.
    fn gather(&self, depth: usize, state: &Tensor, rows: &[&[u32]], all: &mut [Vec<f32>]) -> Result<(), EncodeError> {
        if self.meant.contains(&depth) {
            for (meaning, mut mean) in all.iter_mut().zip(means(state, rows)?) {
                normalise(&mut mean);
                meaning.extend(mean);
            }
        }
        Ok(())
    }

    fn forward(&self, rows: &[&[u32]], wanted: Wanted) -> Result<Vec<Features>, EncodeError> {
        let (shared, mask, mut meanings) = self.share(rows)?;
        let mut features = vec![Features::default(); rows.len()];
        if wanted != Wanted::Mood {
            let mut state = shared.clone();
            for (depth, layer) in self.meaning.iter().enumerate() {
                state = layer.forward(&state, &mask, &mut keep)?;
                self.gather(self.trunk.len() + depth + 1, &state, rows, &mut meanings)?;
            }
            features.iter_mut().zip(meanings).for_each(|(features, meaning)| features.meaning = meaning);
        }
        if wanted != Wanted::Meaning {
            let mut state = shared;
            for (depth, layer) in self.mood.iter().enumerate() {
                state = layer.forward(&state, &mask, &mut keep)?;
                if self.pooled.contains(&(self.trunk.len() + depth + 1)) {
                    for (features, mean) in features.iter_mut().zip(means(&state, rows)?) {
                        features.mood.extend(mean);
                    }
                }
            }
        }
        Ok(features)
    }
}

/// For each text of a padded batch the mean over its tokens.
fn means(state: &Tensor, rows: &[&[u32]]) -> Result<Vec<Vec<f32>>, EncodeError> {
    let (_, longest, hidden) = state.dims3()?;
    let values = state.flatten_all()?.to_vec1::<f32>()?;
    let one = |(text, row): (usize, &&[u32])| mean(&values[text * longest * hidden..][..row.len() * hidden], hidden);
    Ok(rows.iter().enumerate().map(one).collect())
}

/// Mean of the token vectors.
fn mean(tokens: &[f32], hidden: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; hidden];
    for token in tokens.chunks_exact(hidden) {
        for (total, value) in sum.iter_mut().zip(token) {
            *total += value;
        }
    }
    let share = hidden as f32 / tokens.len().max(1) as f32;
    sum.iter_mut().for_each(|value| *value *= share);
    sum
}

/// Scales a vector to length 1; a zero vector stays as it is.
pub(crate) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

/// Splits the chosen texts into forward passes with little padding: longest first, neighbours in
/// length together. Every chosen index appears exactly once.
pub(crate) fn plan(lengths: &[usize], mut chosen: Vec<usize>) -> Vec<Vec<usize>> {
    chosen.sort_by_key(|index| std::cmp::Reverse(lengths[*index]));
    let mut passes: Vec<Vec<usize>> = Vec::new();
    let (mut longest, mut used) = (0, 0);
    for index in chosen {
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
            let passes = plan(&lengths, (0..lengths.len()).collect());
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
