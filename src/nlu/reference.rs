//! The encoder's layers in f32 on candle: what training starts from, and what the fast encoder is
//! measured against. Padded batches, a thread pool of one thread for each pass that runs beside
//! others. Knows nothing about tokenizers, heads or files.

use super::bundle::{Section, position_offset};
use super::encoder::{EncodeError, LAYERS, MOOD_LAYERS, Wanted, Window};
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

/// The table of positions.
const POSITIONS: &str = "embeddings.position_embeddings.weight";

/// The transformer layers, on the CPU, in f32.
pub(crate) struct Reference {
    embeddings: BertModel,
    /// Shared by both tops.
    trunk: Vec<Layer>,
    meaning: Vec<Layer>,
    mood: Vec<Layer>,
    /// Layers whose means are the meaning, counted from 1 at the bottom.
    meant: [usize; 2],
    /// The same for the mood.
    pooled: Vec<usize>,
    /// One thread each, for passes side by side: less hand-over than sharing each pass.
    lanes: Vec<rayon::ThreadPool>,
}

impl Reference {
    /// Builds the layers from f32 tensors named as in a Hugging Face BERT file, the mood layers
    /// with another prefix. `threads` is the number of CPU threads, 0 for all cores.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub(crate) fn load(
        mut tensors: HashMap<String, Tensor>,
        config: &Config,
        section: &Section,
        threads: usize,
    ) -> Result<Self, EncodeError> {
        // candle's embeddings count from row 0, so rows that stand before the first token's are left out.
        let offset = position_offset(config);
        let positions = config.max_position_embeddings.saturating_sub(offset);
        if let Some(table) = tensors.get_mut(POSITIONS).filter(|_| offset > 0) {
            *table = table.narrow(0, offset, positions)?;
        }
        let mood = if tensors.keys().any(|name| name.starts_with(MOOD_LAYERS)) { MOOD_LAYERS } else { LAYERS };
        let builder = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let none = Config { num_hidden_layers: 0, max_position_embeddings: positions, ..config.clone() };
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
        let lane =
            |lane| rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(move |_| format!("nlu-{lane}")).build();
        let lanes = (0..super::encoder::lanes(threads)).map(lane).collect::<Result<Vec<_>, _>>()?;
        let (meant, pooled) = (section.meaning_layers, section.mood_layers.clone());
        Ok(Self { embeddings, trunk, meaning, mood, meant, pooled, lanes })
    }

    /// The same in one pool, for callers that run side by side.
    pub(crate) fn on_one_thread(mut self) -> Self {
        self.lanes.truncate(1);
        self
    }

    /// The pools of one thread each, in which passes run side by side.
    #[must_use]
    pub(crate) fn lanes(&self) -> &[rayon::ThreadPool] {
        &self.lanes
    }

    /// For each window the means over its tokens after the meaning's layers and then the mood's; empty
    /// where they are not wanted. Passes mix windows only where they ask for the same.
    ///
    /// # Errors
    /// If the tensor library refuses.
    pub(crate) fn means(&self, windows: &[Window]) -> Result<Vec<Vec<Vec<f32>>>, EncodeError> {
        let lengths: Vec<usize> = windows.iter().map(|window| window.ids.len()).collect();
        let mut passes: Vec<(Wanted, Vec<usize>)> = Vec::new();
        for kind in [Wanted::Both, Wanted::Mood, Wanted::Meaning] {
            let chosen: Vec<usize> = (0..windows.len()).filter(|index| windows[*index].wanted == kind).collect();
            passes.extend(plan(&lengths, chosen).into_iter().map(|pass| (kind, pass)));
        }
        let run = |(kind, pass): &(Wanted, Vec<usize>)| {
            let rows: Vec<&[u32]> = pass.iter().map(|index| windows[*index].ids.as_slice()).collect();
            self.forward(&rows, *kind)
        };
        let mut means = vec![Vec::new(); windows.len()];
        for ((_, pass), outputs) in passes.iter().zip(self.side_by_side(&passes, run)) {
            for (index, output) in pass.iter().zip(outputs?) {
                means[*index] = output;
            }
        }
        Ok(means)
    }

    /// The states of each row's tokens after the shared layers, `[tokens, hidden]`, in order: what
    /// training starts from.
    ///
    /// # Errors
    /// As [`Reference::means`].
    pub(crate) fn shared_states(&self, ids: &[Vec<u32>]) -> Result<Vec<Tensor>, EncodeError> {
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let passes = plan(&lengths, (0..ids.len()).collect());
        let run = |pass: &Vec<usize>| -> Result<Vec<Tensor>, EncodeError> {
            let rows: Vec<&[u32]> = pass.iter().map(|index| ids[*index].as_slice()).collect();
            let mut none = Vec::new();
            let (state, _) = self.share(&rows, &mut none)?;
            let own = |(text, row): (usize, &&[u32])| Ok(state.get(text)?.narrow(0, 0, row.len())?.copy()?);
            rows.iter().enumerate().map(own).collect()
        };
        let mut states = vec![None; ids.len()];
        for (pass, outputs) in passes.iter().zip(self.side_by_side(&passes, run)) {
            for (index, output) in pass.iter().zip(outputs?) {
                states[*index] = Some(output);
            }
        }
        Ok(states.into_iter().flatten().collect())
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

    /// The padded batch after the shared layers and its mask. The means of those of them that are part
    /// of the meaning are added to `means`, by row.
    fn share(&self, rows: &[&[u32]], means: &mut [Vec<Vec<f32>>]) -> Result<(Tensor, Tensor), EncodeError> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let padded = |row: &&[u32]| row.iter().copied().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>();
        let ids: Vec<u32> = rows.iter().flat_map(padded).collect();
        let ids = Tensor::from_vec(ids, (rows.len(), longest), &Device::Cpu)?;
        let mask = mask(&lengths)?;
        let mut state = self.embeddings.forward(&ids, &ids.zeros_like()?, None)?;
        for (depth, layer) in self.trunk.iter().enumerate() {
            state = layer.forward(&state, &mask, &mut keep)?;
            self.gather(&self.meant, depth + 1, &state, rows, means)?;
        }
        Ok((state, mask))
    }

    /// Adds the means of a layer as often as it is wanted: twice where a model has a single one.
    fn gather(
        &self,
        wanted: &[usize],
        depth: usize,
        state: &Tensor,
        rows: &[&[u32]],
        means: &mut [Vec<Vec<f32>>],
    ) -> Result<(), EncodeError> {
        let times = wanted.iter().filter(|layer| **layer == depth).count();
        if times > 0 && !means.is_empty() {
            let found = row_means(state, rows)?;
            means.iter_mut().zip(found).for_each(|(all, mean)| all.extend(std::iter::repeat_n(mean, times)));
        }
        Ok(())
    }

    fn forward(&self, rows: &[&[u32]], wanted: Wanted) -> Result<Vec<Vec<Vec<f32>>>, EncodeError> {
        let mut means = vec![Vec::new(); rows.len()];
        let (shared, mask) = self.share(rows, &mut means)?;
        if wanted == Wanted::Mood {
            means.iter_mut().for_each(|all| *all = vec![Vec::new(); self.meant.len()]);
        } else {
            let mut state = shared.clone();
            for (depth, layer) in self.meaning.iter().enumerate() {
                state = layer.forward(&state, &mask, &mut keep)?;
                self.gather(&self.meant, self.trunk.len() + depth + 1, &state, rows, &mut means)?;
            }
        }
        if wanted == Wanted::Meaning {
            means.iter_mut().for_each(|all| all.extend(vec![Vec::new(); self.pooled.len()]));
        } else {
            let mut state = shared;
            for (depth, layer) in self.mood.iter().enumerate() {
                state = layer.forward(&state, &mask, &mut keep)?;
                self.gather(&self.pooled, self.trunk.len() + depth + 1, &state, rows, &mut means)?;
            }
        }
        Ok(means)
    }
}

/// For each row of a padded batch the mean over its tokens.
fn row_means(state: &Tensor, rows: &[&[u32]]) -> Result<Vec<Vec<f32>>, EncodeError> {
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
