//! AVX2 with FMA: 8 lanes, two products of int16 summed per lane and instruction.
//!
//! Levels are stored as i16 and weights widened from int8 when loaded, once for all rows of a block. The multiply-add
//! on bytes would saturate (2 * 255 * 127 is beyond i16); the one on i16 sums into i32 and cannot. Knows nothing
//! about kernels.

use super::{Factors, Kernel, Panels, Simd, loops};
use std::arch::x86_64::*;

/// Proof of AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

/// An intrinsic that only needs the instructions.
macro_rules! with {
    ($name:ident($($argument:expr),*)) => {{
        // SAFETY: a value of `Avx2` exists, so `detect` found the instructions on this machine.
        unsafe { $name($($argument),*) }
    }};
    ($name:ident::<$parameter:tt>($($argument:expr),*)) => {{
        // SAFETY: a value of `Avx2` exists, so `detect` found the instructions on this machine.
        unsafe { $name::<$parameter>($($argument),*) }
    }};
}

#[target_feature(enable = "avx2,fma")]
fn enabled<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
    kernel.call(simd)
}

impl Avx2 {
    /// Both halves combined, then their quarters.
    #[inline(always)]
    fn fold(self, a: __m256, combine: impl Fn(__m128, __m128) -> __m128) -> f32 {
        let four = combine(with!(_mm256_castps256_ps128(a)), with!(_mm256_extractf128_ps::<1>(a)));
        let two = combine(four, with!(_mm_movehl_ps(four, four)));
        let one = combine(two, with!(_mm_shuffle_ps::<1>(two, two)));
        with!(_mm_cvtss_f32(one))
    }
}

