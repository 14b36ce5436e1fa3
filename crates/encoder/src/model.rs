//! A model packed for a tier: embeddings, trunk, tops, and the means of layer states.
//!
//! Texts go through the trunk in groups that stay in the cache; those that want a top are brought together in new
//! groups for it. Expects a checked configuration and checked texts. Knows nothing about choosing a tier.

use crate::buffer::Aligned;
use crate::encoder::{Part, Tap, Text};
use crate::layer::{Layer, LayerScratch, States};
use crate::packed::padded;
use crate::rows::{Accumulate, Levels, Normalise, PackedNorm, Quantise};
use crate::simd::Simd;
use crate::weights::{Config, EmbeddingWeights, LayerWeights, Weights};

/// Tokens from which on a group is closed: enough that the weights are worth their loading, few enough that the
/// states stay in the cache.
const GROUP_TOKENS: usize = 128;

/// Means of a run, `[text][tap]`.
pub(crate) type Means = Vec<Vec<Vec<f32>>>;

/// Largest magnitude that each value of a layer's states has had, where the two products that read states read them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peaks {
    /// Before attention.
    pub attention: Vec<f32>,
    /// Before the feed-forward part.
    pub widen: Vec<f32>,
}

/// The peaks of a model's layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelPeaks {
    /// Layers of the trunk.
    pub trunk: Vec<Peaks>,
    /// Layers of each top.
    pub tops: Vec<Vec<Peaks>>,
}

impl ModelPeaks {
    fn of(&mut self, part: Part) -> Option<&mut Vec<Peaks>> {
        match part {
            Part::Trunk => Some(&mut self.trunk),
            Part::Top(top) => self.tops.get_mut(top),
        }
    }
}

/// Buffers of a run.
#[derive(Debug, Default)]
pub(crate) struct ModelScratch {
    /// States after the trunk, of all texts.
    trunk: Aligned<f32>,
    /// States of the group that is in a part.
    states: Aligned<f32>,
    levels: Levels,
    sum: Aligned<f32>,
    layer: LayerScratch,
}

impl ModelScratch {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let rows = self.trunk.bytes() + self.states.bytes() + self.sum.bytes();
        rows + self.levels.bytes() + self.layer.bytes()
    }
}

/// A packed model.
#[derive(Debug)]
pub(crate) struct Model<S> {
    simd: S,
    config: Config,
    embeddings: EmbeddingWeights,
    embedding_norm: PackedNorm,
    trunk: Vec<Layer>,
    tops: Vec<Vec<Layer>>,
    taps: Vec<Tap>,
    /// Ones, as wide as a state.
    unchanged: Vec<f32>,
}

impl<S: Simd> Model<S> {
    /// Packs checked weights.
    pub(crate) fn new(simd: S, config: Config, weights: Weights, taps: &[Tap]) -> Self {
        let pack = |layers: Vec<LayerWeights>| -> Vec<Layer> {
            // Each layer's own weights are freed once it is packed.
            layers.into_iter().map(|layer| Layer::new::<S>(&config, &layer)).collect()
        };
        let Weights { embeddings, trunk, tops } = weights;
        Self {
            simd,
            config,
            embedding_norm: PackedNorm::new(&embeddings.norm, config.epsilon),
            embeddings,
            trunk: pack(trunk),
            tops: tops.into_iter().map(pack).collect(),
            taps: taps.to_vec(),
            unchanged: vec![1.0; padded(config.hidden)],
        }
    }

    /// Bytes of all weights.
    pub(crate) fn bytes(&self) -> usize {
        let tables = [&self.embeddings.words, &self.embeddings.positions];
        let tables: usize = tables.iter().map(|table| table.values.len() + 4 * table.scales.len()).sum();
        let vectors = 4 * self.embeddings.token_type.len() + self.embedding_norm.bytes();
        let layers = self.trunk.iter().chain(self.tops.iter().flatten());
        tables + vectors + layers.map(Layer::bytes).sum::<usize>()
    }

