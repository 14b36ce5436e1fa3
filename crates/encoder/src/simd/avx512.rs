//! AVX-512 with VNNI: 16 lanes, four int8 products summed per lane and instruction.
//!
//! The instruction takes unsigned by signed bytes, which is what levels and weights are; it does not saturate, so the
//! i32 result is exact. Knows nothing about kernels.

use super::{Factors, Kernel, Panels, Simd, loops};
use std::arch::x86_64::*;

/// Proof of AVX-512 F, BW, VL, DQ and VNNI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

/// An intrinsic that only needs the instructions.
macro_rules! with {
    ($name:ident($($argument:expr),*)) => {{
        // SAFETY: a value of `Avx512` exists, so `detect` found the instructions on this machine.
        unsafe { $name($($argument),*) }
    }};
    ($name:ident::<$parameter:tt>($($argument:expr),*)) => {{
        // SAFETY: a value of `Avx512` exists, so `detect` found the instructions on this machine.
        unsafe { $name::<$parameter>($($argument),*) }
    }};
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")]
fn enabled<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
    kernel.call(simd)
}

/// Rows as columns: pairs of values, then pairs of pairs within quarters, then the quarters.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")]
fn turned(rows: [__m512; 16]) -> [__m512; 16] {
    let mut pairs = rows;
    for at in (0..16).step_by(2) {
        pairs[at] = _mm512_unpacklo_ps(rows[at], rows[at + 1]);
        pairs[at + 1] = _mm512_unpackhi_ps(rows[at], rows[at + 1]);
    }
    let pairs = pairs.map(|values| _mm512_castps_pd(values));
    // In quarter q of fours[4 g + j] lies column 4 q + j of the rows from 4 g to 4 g + 3.
    let mut fours = rows;
    for at in (0..16).step_by(4) {
        fours[at] = _mm512_castpd_ps(_mm512_unpacklo_pd(pairs[at], pairs[at + 2]));
        fours[at + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(pairs[at], pairs[at + 2]));
        fours[at + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(pairs[at + 1], pairs[at + 3]));
        fours[at + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(pairs[at + 1], pairs[at + 3]));
    }
    let mut columns = rows;
    for at in 0..4 {
        let even = (
            _mm512_shuffle_f32x4::<0x88>(fours[at], fours[at + 4]),
            _mm512_shuffle_f32x4::<0x88>(fours[at + 8], fours[at + 12]),
        );
        let odd = (
            _mm512_shuffle_f32x4::<0xDD>(fours[at], fours[at + 4]),
            _mm512_shuffle_f32x4::<0xDD>(fours[at + 8], fours[at + 12]),
        );
        columns[at] = _mm512_shuffle_f32x4::<0x88>(even.0, even.1);
        columns[at + 4] = _mm512_shuffle_f32x4::<0x88>(odd.0, odd.1);
        columns[at + 8] = _mm512_shuffle_f32x4::<0xDD>(even.0, even.1);
        columns[at + 12] = _mm512_shuffle_f32x4::<0xDD>(odd.0, odd.1);
    }
    columns
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const GROUP: usize = 4;
    const COLUMNS: usize = 3;
    const ROWS: usize = 8;
    type F = __m512;
    type I = __m512i;
    type W = __m512i;

    fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        all.then_some(Self(()))
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
        with!(_mm512_set1_ps(value))
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        let from: &[f32] = &from[..16];
        // SAFETY: the instructions are there, and 16 values can be read.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, value: Self::F, to: &mut [f32]) {
        let to: &mut [f32] = &mut to[..16];
        // SAFETY: the instructions are there, and 16 values can be written.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm512_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        with!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm512_max_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        with!(_mm512_min_ps(a, b))
    }

    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        with!(_mm512_roundscale_ps::<0>(a))
    }

    #[inline(always)]
    fn power_of_two(self, a: Self::F) -> Self::F {
        let one = self.splat(1.0);
        with!(_mm512_scalef_ps(one, a))
    }

    #[inline(always)]
    fn sum(self, a: Self::F) -> f32 {
        with!(_mm512_reduce_add_ps(a))
    }

    #[inline(always)]
    fn highest(self, a: Self::F) -> f32 {
        with!(_mm512_reduce_max_ps(a))
    }

    #[inline(always)]
    fn lowest(self, a: Self::F) -> f32 {
        with!(_mm512_reduce_min_ps(a))
    }

    #[inline(always)]
    fn turn(self, from: &[f32], stride: usize, rows: usize, to: &mut [f32], to_stride: usize) {
        let mut all = [self.splat(0.0); 16];
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
        let (whole, zero) = (with!(_mm512_cvtps_epi32(value)), with!(_mm512_set1_epi32(zero)));
        let (level, lowest) = (with!(_mm512_add_epi32(whole, zero)), with!(_mm512_setzero_si512()));
        let level = with!(_mm512_max_epi32(level, lowest));
        let narrow = with!(_mm512_cvtusepi32_epi8(level));
        // SAFETY: the instructions are there, and 16 bytes can be written.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), narrow) }
    }

    #[inline(always)]
    fn load_sums(self, from: &[i32]) -> Self::I {
        let from: &[i32] = &from[..16];
        // SAFETY: the instructions are there, and 16 values can be read.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn start(self, zero: i32, totals: Self::I) -> Self::I {
        let zero = with!(_mm512_set1_epi32(-zero));
        with!(_mm512_mullo_epi32(zero, totals))
    }

    #[inline(always)]
    fn to_float(self, a: Self::I) -> Self::F {
        with!(_mm512_cvtepi32_ps(a))
    }

    #[inline(always)]
    fn weights(self, from: &[i8]) -> Self::W {
        let from: &[i8] = &from[..64];
        // SAFETY: the instructions are there, and 64 bytes can be read.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn dot(self, sums: Self::I, levels: [u8; 4], weights: Self::W) -> Self::I {
        let levels = i32::from_le_bytes(levels);
        let levels = with!(_mm512_set1_epi32(levels));
        with!(_mm512_dpbusd_epi32(sums, levels, weights))
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
