//! Rows of f32 whose products with a vector are wanted: what callers compare meanings with.
//!
//! Memory-bound, so there is one row at a time and no packing but the padding. Knows nothing about what the rows are.

use crate::Error;
use crate::buffer::Aligned;
use crate::packed::padded;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Kernel, Portable, Simd};

/// Rows of equal width.
#[derive(Debug)]
pub struct Table {
    rows: Aligned<f32>,
    width: usize,
    count: usize,
}

impl Table {
    /// Takes rows of `width` values, one after the other.
    ///
    /// # Errors
    /// If the width is 0 or the values are no whole rows.
    pub fn new(values: &[f32], width: usize) -> Result<Self, Error> {
        if width == 0 {
            return Err(Error::Setting { what: "width", value: width });
        }
        let count = values.len() / width;
        if count * width != values.len() {
            return Err(Error::Shape { what: "table".to_owned(), expected: count * width, found: values.len() });
        }
        let mut rows = Aligned::default();
        let places = rows.take(count * padded(width)).chunks_exact_mut(padded(width));
        places.zip(values.chunks_exact(width)).for_each(|(place, row)| place[..width].copy_from_slice(row));
        Ok(Self { rows, width, count })
    }

    /// The products of every row with a vector, in order.
    ///
    /// # Panics
    /// If the vector has another width than the rows.
    #[must_use]
    pub fn products(&self, vector: &[f32]) -> Vec<f32> {
        let mut own = Aligned::default();
        own.take(padded(self.width))[..self.width].copy_from_slice(vector);
        let mut found = vec![0.0; self.count];
        let kernel = Products { rows: self.rows.all(), vector: own.all(), found: &mut found };
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = Avx512::detect() {
            simd.vectorize(kernel);
        } else if let Some(simd) = Avx2::detect() {
            simd.vectorize(kernel);
        } else {
            Portable.vectorize(kernel);
        }
        #[cfg(not(target_arch = "x86_64"))]
        Portable.vectorize(kernel);
        found
    }

    /// The rows, in order, as they were given.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.all().chunks_exact(padded(self.width)).map(|row| &row[..self.width])
    }

    /// Rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Products of rows with a vector of the same padded width.
pub(crate) struct Products<'a> {
    /// Rows, one after the other.
    pub(crate) rows: &'a [f32],
    /// The vector.
    pub(crate) vector: &'a [f32],
    /// One for each row.
    pub(crate) found: &'a mut [f32],
}

/// Sums that are kept side by side, so that one addition need not wait for another.
const SUMS: usize = 4;

impl Kernel for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        for (row, found) in self.rows.chunks_exact(self.vector.len()).zip(self.found) {
            let mut sums = [simd.splat(0.0); SUMS];
            let pairs = row.chunks_exact(S::LANES).zip(self.vector.chunks_exact(S::LANES));
            for (at, (row, vector)) in pairs.enumerate() {
                sums[at % SUMS] = simd.fma(simd.load(row), simd.load(vector), sums[at % SUMS]);
            }
            *found = simd.sum(simd.add(simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_vectors_of_any_width_are_padded() {
        let table = Table::new(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!((table.count(), table.products(&[1.0, 10.0])), (2, vec![21.0, 43.0]));
        assert!(Table::new(&[1.0; 3], 2).is_err() && Table::new(&[], 0).is_err());
        assert!(Table::new(&[], 3).unwrap().products(&[0.0; 3]).is_empty());
    }
}
