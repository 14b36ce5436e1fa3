//! The encoder's layers in int8, in the `encoder` crate: builds its model from the stored weights and
//! spreads texts over threads. Knows the weights' names; knows nothing about instructions.

use super::bundle::{Section, position_offset};
use super::encoder::{EncodeError, LAYERS, MOOD_LAYERS, Wanted, Window};
use super::weights::StoredTensors;
use candle_transformers::models::bert::{Config, HiddenAct};
use encoder::{EmbeddingWeights, LayerWeights, Linear, Norm, Part, Peaks, Scratch, Tap, Text, Tops, Weights};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Most tokens of one pass: few enough that a layer's activations stay in the core's own cache.
const PASS_TOKENS: usize = 512;
/// Fewer tokens than this are not shared out over threads: handing them over would cost more.
const SHARED_TOKENS: usize = 96;
/// The sentence encoder's own top.
const MEANING: Tops = Tops::one(0);
/// The one trained for mood.
const MOOD: Tops = Tops::one(1);

/// The layers, packed for a tier.
pub(crate) struct Packed {
    encoder: encoder::Encoder,
    /// Layers of the trunk.
    shared: usize,
    /// Prefix of the names of the mood top's layers.
    mood: &'static str,
    lanes: usize,
    /// Buffers of the threads, kept between runs.
    scratch: Mutex<Vec<Scratch>>,
}

impl Packed {
    /// Builds the layers from stored tensors.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape, or the processor lacks the tier's instructions.
    pub(crate) fn load(
        mut tensors: StoredTensors,
        config: &Config,
        section: &Section,
        (tier, lanes): (encoder::Tier, usize),
    ) -> Result<Self, EncodeError> {
        if config.hidden_act != HiddenAct::Gelu {
            return Err(EncodeError::Activation(format!("{:?}", config.hidden_act)));
        }
        let (shared, depth) = (section.shared_layers, config.num_hidden_layers);
        let trained = tensors.names().any(|name| name.starts_with(MOOD_LAYERS));
        let mood = if trained { MOOD_LAYERS } else { LAYERS };
        let embeddings = read_embeddings(&mut tensors)?;
        let mut layers = |prefix: &str, range: std::ops::Range<usize>| {
            range.map(|layer| read_layer(&mut tensors, &format!("{prefix}.{layer}"))).collect::<Result<Vec<_>, _>>()
        };
        let (trunk, meaning) = (layers(LAYERS, 0..shared)?, layers(LAYERS, shared..depth)?);
        // Before training the mood's top is the sentence encoder's own.
        let mooded = if trained { layers(mood, shared..depth)? } else { meaning.clone() };
        let weights = Weights { embeddings, trunk, tops: vec![meaning, mooded] };
        let sizes = encoder::Config {
            hidden: config.hidden_size,
            heads: config.num_attention_heads,
            intermediate: config.intermediate_size,
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
            position_offset: position_offset(config),
            epsilon: config.layer_norm_eps as f32,
        };
        let tap = |top: usize, layer: usize| match layer.checked_sub(shared + 1) {
            None => Tap { part: Part::Trunk, layer: layer - 1 },
            Some(layer) => Tap { part: Part::Top(top), layer },
        };
        let meaning = section.meaning_layers.iter().map(|layer| tap(0, *layer));
        let taps: Vec<Tap> = meaning.chain(section.mood_layers.iter().map(|layer| tap(1, *layer))).collect();
        let encoder = encoder::Encoder::new(sizes, weights, &taps, tier)?;
        Ok(Self { encoder, shared, mood, lanes, scratch: Mutex::new(Vec::new()) })
    }

    /// The same on the calling thread alone, for callers that run side by side.
    pub(crate) fn on_one_thread(self) -> Self {
        Self { lanes: 1, ..self }
    }

    /// The instructions that it is packed for.
    pub(crate) fn tier(&self) -> encoder::Tier {
        self.encoder.tier()
    }

    /// What the inputs of the layers reach on these windows, with the prefix of each layer's names.
    ///
    /// # Errors
    /// As [`Packed::means`].
    pub(crate) fn measure(&self, windows: &[Window]) -> Result<Vec<(String, Peaks)>, EncodeError> {
        let texts: Vec<Text<'_>> = windows.iter().map(text).collect();
        let peaks = self.encoder.measure(&texts, &mut Scratch::new())?;
        let named = |prefix: &str, first: usize, layers: Vec<Peaks>| {
            let one = |(at, peaks)| (format!("{prefix}.{}", first + at), peaks);
            layers.into_iter().enumerate().map(one).collect::<Vec<_>>()
        };
        let mut all = named(LAYERS, 0, peaks.trunk);
        for (layers, prefix) in peaks.tops.into_iter().zip([LAYERS, self.mood]) {
            all.extend(named(prefix, self.shared, layers));
        }
        Ok(all)
    }

