//! Steps on whole rows: exponential, GELU, layer normalisation, and rounding to levels of 0 to 255.
//!
//! Rows are padded with zeros to whole vectors and stay so. Knows nothing about products or layers.

use crate::buffer::Aligned;
use crate::packed::padded;
use crate::simd::{Kernel, LANES, Simd};
use crate::weights::Norm;

/// A row whose range is narrower counts as zero: its levels would need a factor that f32 does not have.
const SMALLEST: f32 = 1e-30;

/// e^x for x <= 0, relative error below 3e-7; for less than -87 that of -87.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::F) -> S::F {
    let x = simd.mul(simd.max(x, simd.splat(-87.0)), simd.splat(std::f32::consts::LOG2_E));
    let whole = simd.round(x);
    let rest = simd.mul(simd.sub(x, whole), simd.splat(std::f32::consts::LN_2));
    // The first terms of e^rest for |rest| <= ln 2 / 2.
    let mut series = simd.splat(1.0 / 720.0);
    for term in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = simd.fma(series, rest, simd.splat(term));
    }
    simd.mul(series, simd.power_of_two(whole))
}

/// From here on the normal distribution's share is taken as 0 or 1.
const FAR: f32 = 5.25;
/// (share below x - 1/2) / x as a polynomial of z = 2 (x / FAR)^2 - 1: a minimax fit for |x| <= FAR.
const SHARE: [f32; 13] = [
    0.13465929,
    -0.06712635,
    0.04965064,
    -0.039781965,
    0.031965762,
    -0.024843337,
    0.018839948,
    -0.013651629,
    0.007881496,
    -0.0036235838,
    0.0031169024,
    -0.0028213933,
    0.0009723061,
];

/// GELU in its exact form, x times the normal distribution's share below x; absolute error below 3e-6 for |x| <= 30.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(simd: S, x: S::F) -> S::F {
    let near = simd.min(simd.max(x, simd.splat(-FAR)), simd.splat(FAR));
    let z = simd.fma(simd.mul(near, near), simd.splat(2.0 / (FAR * FAR)), simd.splat(-1.0));
    let mut series = simd.splat(SHARE[SHARE.len() - 1]);
    for term in SHARE.iter().rev().skip(1) {
        series = simd.fma(series, z, simd.splat(*term));
    }
    simd.mul(x, simd.fma(near, series, simd.splat(0.5)))
}

/// Adds a row to a sum.
pub(crate) struct Accumulate<'a> {
    /// Rows, one after the other.
    pub(crate) rows: &'a [f32],
    /// As wide as a row.
    pub(crate) sum: &'a mut [f32],
}

impl Kernel for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        for row in self.rows.chunks_exact(self.sum.len()) {
            for (sum, values) in self.sum.chunks_exact_mut(S::LANES).zip(row.chunks_exact(S::LANES)) {
                simd.store(simd.add(simd.load(sum), simd.load(values)), sum);
            }
        }
    }
}

/// What a row's levels stand for: a value is its level less `zero`, times `step`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scale {
    /// From a level to the next.
    pub(crate) step: f32,
    /// The level of 0, itself from 0 to 255.
    pub(crate) zero: i32,
}

/// Rows as levels of 0 to 255, each with what they stand for. Those of a row reach from its lowest value to its
/// highest, and always to 0, so that 0 (and with it the padding) has a level of its own.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    bytes: Aligned<u8>,
    scales: Aligned<Scale>,
}

impl Levels {
    /// Room for rows of a width (padded), to be written and read.
    pub(crate) fn take<S: Simd>(&mut self, rows: usize, width: usize) -> (&mut [u8], &mut [Scale]) {
        (self.bytes.take(rows * width * 4 / S::GROUP), self.scales.take(rows))
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.bytes() + self.scales.bytes()
    }
}

/// Lowest and highest value of a row so far, in each lane; starts at 0.
#[derive(Clone, Copy)]
struct Range<F> {
    low: F,
    high: F,
}

impl<F: Copy> Range<F> {
    #[inline(always)]
    fn new<S: Simd<F = F>>(simd: S) -> Self {
        Self { low: simd.splat(0.0), high: simd.splat(0.0) }
    }

    #[inline(always)]
    fn with<S: Simd<F = F>>(self, simd: S, values: F) -> Self {
        Self { low: simd.min(self.low, values), high: simd.max(self.high, values) }
    }
}

/// Rounds a row whose range after smoothing is given to levels; gives back what they stand for.
#[inline(always)]
fn quantise<S: Simd>(simd: S, row: &[f32], smoothing: &[f32], range: Range<S::F>, levels: &mut [u8]) -> Scale {
    let (low, high) = (simd.lowest(range.low), simd.highest(range.high));
    // Half of everything, which rounds the same: the whole range may be beyond f32.
    let half = 0.5 * high - 0.5 * low;
    let (factor, step) = if half < 0.5 * SMALLEST { (0.0, 0.0) } else { (127.5 / half, half / 127.5) };
    let zero = (-low * factor).round_ties_even() as i32;
    let factor = simd.splat(factor);
    let bytes = S::LANES * 4 / S::GROUP;
    let inputs = row.chunks_exact(S::LANES).zip(smoothing.chunks_exact(S::LANES));
    for ((values, smoothing), levels) in inputs.zip(levels.chunks_exact_mut(bytes)) {
        let value = simd.mul(simd.load(values), simd.load(smoothing));
        simd.store_levels(simd.mul(value, factor), zero, levels);
    }
    Scale { step, zero }
}

