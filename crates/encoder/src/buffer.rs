//! Vectors whose first element lies on a cache line, so that no vector load crosses two.
//!
//! Knows nothing about what they hold.

/// Bytes of a cache line.
const LINE: usize = 64;

/// Values that start on a cache line.
#[derive(Debug, Default)]
pub(crate) struct Aligned<T> {
    values: Vec<T>,
    start: usize,
    count: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// A copy of these values.
    pub(crate) fn from_slice(values: &[T]) -> Self {
        let mut all = Self::default();
        all.take(values.len()).copy_from_slice(values);
        all
    }

    /// The first `count` values, whatever they hold; grows, never shrinks.
    pub(crate) fn take(&mut self, count: usize) -> &mut [T] {
        if count > self.count {
            let spare = LINE / size_of::<T>().max(1);
            self.values = vec![T::default(); count + spare];
            // An aligner that cannot tell (as Miri's may) costs speed, nothing else.
            self.start = self.values.as_ptr().align_offset(LINE).min(spare);
            self.count = count;
        }
        &mut self.values[self.start..self.start + count]
    }

    /// All values.
    pub(crate) fn all(&self) -> &[T] {
        &self.values[self.start..self.start + self.count]
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_start_on_a_line_and_the_buffer_only_grows() {
        let mut buffer = Aligned::<f32>::default();
        assert!(buffer.all().is_empty());
        for count in [0, 1, 100, 7] {
            let values = buffer.take(count);
            assert_eq!(values.len(), count);
            assert!(cfg!(miri) || count == 0 || values.as_ptr().addr().is_multiple_of(LINE));
        }
        assert_eq!(buffer.all().len(), 100);
        assert_eq!(Aligned::from_slice(&[1_i8, 2, 3]).all(), [1, 2, 3]);
    }
}
