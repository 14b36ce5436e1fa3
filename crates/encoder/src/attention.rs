//! Attention of one text: for each head, every token's mean of the values, weighted by how well the keys fit.
//!
//! In f32; these products are small next to the int8 ones. A few vectors of queries at a time, one query in each lane, so
//! that scores stay near however long the text is, and the softmax of all lanes goes on side by side. Knows nothing
//! about layers or other texts.

use crate::rows::exp;
use crate::simd::{Factors, Kernel, LANES, Simd};

/// Most vectors of queries in a block, and of columns in a step of a product.
const VECTORS: usize = 2;

/// Values of scratch that a text of `tokens` needs, for heads of `size` (padded).
pub(crate) fn scratch(tokens: usize, size: usize) -> usize {
    (tokens + size) * VECTORS * LANES
}

/// Attention of one text.
pub(crate) struct Attend<'a> {
    /// For each token its queries, keys and values, each of all heads one after the other.
    pub(crate) states: &'a [f32],
    /// For each token what its heads found.
    pub(crate) found: &'a mut [f32],
    /// As many values as [`scratch`] says.
    pub(crate) scratch: &'a mut [f32],
    /// Heads.
    pub(crate) heads: usize,
    /// Values of a head, padded.
    pub(crate) size: usize,
}

impl Kernel for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Attend { states, found, scratch, heads, size } = self;
        let width = heads * size;
        let tokens = found.len() / width;
        let (queries, scores) = scratch.split_at_mut(size * VECTORS * LANES);
        let mut head = Head { states, found, queries, scores, width, size, start: 0, tokens };
        for at in 0..heads {
            head.start = at * size;
            let mut first = 0;
            while first + S::LANES < tokens {
                head.block::<S, VECTORS>(simd, first);
                first += VECTORS * S::LANES;
            }
            if first < tokens {
                head.block::<S, 1>(simd, first);
            }
        }
    }
}

/// One head of a text.
struct Head<'a> {
    states: &'a [f32],
    found: &'a mut [f32],
    /// Queries of a block, turned: a row for each value of the head, a lane for each query.
    queries: &'a mut [f32],
    /// A row for each key, a lane for each query.
    scores: &'a mut [f32],
    /// Of all heads.
    width: usize,
    /// Of this head.
    size: usize,
    start: usize,
    tokens: usize,
}