/// Rounds rows to levels.
pub(crate) struct Quantise<'a> {
    /// Rows, one after the other.
    pub(crate) rows: &'a [f32],
    /// What a row's values are multiplied with before that; as wide as a row.
    pub(crate) smoothing: &'a [f32],
    /// The levels.
    pub(crate) levels: &'a mut [u8],
    /// One for each row.
    pub(crate) scales: &'a mut [Scale],
}

impl Kernel for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let smoothing = self.smoothing;
        let levels = self.levels.chunks_exact_mut(smoothing.len() * 4 / S::GROUP);
        for ((row, levels), scale) in self.rows.chunks_exact(smoothing.len()).zip(levels).zip(self.scales) {
            let mut range = Range::new(simd);
            for (values, smoothing) in row.chunks_exact(S::LANES).zip(smoothing.chunks_exact(S::LANES)) {
                range = range.with(simd, simd.mul(simd.load(values), simd.load(smoothing)));
            }
            *scale = quantise(simd, row, smoothing, range, levels);
        }
    }
}

/// A layer normalisation for padded rows.
#[derive(Debug)]
pub(crate) struct PackedNorm {
    scale: Aligned<f32>,
    shift: Aligned<f32>,
    /// 1 where the last vector of a row has values, 0 where it is padding.
    last: [f32; LANES],
    count: usize,
    epsilon: f32,
}

impl PackedNorm {
    /// Pads a normalisation's weights.
    pub(crate) fn new(norm: &Norm, epsilon: f32) -> Self {
        let count = norm.scale.len();
        let pad = |values: &[f32]| {
            let mut values = values.to_vec();
            values.resize(padded(count), 0.0);
            Aligned::from_slice(&values)
        };
        let start = padded(count) - LANES;
        let last = std::array::from_fn(|lane| if start + lane < count { 1.0 } else { 0.0 });
        Self { scale: pad(&norm.scale), shift: pad(&norm.shift), last, count, epsilon }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.scale.bytes() + self.shift.bytes()
    }
}

/// Normalises rows in place and rounds them to levels.
pub(crate) struct Normalise<'a> {
    /// Scale, shift and width.
    pub(crate) norm: &'a PackedNorm,
    /// Rows, one after the other.
    pub(crate) rows: &'a mut [f32],
    /// What the normal values are multiplied with before they are rounded; as wide as a row.
    pub(crate) smoothing: &'a [f32],
    /// The levels.
    pub(crate) levels: &'a mut [u8],
    /// One for each row.
    pub(crate) scales: &'a mut [Scale],
}

impl Kernel for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let (scale, shift) = (self.norm.scale.all(), self.norm.shift.all());
        let width = scale.len();
        let bytes = width * 4 / S::GROUP;
        let share = 1.0 / self.norm.count as f32;
        for ((row, levels), level_scale) in
            self.rows.chunks_exact_mut(width).zip(self.levels.chunks_exact_mut(bytes)).zip(self.scales)
        {
            let mut sum = simd.splat(0.0);
            for values in row.chunks_exact(S::LANES) {
                sum = simd.add(sum, simd.load(values));
            }
            let mean = simd.splat(simd.sum(sum) * share);
            let (whole, rest) = row.split_at(width - LANES);
            let mut squares = simd.splat(0.0);
            for values in whole.chunks_exact(S::LANES) {
                let distance = simd.sub(simd.load(values), mean);
                squares = simd.fma(distance, distance, squares);
            }
            for (values, counts) in rest.chunks_exact(S::LANES).zip(self.norm.last.chunks_exact(S::LANES)) {
                let distance = simd.mul(simd.sub(simd.load(values), mean), simd.load(counts));
                squares = simd.fma(distance, distance, squares);
            }
            let inverse = simd.splat(1.0 / (simd.sum(squares) * share + self.norm.epsilon).sqrt());
            let mut range = Range::new(simd);
            let weights = scale.chunks_exact(S::LANES).zip(shift.chunks_exact(S::LANES));
            let weights = weights.zip(self.smoothing.chunks_exact(S::LANES));
            for (values, ((scale, shift), smoothing)) in row.chunks_exact_mut(S::LANES).zip(weights) {
                let normal = simd.mul(simd.sub(simd.load(values), mean), inverse);
                let value = simd.fma(normal, simd.load(scale), simd.load(shift));
                range = range.with(simd, simd.mul(value, simd.load(smoothing)));
                simd.store(value, values);
            }
            *level_scale = quantise(simd, row, self.smoothing, range, levels);
        }
    }
}