    /// For each window the means over its tokens after the meaning's layers and then the mood's; empty
    /// where they are not wanted.
    ///
    /// # Errors
    /// If a window is empty or too long, or an id unknown.
    pub(crate) fn means(&self, windows: &[Window]) -> Result<Vec<Vec<Vec<f32>>>, EncodeError> {
        let lengths: Vec<usize> = windows.iter().map(|window| window.ids.len()).collect();
        let passes = plan(&lengths, self.lanes);
        let run = |pass: &std::ops::Range<usize>| {
            let texts: Vec<Text<'_>> = windows[pass.clone()].iter().map(text).collect();
            // A poisoned lock leaves whole buffers behind: they are only given and taken under it.
            let kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut scratch = kept.unwrap_or_default();
            let means = self.encoder.run(&texts, &mut scratch);
            self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
            means
        };
        let lanes = self.lanes.min(passes.len());
        if lanes < 2 {
            let all: Result<Vec<_>, _> = passes.iter().map(run).collect();
            return Ok(all?.concat());
        }
        let next = AtomicUsize::new(0);
        let results: Vec<OnceLock<_>> = passes.iter().map(|_| OnceLock::new()).collect();
        let work = || {
            while let Some((pass, result)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                passes.get(at).zip(results.get(at))
            } {
                let _ = result.set(run(pass));
            }
        };
        std::thread::scope(|scope| {
            (1..lanes).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let mut all = Vec::with_capacity(windows.len());
        for result in results.into_iter().filter_map(OnceLock::into_inner) {
            all.extend(result?);
        }
        Ok(all)
    }
}

fn text(window: &Window) -> Text<'_> {
    let tops = match window.wanted {
        Wanted::Meaning => MEANING,
        Wanted::Mood => MOOD,
        Wanted::Both => MEANING.and(MOOD),
    };
    Text { ids: &window.ids, tops }
}

/// Splits windows, in order, into passes of few enough tokens; as many as there are threads, if there is
/// enough to share.
fn plan(lengths: &[usize], lanes: usize) -> Vec<std::ops::Range<usize>> {
    let total: usize = lengths.iter().sum();
    let share = if total >= SHARED_TOKENS { total.div_ceil(lanes.max(1)) } else { total };
    let most = share.min(PASS_TOKENS);
    let mut passes: Vec<std::ops::Range<usize>> = Vec::new();
    let mut used = 0;
    for (at, length) in lengths.iter().enumerate() {
        match passes.last_mut() {
            Some(pass) if used + length <= most => {
                pass.end = at + 1;
                used += length;
            }
            _ => {
                passes.push(at..at + 1);
                used = *length;
            }
        }
    }
    passes
}

fn read_embeddings(tensors: &mut StoredTensors) -> Result<EmbeddingWeights, EncodeError> {
    let types = tensors.values("embeddings.token_type_embeddings.weight")?;
    let norm = read_norm(tensors, "embeddings.LayerNorm")?;
    Ok(EmbeddingWeights {
        token_type: types[..norm.scale.len().min(types.len())].to_vec(),
        words: tensors.take_matrix("embeddings.word_embeddings.weight")?,
        positions: tensors.take_matrix("embeddings.position_embeddings.weight")?,
        norm,
    })
}

fn read_layer(tensors: &mut StoredTensors, prefix: &str) -> Result<LayerWeights, EncodeError> {
    let [query, key, value, attended, attention_norm, widen, narrow, norm] =
        super::transformer::PARTS.map(|part| format!("{prefix}.{part}"));
    Ok(LayerWeights {
        query: read_linear(tensors, &query)?,
        key: read_linear(tensors, &key)?,
        value: read_linear(tensors, &value)?,
        attended: read_linear(tensors, &attended)?,
        attention_norm: read_norm(tensors, &attention_norm)?,
        widen: read_linear(tensors, &widen)?,
        narrow: read_linear(tensors, &narrow)?,
        norm: read_norm(tensors, &norm)?,
    })
}

fn read_linear(tensors: &mut StoredTensors, name: &str) -> Result<Linear, EncodeError> {
    Ok(Linear {
        weight: tensors.take_matrix(&format!("{name}.weight"))?,
        bias: tensors.values(&format!("{name}.bias"))?,
    })
}

fn read_norm(tensors: &StoredTensors, name: &str) -> Result<Norm, EncodeError> {
    Ok(Norm { scale: tensors.values(&format!("{name}.weight"))?, shift: tensors.values(&format!("{name}.bias"))? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn passes_hold_every_window_once_and_in_order(
            lengths in prop::collection::vec(2_usize..=256, 0..200), lanes in 1_usize..5,
        ) {
            let passes = plan(&lengths, lanes);
            let seen: Vec<usize> = passes.iter().cloned().flatten().collect();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for pass in &passes {
                let total: usize = lengths[pass.clone()].iter().sum();
                prop_assert!(total <= PASS_TOKENS || pass.len() == 1);
            }
            let total: usize = lengths.iter().sum();
            prop_assert!(total >= SHARED_TOKENS || passes.len() <= 1);
        }
    }
}
