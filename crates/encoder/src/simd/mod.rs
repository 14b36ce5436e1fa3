//! Vectors of f32 and the int8 product step, for each set of instructions.
//!
//! A kernel is written once over [`Simd`] and compiled for every tier: [`Simd::vectorize`] calls it
//! inside a function that has the tier's instructions enabled, and everything below is inlined into
//! that. A value of a tier's type is the proof that this machine has its instructions; `detect`
//! is the only way to one. This is the one module with `unsafe`. Knows nothing about layers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod loops;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Most lanes of a tier. Widths are padded to a multiple of it, so that no tier needs tails.
pub(crate) const LANES: usize = 16;

/// Work that is compiled for a tier. Implementations mark `call` as `#[inline(always)]`.
pub(crate) trait Kernel {
    /// What it gives back.
    type Output;
    /// Does the work.
    fn call<S: Simd>(self, simd: S) -> Self::Output;
}

/// A panel's worth of a product, with the numbers of columns (in vectors) a tier has registers for.
pub(crate) trait Panels {
    /// Goes through all panels of `COLUMNS` vectors.
    fn go<S: Simd, const COLUMNS: usize>(self, simd: S);
}

/// Two sides of a product of f32: rows on the left, `depth` values each, and on the right as many rows of columns.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    /// The left side from its first row on.
    pub(crate) left: &'a [f32],
    /// From a row of it to the next.
    pub(crate) left_stride: usize,
    /// From a value of a row to the next.
    pub(crate) left_step: usize,
    /// The right side from its first column on.
    pub(crate) right: &'a [f32],
    /// From a row of it to the next.
    pub(crate) right_stride: usize,
    /// Rows on the right.
    pub(crate) depth: usize,
}

/// One set of instructions.
pub(crate) trait Simd: Copy + Send + Sync + std::fmt::Debug + 'static {
    /// Lanes of a vector; divides [`LANES`].
    const LANES: usize;
    /// Activations whose products one step sums in a lane; their levels, 0 to 255 each, take 4 bytes.
    const GROUP: usize;
    /// Vectors of columns in a panel of packed weights.
    const COLUMNS: usize;
    /// Most rows that a product takes at once.
    const ROWS: usize;
    /// Several f32.
    type F: Copy;
    /// As many i32.
    type I: Copy;
    /// Weights of one step, for each lane a group.
    type W: Copy;

    /// Proof that this machine has the instructions.
    fn detect() -> Option<Self>;
    /// Calls the kernel with the instructions enabled.
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output;
    /// Goes with [`Simd::COLUMNS`].
    fn panels<P: Panels>(self, panels: P);

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::F;
    /// The first values of a slice.
    fn load(self, from: &[f32]) -> Self::F;
    /// Into the first places of a slice.
    fn store(self, value: Self::F, to: &mut [f32]);
    /// a + b
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// a - b
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// a * b
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// a * b + c
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// The nearest whole number, for values below 2^22.
    fn round(self, a: Self::F) -> Self::F;
    /// 2^a for whole a from -126 to 127.
    fn power_of_two(self, a: Self::F) -> Self::F;
    /// Sum of the lanes.
    fn sum(self, a: Self::F) -> f32;
    /// Highest lane.
    fn highest(self, a: Self::F) -> f32;
    /// Lowest lane.
    fn lowest(self, a: Self::F) -> f32;

    /// Turns the first [`Simd::LANES`] columns of some rows (no more than [`Simd::LANES`]) into rows; what the missing
    /// rows would fill becomes 0.
    fn turn(self, from: &[f32], stride: usize, rows: usize, to: &mut [f32], to_stride: usize);

    /// Rounds values of -256 to 256, adds the level of zero and stores what that gives, no lower than 0 and no higher
    /// than 255, as levels.
    fn store_levels(self, value: Self::F, zero: i32, to: &mut [u8]);
    /// The first i32 of a slice.
    fn load_sums(self, from: &[i32]) -> Self::I;
    /// -zero * totals: where sums start so that levels count from the level of zero.
    fn start(self, zero: i32, totals: Self::I) -> Self::I;
    /// As f32.
    fn to_float(self, a: Self::I) -> Self::F;
    /// The weights of a step, for `LANES` columns.
    fn weights(self, from: &[i8]) -> Self::W;
    /// `sums` plus, in each lane, the products of a group of levels with the lane's weights.
    fn dot(self, sums: Self::I, levels: [u8; 4], weights: Self::W) -> Self::I;
    /// Has the cache line of an address, whatever it is, brought near.
    fn fetch(self, address: *const i8);
    /// `sums` plus the products of rows of levels, one row after the other, with a panel of packed weights. Meanwhile
    /// what comes `ahead` is brought near.
    ///
    /// # Panics
    /// If the panel has not as many steps as the rows have groups.
    fn dots<const ROWS: usize, const COLUMNS: usize>(
        self,
        levels: &[[u8; 4]],
        panel: &[i8],
        ahead: &[i8],
        sums: [[Self::I; COLUMNS]; ROWS],
    ) -> [[Self::I; COLUMNS]; ROWS];
    /// The first rows and columns of a product of f32.
    ///
    /// # Panics
    /// If a side has too few values.
    fn products<const ROWS: usize, const COLUMNS: usize>(self, factors: Factors<'_>) -> [[Self::F; COLUMNS]; ROWS];
}