/// Rows as columns: pairs of values, then pairs of pairs within halves, then the halves.
#[target_feature(enable = "avx2,fma")]
fn turned(rows: [__m256; 8]) -> [__m256; 8] {
    let mut pairs = rows;
    for at in (0..8).step_by(2) {
        pairs[at] = _mm256_unpacklo_ps(rows[at], rows[at + 1]);
        pairs[at + 1] = _mm256_unpackhi_ps(rows[at], rows[at + 1]);
    }
    let pairs = pairs.map(|values| _mm256_castps_pd(values));
    // In half h of fours[4 g + j] lies column 4 h + j of the rows from 4 g to 4 g + 3.
    let mut fours = rows;
    for at in (0..8).step_by(4) {
        fours[at] = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[at], pairs[at + 2]));
        fours[at + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(pairs[at], pairs[at + 2]));
        fours[at + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[at + 1], pairs[at + 3]));
        fours[at + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(pairs[at + 1], pairs[at + 3]));
    }
    let mut columns = rows;
    for at in 0..4 {
        columns[at] = _mm256_permute2f128_ps::<0x20>(fours[at], fours[at + 4]);
        columns[at + 4] = _mm256_permute2f128_ps::<0x31>(fours[at], fours[at + 4]);
    }
    columns
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const GROUP: usize = 2;
    const COLUMNS: usize = 2;
    const ROWS: usize = 6;
    type F = __m256;
    type I = __m256i;
    type W = __m256i;

    fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        with!(enabled(self, kernel))
    }

    #[inline(always)]
    fn panels<P: Panels>(self, panels: P) {
        panels.go::<Self, { Self::COLUMNS }>(self);
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        with!(_mm256_set1_ps(value))
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        let from: &[f32] = &from[..8];
        // SAFETY: the instructions are there, and 8 values can be read.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, value: Self::F, to: &mut [f32]) {
        let to: &mut [f32] = &mut to[..8];
        // SAFETY: the instructions are there, and 8 values can be written.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm256_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm256_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm256_mul_ps(a, b))
    }

    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        with!(_mm256_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm256_max_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm256_min_ps(a, b))
    }

    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        with!(_mm256_round_ps::<8>(a))
    }

    #[inline(always)]
    fn power_of_two(self, a: Self::F) -> Self::F {
        let (whole, bias) = (with!(_mm256_cvtps_epi32(a)), with!(_mm256_set1_epi32(127)));
        let biased = with!(_mm256_add_epi32(whole, bias));
        let bits = with!(_mm256_slli_epi32::<23>(biased));
        with!(_mm256_castsi256_ps(bits))
    }

    #[inline(always)]
    fn sum(self, a: Self::F) -> f32 {
        self.fold(a, |a, b| with!(_mm_add_ps(a, b)))
    }

    #[inline(always)]
    fn highest(self, a: Self::F) -> f32 {
        self.fold(a, |a, b| with!(_mm_max_ps(a, b)))
    }

    #[inline(always)]
    fn lowest(self, a: Self::F) -> f32 {
        self.fold(a, |a, b| with!(_mm_min_ps(a, b)))
    }

    #[inline(always)]
    fn turn(self, from: &[f32], stride: usize, rows: usize, to: &mut [f32], to_stride: usize) {
        let mut all = [self.splat(0.0); 8];
        for (row, values) in all.iter_mut().enumerate().take(rows) {
            *values = self.load(&from[row * stride..]);
        }
        let columns = with!(turned(all));
        for (column, values) in columns.into_iter().enumerate() {
            self.store(values, &mut to[column * to_stride..]);
        }
    }

    #[inline(always)]
    fn store_levels(self, value: Self::F, zero: i32, to: &mut [u8]) {
        let to: &mut [u8] = &mut to[..16];
        let (whole, zero) = (with!(_mm256_cvtps_epi32(value)), with!(_mm256_set1_epi32(zero)));
        let whole = with!(_mm256_add_epi32(whole, zero));
        let halves = (with!(_mm256_castsi256_si128(whole)), with!(_mm256_extracti128_si256::<1>(whole)));
        let narrow = with!(_mm_packs_epi32(halves.0, halves.1));
        let bytes = with!(_mm_packus_epi16(narrow, narrow));
        let wide = with!(_mm_cvtepu8_epi16(bytes));
        // SAFETY: the instructions are there, and 16 bytes can be written.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), wide) }
    }

    #[inline(always)]
    fn load_sums(self, from: &[i32]) -> Self::I {
        let from: &[i32] = &from[..8];
        // SAFETY: the instructions are there, and 8 values can be read.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn start(self, zero: i32, totals: Self::I) -> Self::I {
        let zero = with!(_mm256_set1_epi32(-zero));
        with!(_mm256_mullo_epi32(zero, totals))
    }

    #[inline(always)]
    fn to_float(self, a: Self::I) -> Self::F {
        with!(_mm256_cvtepi32_ps(a))
    }

    #[inline(always)]
    fn weights(self, from: &[i8]) -> Self::W {
        let from: &[i8] = &from[..16];
        // SAFETY: the instructions are there, and 16 bytes can be read.
        let narrow = unsafe { _mm_loadu_si128(from.as_ptr().cast()) };
        with!(_mm256_cvtepi8_epi16(narrow))
    }

    #[inline(always)]
    fn dot(self, sums: Self::I, levels: [u8; 4], weights: Self::W) -> Self::I {
        let levels = i32::from_le_bytes(levels);
        let levels = with!(_mm256_set1_epi32(levels));
        let products = with!(_mm256_madd_epi16(levels, weights));
        with!(_mm256_add_epi32(sums, products))
    }

    #[inline(always)]
    fn fetch(self, address: *const i8) {
        with!(_mm_prefetch::<_MM_HINT_T1>(address));
    }

    #[inline(always)]
    fn dots<const ROWS: usize, const COLUMNS: usize>(
        self,
        levels: &[[u8; 4]],
        panel: &[i8],
        ahead: &[i8],
        sums: [[Self::I; COLUMNS]; ROWS],
    ) -> [[Self::I; COLUMNS]; ROWS] {
        loops::dots(self, levels, panel, ahead, sums)
    }

    #[inline(always)]
    fn products<const ROWS: usize, const COLUMNS: usize>(self, factors: Factors<'_>) -> [[Self::F; COLUMNS]; ROWS] {
        loops::products(self, factors)
    }
}
