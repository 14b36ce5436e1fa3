//! A small seeded generator, so that training and fitting can be repeated exactly on any machine. Not for secrets.

/// What a step adds: an odd number near the golden ratio of 2^64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// One step of SplitMix64 from `bits`: every bit of the result depends on every bit of them.
#[must_use]
pub fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(STEP);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }

    /// Uniform in 0 to 1, without 1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Uniform below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit.max(1) as u64) as usize
    }

    /// The numbers below `count` in random order.
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, self.below(at + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_sequence_and_an_order_holds_every_number() {
        assert_eq!(Random::new(7).order(50), Random::new(7).order(50));
        assert_ne!(Random::new(7).order(50), Random::new(8).order(50));
        let mut order = Random::new(7).order(50);
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
        let mut random = Random::new(1);
        assert!((0..1000).map(|_| random.unit()).all(|value| (0.0..1.0).contains(&value)));
    }
}
