//! The plain tier: arrays instead of registers, no `unsafe`, on every machine and under Miri.
//!
//! The reference that the other tiers are compared with. Knows nothing about kernels.

#![forbid(unsafe_code)]

use super::{Factors, Kernel, LANES, Panels, Simd};

/// Plain Rust.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

/// 1.5 * 2^23: adding it leaves the nearest whole number in the low bits.
const ROUND: f32 = 12_582_912.0;

fn each(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

impl Simd for Portable {
    const LANES: usize = LANES;
    const GROUP: usize = 4;
    const COLUMNS: usize = 1;
    const ROWS: usize = 4;
    type F = [f32; LANES];
    type I = [i32; LANES];
    type W = [[i8; 4]; LANES];

    fn detect() -> Option<Self> {
        Some(Self)
    }

    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.call(self)
    }

    fn panels<P: Panels>(self, panels: P) {
        panels.go::<Self, { Self::COLUMNS }>(self);
    }

    fn splat(self, value: f32) -> Self::F {
        [value; LANES]
    }

    fn load(self, from: &[f32]) -> Self::F {
        std::array::from_fn(|lane| from[lane])
    }

    fn store(self, value: Self::F, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&value);
    }

    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a + b)
    }

    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a - b)
    }

    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a * b)
    }

    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        // Two roundings instead of one: without the instruction, one rounding is a slow call.
        self.add(self.mul(a, b), c)
    }

    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, f32::max)
    }

    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, f32::min)
    }

    fn round(self, a: Self::F) -> Self::F {
        a.map(|a| (a + ROUND) - ROUND)
    }

    fn power_of_two(self, a: Self::F) -> Self::F {
        a.map(|a| f32::from_bits(((a as i32 + 127) as u32) << 23))
    }

    fn sum(self, a: Self::F) -> f32 {
        a.iter().sum()
    }

    fn highest(self, a: Self::F) -> f32 {
        a.iter().fold(f32::MIN, |highest, a| highest.max(*a))
    }

    fn lowest(self, a: Self::F) -> f32 {
        a.iter().fold(f32::MAX, |lowest, a| lowest.min(*a))
    }

    fn turn(self, from: &[f32], stride: usize, rows: usize, to: &mut [f32], to_stride: usize) {
        for column in 0..LANES {
            for (row, to) in to[column * to_stride..][..LANES].iter_mut().enumerate() {
                *to = if row < rows { from[row * stride + column] } else { 0.0 };
            }
        }
    }

    fn store_levels(self, value: Self::F, zero: i32, to: &mut [u8]) {
        for (to, value) in to[..LANES].iter_mut().zip(self.round(value)) {
            *to = (value as i32).saturating_add(zero).clamp(0, 255) as u8;
        }
    }

    fn load_sums(self, from: &[i32]) -> Self::I {
        std::array::from_fn(|lane| from[lane])
    }

    fn start(self, zero: i32, totals: Self::I) -> Self::I {
        totals.map(|total| -zero * total)
    }

    fn to_float(self, a: Self::I) -> Self::F {
        a.map(|a| a as f32)
    }

    fn weights(self, from: &[i8]) -> Self::W {
        let (groups, _) = from.as_chunks::<4>();
        std::array::from_fn(|lane| groups[lane])
    }

    fn dot(self, mut sums: Self::I, levels: [u8; 4], weights: Self::W) -> Self::I {
        let levels = levels.map(i32::from);
        for (sum, weights) in sums.iter_mut().zip(weights) {
            for (level, weight) in levels.iter().zip(weights) {
                *sum += level * i32::from(weight);
            }
        }
        sums
    }

    fn fetch(self, _address: *const i8) {}

    fn dots<const ROWS: usize, const COLUMNS: usize>(
        self,
        levels: &[[u8; 4]],
        panel: &[i8],
        _ahead: &[i8],
        mut sums: [[Self::I; COLUMNS]; ROWS],
    ) -> [[Self::I; COLUMNS]; ROWS] {
        let (steps, width) = (levels.len() / ROWS, LANES * Self::GROUP);
        assert_eq!(panel.len(), steps * COLUMNS * width, "a panel of another depth");
        for (sums, row) in sums.iter_mut().zip(levels.chunks_exact(steps)) {
            for (group, weights) in row.iter().zip(panel.chunks_exact(COLUMNS * width)) {
                for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(width)) {
                    *sum = self.dot(*sum, *group, self.weights(weights));
                }
            }
        }
        sums
    }

    fn products<const ROWS: usize, const COLUMNS: usize>(self, factors: Factors<'_>) -> [[Self::F; COLUMNS]; ROWS] {
        let Factors { left, left_stride, left_step, right, right_stride, depth } = factors;
        let mut sums = [[self.splat(0.0); COLUMNS]; ROWS];
        for (row, sums) in sums.iter_mut().enumerate() {
            for step in 0..depth {
                let factor = left[row * left_stride + step * left_step];
                for (at, sum) in sums.iter_mut().enumerate() {
                    let values = self.load(&right[step * right_stride + at * LANES..]);
                    *sum = self.fma(self.splat(factor), values, *sum);
                }
            }
        }
        sums
    }
}
