//! One BERT layer on the packed rows of a group of texts.
//!
//! States come in as f32 rows and as their levels, and leave the same way in the same place. Knows nothing about
//! where the group comes from or what is done with its states.

use crate::attention::{self, Attend};
use crate::buffer::Aligned;
use crate::model::Peaks;
use crate::packed::{Packed, Places};
use crate::product::{Add, Product, Store, StoreGelu};
use crate::rows::{Levels, Normalise, PackedNorm, Quantise, Scale};
use crate::simd::Simd;
use crate::weights::{Config, LayerWeights};

/// Most rows that go through the feed-forward part at once, so that its wide rows stay in the cache.
const FEED_ROWS: usize = 64;

/// Buffers of a layer, for any number of rows.
#[derive(Debug, Default)]
pub(crate) struct LayerScratch {
    /// Queries, keys and values; after them the wide rows of the feed-forward part.
    wide: Aligned<f32>,
    found: Aligned<f32>,
    attention: Aligned<f32>,
    levels: Levels,
}

impl LayerScratch {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.wide.bytes() + self.found.bytes() + self.attention.bytes() + self.levels.bytes()
    }
}

/// States of a group of texts: f32 rows, and the same rounded to levels.
pub(crate) struct States<'a> {
    /// Rows, one for each token, text after text.
    pub(crate) rows: &'a mut [f32],
    /// Their levels.
    pub(crate) levels: &'a mut [u8],
    /// What a row's levels stand for.
    pub(crate) scales: &'a mut [Scale],
}

/// A packed layer.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Query, key and value of every head, the query with the scores' factor in it.
    attention: Packed,
    attended: Packed,
    attention_norm: PackedNorm,
    widen: Packed,
    narrow: Packed,
    norm: PackedNorm,
    heads: usize,
}

impl Layer {
    /// Packs a layer for a tier.
    pub(crate) fn new<S: Simd>(config: &Config, weights: &LayerWeights) -> Self {
        let heads = Places::runs(config.hidden, config.head());
        let (plain, wide) = (Places::plain(config.hidden), Places::plain(config.intermediate));
        let factor = 1.0 / (config.head() as f32).sqrt();
        let attention = [(&weights.query, factor), (&weights.key, 1.0), (&weights.value, 1.0)];
        Self {
            attention: Packed::new::<S>(&attention, heads, plain),
            attended: Packed::new::<S>(&[(&weights.attended, 1.0)], plain, heads),
            attention_norm: PackedNorm::new(&weights.attention_norm, config.epsilon),
            widen: Packed::new::<S>(&[(&weights.widen, 1.0)], wide, plain),
            narrow: Packed::new::<S>(&[(&weights.narrow, 1.0)], plain, wide),
            norm: PackedNorm::new(&weights.norm, config.epsilon),
            heads: config.heads,
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let packed = [&self.attention, &self.attended, &self.widen, &self.narrow];
        let norms = self.attention_norm.bytes() + self.norm.bytes();
        packed.iter().map(|packed| packed.bytes()).sum::<usize>() + norms
    }

    /// What states are multiplied with before they are rounded for this layer.
    pub(crate) fn smoothing(&self) -> &[f32] {
        self.attention.smoothing()
    }

    /// Takes the states of texts of these lengths through the layer; they come out rounded for the next one. What they
    /// reach on the way is added to `peaks`.
    pub(crate) fn forward<S: Simd>(
        &self,
        simd: S,
        states: &mut States<'_>,
        lengths: impl Iterator<Item = usize>,
        (next, peaks): (&[f32], Option<&mut Peaks>),
        scratch: &mut LayerScratch,
    ) {
        let rows = states.scales.len();
        let watched = peaks.map(|peaks| {
            raise(&mut peaks.attention, states.rows, self.attention.inputs());
            &mut peaks.widen
        });
        self.attend(simd, states, lengths, scratch);
        let found = scratch.found.take(rows * self.attended.inputs());
        let (levels, scales) = scratch.levels.take::<S>(rows, self.attended.inputs());
        let smoothing = self.attended.smoothing();
        simd.vectorize(Quantise { rows: found, smoothing, levels: &mut *levels, scales: &mut *scales });
        let sink = Add(Store { rows: states.rows, width: self.attended.outputs() });
        simd.vectorize(Product { levels, scales, packed: &self.attended, sink });
        let smoothing = self.widen.smoothing();
        let States { rows, levels, scales } = states;
        simd.vectorize(Normalise { norm: &self.attention_norm, rows, smoothing, levels, scales });
        if let Some(peaks) = watched {
            raise(peaks, states.rows, self.widen.inputs());
        }
        self.feed(simd, states, next, scratch);
    }

    /// Attention up to what the heads found.
    fn attend<S: Simd>(
        &self,
        simd: S,
        states: &States<'_>,
        lengths: impl Iterator<Item = usize>,
        scratch: &mut LayerScratch,
    ) {
        let rows = states.scales.len();
        let (width, found_width) = (self.attention.outputs(), self.attended.inputs());
        let wide = scratch.wide.take(rows * width);
        let sink = Store { rows: &mut *wide, width };
        let (levels, scales) = (&*states.levels, &*states.scales);
        simd.vectorize(Product { levels, scales, packed: &self.attention, sink });
        let found = scratch.found.take(rows * found_width);
        let (heads, size) = (self.heads, found_width / self.heads);
        let mut first = 0;
        for tokens in lengths {
            let states = &wide[first * width..][..tokens * width];
            let found = &mut found[first * found_width..][..tokens * found_width];
            let scratch = scratch.attention.take(attention::scratch(tokens, size));
            simd.vectorize(Attend { states, found, scratch, heads, size });
            first += tokens;
        }
    }

    /// The feed-forward part.
    fn feed<S: Simd>(&self, simd: S, states: &mut States<'_>, next: &[f32], scratch: &mut LayerScratch) {
        let rows = states.scales.len();
        let (width, wide_width) = (self.narrow.outputs(), self.narrow.inputs());
        let bytes = width * 4 / S::GROUP;
        let blocks = rows.div_ceil(FEED_ROWS);
        for block in 0..blocks {
            let (first, end) = (block * rows / blocks, (block + 1) * rows / blocks);
            let rows = &mut states.rows[first * width..end * width];
            let levels = &mut states.levels[first * bytes..end * bytes];
            let scales = &mut states.scales[first..end];
            let wide = scratch.wide.take((end - first) * wide_width);
            let sink = StoreGelu(Store { rows: &mut *wide, width: wide_width });
            simd.vectorize(Product { levels: &*levels, scales: &*scales, packed: &self.widen, sink });
            let (wide_levels, wide_scales) = scratch.levels.take::<S>(end - first, wide_width);
            let smoothing = self.narrow.smoothing();
            simd.vectorize(Quantise { rows: wide, smoothing, levels: &mut *wide_levels, scales: &mut *wide_scales });
            let sink = Add(Store { rows: &mut *rows, width });
            simd.vectorize(Product { levels: wide_levels, scales: wide_scales, packed: &self.narrow, sink });
            simd.vectorize(Normalise { norm: &self.norm, rows, smoothing: next, levels, scales });
        }
    }
}

/// Raises each peak to the largest magnitude of its place in rows of a padded width.
fn raise(peaks: &mut [f32], rows: &[f32], width: usize) {
    for row in rows.chunks_exact(width) {
        peaks.iter_mut().zip(row).for_each(|(peak, value)| *peak = peak.max(value.abs()));
    }
}