    /// What checked texts' states reach: 0 everywhere in a part that none goes through.
    pub(crate) fn measure(&self, texts: &[Text<'_>], scratch: &mut ModelScratch) -> ModelPeaks {
        let width = self.config.hidden;
        let zeros =
            |layers: &Vec<Layer>| vec![Peaks { attention: vec![0.0; width], widen: vec![0.0; width] }; layers.len()];
        let mut peaks = ModelPeaks { trunk: zeros(&self.trunk), tops: self.tops.iter().map(zeros).collect() };
        self.pass(texts, scratch, Some(&mut peaks));
        peaks
    }

    /// Runs checked texts.
    pub(crate) fn run(&self, texts: &[Text<'_>], scratch: &mut ModelScratch) -> Means {
        self.pass(texts, scratch, None)
    }

    fn pass(&self, texts: &[Text<'_>], scratch: &mut ModelScratch, mut peaks: Option<&mut ModelPeaks>) -> Means {
        let mut means: Means = texts.iter().map(|_| vec![Vec::new(); self.taps.len()]).collect();
        let width = padded(self.config.hidden);
        // Where each text's rows start after the trunk.
        let mut starts = Vec::with_capacity(texts.len());
        let mut tokens = 0;
        for text in texts {
            starts.push(tokens);
            tokens += text.ids.len();
        }
        // States are kept only if a top will want them.
        let branches = texts.iter().any(|text| !text.tops.is_empty());
        if branches {
            scratch.trunk.take(tokens * width);
        }
        let all: Vec<usize> = (0..texts.len()).collect();
        for group in groups(texts, &all) {
            let rows = scratch.states.take(tokens_of(texts, group) * width);
            self.embed(texts, group, rows, &mut scratch.levels);
            self.part((Part::Trunk, &self.trunk), (texts, group), scratch, &mut means, peaks.as_deref_mut());
            if branches {
                let ModelScratch { trunk, states, .. } = scratch;
                let rows = states.take(tokens_of(texts, group) * width);
                trunk.take(tokens * width)[starts[group[0]] * width..][..rows.len()].copy_from_slice(rows);
            }
        }
        for (top, layers) in self.tops.iter().enumerate() {
            let chosen: Vec<usize> = (0..texts.len()).filter(|text| texts[*text].tops.contains(top)).collect();
            for group in groups(texts, &chosen) {
                let ModelScratch { trunk, states, levels, .. } = scratch;
                let trunk = trunk.take(tokens * width);
                let rows = states.take(tokens_of(texts, group) * width);
                let mut at = 0;
                for text in group {
                    let own = &trunk[starts[*text] * width..][..texts[*text].ids.len() * width];
                    rows[at..at + own.len()].copy_from_slice(own);
                    at += own.len();
                }
                let (levels, scales) = levels.take::<S>(rows.len() / width, width);
                let smoothing = self.smoothing(layers);
                self.simd.vectorize(Quantise { rows, smoothing, levels, scales });
                self.part((Part::Top(top), layers), (texts, group), scratch, &mut means, peaks.as_deref_mut());
            }
        }
        means
    }

    /// The first states of a group.
    fn embed(&self, texts: &[Text<'_>], group: &[usize], rows: &mut [f32], levels: &mut Levels) {
        let EmbeddingWeights { words, positions, token_type, .. } = &self.embeddings;
        let width = padded(self.config.hidden);
        let tokens = group.iter().flat_map(|text| texts[*text].ids.iter().enumerate());
        for (row, (place, id)) in rows.chunks_exact_mut(width).zip(tokens) {
            let (word, word_scale) = words.row(*id as usize);
            let (position, position_scale) = positions.row(place + self.config.position_offset);
            let (row, rest) = row.split_at_mut(self.config.hidden);
            let values = word.iter().zip(position).zip(token_type);
            for (value, ((word, position), token_type)) in row.iter_mut().zip(values) {
                *value = f32::from(*word) * word_scale + f32::from(*position) * position_scale + token_type;
            }
            rest.fill(0.0);
        }
        let count = rows.len() / width;
        let (levels, scales) = levels.take::<S>(count, width);
        let smoothing = self.smoothing(&self.trunk);
        self.simd.vectorize(Normalise { norm: &self.embedding_norm, rows, smoothing, levels, scales });
    }

    /// What states are multiplied with before they are rounded for the first of these layers.
    fn smoothing<'a>(&'a self, layers: &'a [Layer]) -> &'a [f32] {
        layers.first().map_or(&self.unchanged, Layer::smoothing)
    }

    /// Takes a group through the layers of a part; its states and levels are in the scratch.
    fn part(
        &self,
        (part, layers): (Part, &[Layer]),
        (texts, group): (&[Text<'_>], &[usize]),
        scratch: &mut ModelScratch,
        means: &mut Means,
        peaks: Option<&mut ModelPeaks>,
    ) {
        let mut peaks = peaks.and_then(|peaks| peaks.of(part));
        let width = padded(self.config.hidden);
        let tokens = tokens_of(texts, group);
        let ModelScratch { states, levels, sum, layer: layer_scratch, .. } = scratch;
        let rows = states.take(tokens * width);
        let (levels, scales) = levels.take::<S>(tokens, width);
        let mut states = States { rows, levels, scales };
        for (depth, layer) in layers.iter().enumerate() {
            let lengths = group.iter().map(|text| texts[*text].ids.len());
            // After the last layer nobody reads the levels.
            let next = self.smoothing(&layers[depth + 1..]);
            let peaks = peaks.as_deref_mut().and_then(|peaks| peaks.get_mut(depth));
            layer.forward(self.simd, &mut states, lengths, (next, peaks), layer_scratch);
            for (at, _) in self.taps.iter().enumerate().filter(|(_, tap)| **tap == Tap { part, layer: depth }) {
                let mut first = 0;
                for text in group {
                    let count = texts[*text].ids.len() * width;
                    let sum = sum.take(width);
                    sum.fill(0.0);
                    self.simd.vectorize(Accumulate { rows: &states.rows[first..first + count], sum: &mut *sum });
                    let share = 1.0 / texts[*text].ids.len() as f32;
                    means[*text][at] = sum[..self.config.hidden].iter().map(|value| value * share).collect();
                    first += count;
                }
            }
        }
    }
}

/// Tokens of a group.
fn tokens_of(texts: &[Text<'_>], group: &[usize]) -> usize {
    group.iter().map(|text| texts[*text].ids.len()).sum()
}

/// Splits the chosen texts, in order, into groups.
fn groups<'a>(texts: &'a [Text<'_>], chosen: &'a [usize]) -> impl Iterator<Item = &'a [usize]> {
    let mut rest = chosen;
    std::iter::from_fn(move || {
        let mut tokens = 0;
        let end = rest.iter().position(|text| {
            tokens += texts[*text].ids.len();
            tokens >= GROUP_TOKENS
        });
        let (group, after) = rest.split_at(end.map_or(rest.len(), |last| last + 1));
        rest = after;
        (!group.is_empty()).then_some(group)
    })
}
