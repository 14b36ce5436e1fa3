//! The two inner loops that nearly all time goes into, without a check per step.
//!
//! Everything is checked before the loop: a check inside would need all sums in memory in case it fails, and that
//! costs more than the products. Knows nothing about what is multiplied.

use super::{Factors, Simd};

/// Bytes of a cache line.
const LINE: usize = 64;

/// [`Simd::dots`] for tiers with registers.
#[inline(always)]
pub(super) fn dots<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    levels: &[[u8; 4]],
    panel: &[i8],
    ahead: &[i8],
    mut sums: [[S::I; COLUMNS]; ROWS],
) -> [[S::I; COLUMNS]; ROWS] {
    let steps = levels.len() / ROWS;
    let width = S::LANES * S::GROUP;
    assert!(levels.len() == ROWS * steps && panel.len() == steps * COLUMNS * width, "a panel of another depth");
    // Bytes ahead for each step; never more than a step of this panel has.
    let stride = ahead.len().checked_div(steps).unwrap_or(0);
    for step in 0..steps {
        for line in 0..(COLUMNS * width).div_ceil(LINE) {
            simd.fetch(ahead.as_ptr().wrapping_add(step * stride + line * LINE));
        }
        let start = step * COLUMNS * width;
        // SAFETY: start + COLUMNS * width <= steps * COLUMNS * width, the panel's length.
        let weights = unsafe { panel.get_unchecked(start..start + COLUMNS * width) };
        let mut vectors = [simd.weights(weights); COLUMNS];
        for (at, vector) in vectors.iter_mut().enumerate() {
            *vector = simd.weights(&weights[at * width..]);
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row < ROWS and step < steps, so the place is below ROWS * steps, the levels' length.
            let group = unsafe { *levels.get_unchecked(row * steps + step) };
            for (sum, vector) in sums.iter_mut().zip(&vectors) {
                *sum = simd.dot(*sum, group, *vector);
            }
        }
    }
    sums
}

/// [`Simd::products`] for tiers with registers.
#[inline(always)]
pub(super) fn products<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    factors: Factors<'_>,
) -> [[S::F; COLUMNS]; ROWS] {
    let Factors { left, left_stride, left_step, right, right_stride, depth } = factors;
    let width = COLUMNS * S::LANES;
    let mut sums = [[simd.splat(0.0); COLUMNS]; ROWS];
    let Some(last) = depth.checked_sub(1) else { return sums };
    assert!(left.len() > (ROWS - 1) * left_stride + last * left_step, "too few values on the left");
    assert!(right.len() >= last * right_stride + width, "too few values on the right");
    for step in 0..depth {
        let start = step * right_stride;
        // SAFETY: step <= last, so the end is at most last * right_stride + width, which was checked.
        let values = unsafe { right.get_unchecked(start..start + width) };
        let mut vectors = [simd.load(values); COLUMNS];
        for (at, vector) in vectors.iter_mut().enumerate() {
            *vector = simd.load(&values[at * S::LANES..]);
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row <= ROWS - 1 and step <= last, so the place is at most the one that was checked.
            let factor = unsafe { *left.get_unchecked(row * left_stride + step * left_step) };
            let factor = simd.splat(factor);
            for (sum, vector) in sums.iter_mut().zip(&vectors) {
                *sum = simd.fma(factor, *vector, *sum);
            }
        }
    }
    sums
}
