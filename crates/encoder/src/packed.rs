//! A linear part's int8 weights in the order in which a product reads them.
//!
//! Columns of the product are the part's outputs. A panel holds as many of them as a tier has registers for, and
//! within it each step of the product finds its group of inputs for every column side by side:
//! `[panel][step][column][GROUP]`. Outputs and inputs may be spread over wider places ([`Places`]);
//! what lies between is zero. Knows nothing about activations.

use crate::buffer::Aligned;
use crate::simd::{LANES, Simd};
use crate::weights::Linear;

/// `count` rounded up to whole vectors.
pub(crate) fn padded(count: usize) -> usize {
    count.next_multiple_of(LANES)
}

/// Where values lie in a padded row: runs of `run` values, each starting a multiple of vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    count: usize,
    run: usize,
}

impl Places {
    /// `count` values in one run.
    pub(crate) fn plain(count: usize) -> Self {
        Self { count, run: count }
    }

    /// `count` values in runs of `run`.
    pub(crate) fn runs(count: usize, run: usize) -> Self {
        Self { count, run }
    }

    /// Width with the padding.
    pub(crate) fn width(self) -> usize {
        self.count / self.run * padded(self.run)
    }

    /// Place of a value.
    fn of(self, value: usize) -> usize {
        value / self.run * padded(self.run) + value % self.run
    }
}

/// A packed linear part.
#[derive(Debug)]
pub(crate) struct Packed {
    panels: Aligned<i8>,
    scales: Aligned<f32>,
    bias: Aligned<f32>,
    totals: Aligned<i32>,
    smoothing: Aligned<f32>,
    inputs: usize,
    outputs: usize,
}

impl Packed {
    /// Packs linear parts beside one another, each of the same shape, for a tier. Outputs of the n-th
    /// part are multiplied with the n-th factor. All smooth their inputs in the same way.
    pub(crate) fn new<S: Simd>(parts: &[(&Linear, f32)], outputs: Places, inputs: Places) -> Self {
        let (depth, width) = (inputs.width(), outputs.width() * parts.len());
        let panel = S::COLUMNS * S::LANES;
        let columns = width.next_multiple_of(panel);
        let mut values = vec![0_i8; columns * depth];
        let mut smoothing = vec![1.0; depth];
        let factors = parts.first().map_or(&[][..], |(part, _)| &part.weight.factors);
        for (input, factor) in factors.iter().enumerate() {
            smoothing[inputs.of(input)] = *factor;
        }
        let (mut scales, mut bias, mut totals) = (vec![0.0; columns], vec![0.0; columns], vec![0; columns]);
        for (at, (part, factor)) in parts.iter().enumerate() {
            for output in 0..part.weight.rows {
                let (row, scale) = part.weight.row(output);
                let column = at * outputs.width() + outputs.of(output);
                (scales[column], bias[column]) = (scale * factor, part.bias[output] * factor);
                totals[column] = row.iter().map(|weight| i32::from(*weight)).sum::<i32>();
                let start = column / panel * panel * depth + column % panel * S::GROUP;
                for (input, weight) in row.iter().enumerate() {
                    let place = inputs.of(input);
                    values[start + place / S::GROUP * panel * S::GROUP + place % S::GROUP] = *weight;
                }
            }
        }
        Self {
            panels: Aligned::from_slice(&values),
            scales: Aligned::from_slice(&scales),
            bias: Aligned::from_slice(&bias),
            totals: Aligned::from_slice(&totals),
            smoothing: Aligned::from_slice(&smoothing),
            inputs: depth,
            outputs: width,
        }
    }

    /// The panels' weights, one panel of `columns` after the other.
    pub(crate) fn panels(&self, columns: usize) -> std::slice::ChunksExact<'_, i8> {
        self.panels.all().chunks_exact(columns * self.inputs)
    }

    /// Scales of the outputs.
    pub(crate) fn scales(&self) -> &[f32] {
        self.scales.all()
    }

    /// Added to the outputs.
    pub(crate) fn bias(&self) -> &[f32] {
        self.bias.all()
    }

    /// Sums of the outputs' weights: what a level too many in every input would add.
    pub(crate) fn totals(&self) -> &[i32] {
        self.totals.all()
    }

    /// What inputs are multiplied with before they are rounded, one for each padded input.
    pub(crate) fn smoothing(&self) -> &[f32] {
        self.smoothing.all()
    }

    /// Inputs with their padding.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs with their padding.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let vectors = self.scales.bytes() + self.bias.bytes() + self.totals.bytes() + self.smoothing.bytes();
        self.panels.bytes() + vectors
    }
}
