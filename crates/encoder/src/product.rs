//! The int8 product of rows of levels with packed weights, and what happens to a value on its way out.
//!
//! Levels count from their row's level of zero, so sums start at minus that times the sum of an output's weights, and
//! the i32 that comes out is exact. Panel by panel, so that weights are read from far memory once while the levels stay
//! near; within a panel a block of rows at a time, all of whose sums stay in registers. Knows nothing about what the rows
//! mean.

use crate::packed::Packed;
use crate::rows::{Scale, gelu};
use crate::simd::{Kernel, Panels, Simd};

/// Where values go.
pub(crate) trait Sink {
    /// Takes the values of a row from a column on.
    fn put<S: Simd>(&mut self, simd: S, values: S::F, row: usize, column: usize);
}

/// Rows of f32 that are overwritten.
pub(crate) struct Store<'a> {
    /// The rows.
    pub(crate) rows: &'a mut [f32],
    /// Width of one.
    pub(crate) width: usize,
}

impl Sink for Store<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, simd: S, values: S::F, row: usize, column: usize) {
        simd.store(values, &mut self.rows[row * self.width + column..]);
    }
}

/// Rows of f32 that are overwritten with the GELU of the values.
pub(crate) struct StoreGelu<'a>(pub(crate) Store<'a>);

impl Sink for StoreGelu<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, simd: S, values: S::F, row: usize, column: usize) {
        self.0.put(simd, gelu(simd, values), row, column);
    }
}

/// Rows of f32 to which the values are added: a residual.
pub(crate) struct Add<'a>(pub(crate) Store<'a>);

impl Sink for Add<'_> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, simd: S, values: S::F, row: usize, column: usize) {
        let before = &self.0.rows[row * self.0.width + column..];
        let values = simd.add(simd.load(before), values);
        self.0.put(simd, values, row, column);
    }
}

/// A product.
pub(crate) struct Product<'a, T> {
    /// Levels, row after row.
    pub(crate) levels: &'a [u8],
    /// What a row's levels stand for, one for each row.
    pub(crate) scales: &'a [Scale],
    /// The other side.
    pub(crate) packed: &'a Packed,
    /// Where the values go.
    pub(crate) sink: T,
}

impl<T: Sink> Kernel for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        simd.panels(self);
    }
}

impl<T: Sink> Panels for Product<'_, T> {
    #[inline(always)]
    fn go<S: Simd, const COLUMNS: usize>(mut self, simd: S) {
        let columns = COLUMNS * S::LANES;
        let rows = self.scales.len();
        let blocks = rows.div_ceil(S::ROWS);
        let mut panels = self.packed.panels(columns).peekable();
        let mut column = 0;
        while let Some(panel) = panels.next() {
            let next = panels.peek().copied().unwrap_or_default();
            for block in 0..blocks {
                let share = |whole: usize, block: usize| block * whole / blocks;
                // Blocks of nearly the same size, so that none is too small to keep the units busy.
                let (first, end) = (share(rows, block), share(rows, block + 1));
                let ahead = &next[share(next.len(), block)..share(next.len(), block + 1)];
                let at = Place { panel, ahead, first, column };
                match end - first {
                    1 => self.block::<S, 1, COLUMNS>(simd, at),
                    2 => self.block::<S, 2, COLUMNS>(simd, at),
                    3 => self.block::<S, 3, COLUMNS>(simd, at),
                    4 => self.block::<S, 4, COLUMNS>(simd, at),
                    5 => self.block::<S, 5, COLUMNS>(simd, at),
                    6 => self.block::<S, 6, COLUMNS>(simd, at),
                    7 if S::ROWS >= 7 => self.block::<S, 7, COLUMNS>(simd, at),
                    8 if S::ROWS >= 8 => self.block::<S, 8, COLUMNS>(simd, at),
                    rows => unreachable!("a block of {rows} rows"),
                }
            }
            column += columns;
        }
    }
}

/// A block of a product.
#[derive(Clone, Copy)]
struct Place<'a> {
    panel: &'a [i8],
    /// Weights that will be needed next, to be brought near.
    ahead: &'a [i8],
    /// First row.
    first: usize,
    /// First column of the panel.
    column: usize,
}

impl<T: Sink> Product<'_, T> {
    /// `ROWS` rows with one panel.
    #[inline(always)]
    fn block<S: Simd, const ROWS: usize, const COLUMNS: usize>(&mut self, simd: S, at: Place<'_>) {
        let Place { panel, ahead, first, column } = at;
        let steps = self.packed.inputs() / S::GROUP;
        let (groups, _) = self.levels.as_chunks::<4>();
        let groups = &groups[first * steps..][..ROWS * steps];
        let totals = &self.packed.totals()[column..][..COLUMNS * S::LANES];
        let scales = &self.scales[first..][..ROWS];
        let mut sums = [[simd.load_sums(totals); COLUMNS]; ROWS];
        for (sums, scale) in sums.iter_mut().zip(scales) {
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = simd.start(scale.zero, simd.load_sums(&totals[at * S::LANES..]));
            }
        }
        let sums = simd.dots(groups, panel, ahead, sums);
        for (at, (sums, scale)) in sums.iter().zip(scales).enumerate() {
            let row = first + at;
            let row_scale = simd.splat(scale.step);
            for (at, sum) in sums.iter().enumerate() {
                let column = column + at * S::LANES;
                if column < self.packed.outputs() {
                    let scale = simd.mul(row_scale, simd.load(&self.packed.scales()[column..]));
                    let values = simd.fma(simd.to_float(*sum), scale, simd.load(&self.packed.bias()[column..]));
                    self.sink.put(simd, values, row, column);
                }
            }
        }
    }
}