impl Head<'_> {
    /// So many vectors of queries from `first` on; the last may be partly empty.
    #[inline(always)]
    fn block<S: Simd, const COUNT: usize>(&mut self, simd: S, first: usize) {
        let (lanes, stride) = (COUNT * S::LANES, 3 * self.width);
        for vector in 0..COUNT {
            let first = first + vector * S::LANES;
            let rows = (self.tokens - first).min(S::LANES);
            for at in (0..self.size).step_by(S::LANES) {
                let from = &self.states[first * stride + self.start + at..];
                simd.turn(from, stride, rows, &mut self.queries[at * lanes + vector * S::LANES..], lanes);
            }
        }
        let mut highest = [simd.splat(f32::MIN); COUNT];
        for (first, rows) in blocks(self.tokens, S::ROWS) {
            highest = match rows {
                1 => self.fit::<S, 1, COUNT>(simd, first, highest),
                2 => self.fit::<S, 2, COUNT>(simd, first, highest),
                3 => self.fit::<S, 3, COUNT>(simd, first, highest),
                4 => self.fit::<S, 4, COUNT>(simd, first, highest),
                5 => self.fit::<S, 5, COUNT>(simd, first, highest),
                6 => self.fit::<S, 6, COUNT>(simd, first, highest),
                7 if S::ROWS >= 7 => self.fit::<S, 7, COUNT>(simd, first, highest),
                8 if S::ROWS >= 8 => self.fit::<S, 8, COUNT>(simd, first, highest),
                rows => unreachable!("a block of {rows} rows"),
            };
        }
        let mut sums = [simd.splat(0.0); COUNT];
        for row in self.scores.chunks_exact_mut(lanes).take(self.tokens) {
            for ((scores, highest), sum) in row.chunks_exact_mut(S::LANES).zip(highest).zip(&mut sums) {
                let share = exp(simd, simd.sub(simd.load(scores), highest));
                *sum = simd.add(*sum, share);
                simd.store(share, scores);
            }
        }
        let mut totals = [0.0; VECTORS * LANES];
        for (sum, totals) in sums.into_iter().zip(totals.chunks_exact_mut(S::LANES)) {
            simd.store(sum, totals);
        }
        for (query, rows) in blocks((self.tokens - first).min(lanes), S::ROWS) {
            let at = Mix { row: first + query, query, lanes, totals: &totals[query..] };
            match rows {
                1 => self.mix::<S, 1>(simd, at),
                2 => self.mix::<S, 2>(simd, at),
                3 => self.mix::<S, 3>(simd, at),
                4 => self.mix::<S, 4>(simd, at),
                5 => self.mix::<S, 5>(simd, at),
                6 => self.mix::<S, 6>(simd, at),
                7 if S::ROWS >= 7 => self.mix::<S, 7>(simd, at),
                8 if S::ROWS >= 8 => self.mix::<S, 8>(simd, at),
                rows => unreachable!("a block of {rows} rows"),
            }
        }
    }

    /// Scores of `ROWS` keys from `first` on; gives back the highest so far in each lane.
    #[inline(always)]
    fn fit<S: Simd, const ROWS: usize, const COUNT: usize>(
        &mut self,
        simd: S,
        first: usize,
        mut highest: [S::F; COUNT],
    ) -> [S::F; COUNT] {
        let (lanes, stride) = (COUNT * S::LANES, 3 * self.width);
        let scores = simd.products::<ROWS, COUNT>(Factors {
            left: &self.states[first * stride + self.width + self.start..],
            left_stride: stride,
            left_step: 1,
            right: self.queries,
            right_stride: lanes,
            depth: self.size,
        });
        for (row, scores) in self.scores[first * lanes..].chunks_exact_mut(lanes).zip(scores) {
            for ((to, score), highest) in row.chunks_exact_mut(S::LANES).zip(scores).zip(&mut highest) {
                *highest = simd.max(*highest, score);
                simd.store(score, to);
            }
        }
        highest
    }

    /// What `ROWS` queries found.
    #[inline(always)]
    fn mix<S: Simd, const ROWS: usize>(&mut self, simd: S, at: Mix<'_>) {
        let mut column = 0;
        while column + VECTORS * S::LANES <= self.size {
            self.mix_columns::<S, ROWS, VECTORS>(simd, at, column);
            column += VECTORS * S::LANES;
        }
        while column < self.size {
            self.mix_columns::<S, ROWS, 1>(simd, at, column);
            column += S::LANES;
        }
    }

    /// The same for the columns from `column` on.
    #[inline(always)]
    fn mix_columns<S: Simd, const ROWS: usize, const COUNT: usize>(&mut self, simd: S, at: Mix<'_>, column: usize) {
        let found = simd.products::<ROWS, COUNT>(Factors {
            left: &self.scores[at.query..],
            left_stride: 1,
            left_step: at.lanes,
            right: &self.states[2 * self.width + self.start + column..],
            right_stride: 3 * self.width,
            depth: self.tokens,
        });
        let rows = self.found[at.row * self.width..].chunks_exact_mut(self.width);
        for ((row, found), total) in rows.zip(found).zip(at.totals) {
            let scale = simd.splat(1.0 / total);
            for (to, found) in row[self.start + column..].chunks_exact_mut(S::LANES).zip(found) {
                simd.store(simd.mul(found, scale), to);
            }
        }
    }
}

/// Queries of a block whose results are brought together.
#[derive(Clone, Copy)]
struct Mix<'a> {
    /// Row of the first.
    row: usize,
    /// Its lane.
    query: usize,
    /// Lanes of the block.
    lanes: usize,
    /// Sums of the queries' shares.
    totals: &'a [f32],
}

/// Splits rows into blocks of at most `most` and nearly the same size: where each starts, and its rows.
#[inline(always)]
fn blocks(rows: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = rows.div_ceil(most);
    (0..count).map(move |block| {
        let first = block * rows / count;
        (first, (block + 1) * rows / count - first)
    })
}
