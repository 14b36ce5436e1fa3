//! Numbers, ids and texts that follow from a seed. Knows nothing of what they are used for.

use uuid::Uuid;

/// A small generator of numbers (SplitMix64): the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below 1.
    pub fn fraction(&mut self) -> f64 {
        let high = u32::try_from(self.number() >> 32).unwrap_or(0);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    /// A number from 0 to below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// One of `from`, which must not be empty.
    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }

    /// A generator of its own, so that one part's numbers do not depend on how many another took.
    #[must_use]
    pub fn branch(&mut self) -> Self {
        Self(self.number())
    }

    /// A random (version 4) id.
    pub fn id(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.number().to_le_bytes());
        bytes[8..].copy_from_slice(&self.number().to_le_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A message that is told from every other by the mark that it begins with, see [`mark_of`].
    pub fn text(&mut self) -> (u64, String) {
        const WORDS: [&str; 12] =
            ["parcel", "coat", "order", "blue", "Tuesday", "grüße", "size", "return", "label", "please", "🧥", "when"];
        let mark = self.number();
        let mut text = format!("p{mark:016x}");
        for _ in 0..2 + self.below(9) {
            text.push(' ');
            text.push_str(self.pick(&WORDS));
        }
        (mark, text)
    }
}

/// Length of a message's mark in bytes: the letter `p` and 16 digits.
pub const MARK: usize = 17;

/// The mark that a text of [`Random::text`] begins with.
pub fn mark_of(text: &str) -> Option<u64> {
    let digits = text.as_bytes().get(..MARK)?.strip_prefix(b"p")?;
    let plain = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())?
}

/// A 64-bit digest (FNV-1a) by which texts are compared.
pub fn digest(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::{Random, mark_of};

    #[test]
    fn a_text_says_its_mark() {
        let (mark, text) = Random::new(7).text();
        assert_eq!(mark_of(&text), Some(mark));
        assert_eq!(mark_of("hello"), None);
        assert_eq!(mark_of("pppppppppppppppppppp"), None);
    }

    #[test]
    fn the_same_seed_is_the_same_run() {
        let of = |seed| {
            let mut random = Random::new(seed);
            (random.id(), random.text(), random.below(100))
        };
        assert_eq!(of(3), of(3));
        assert_ne!(of(3).0, of(4).0);
    }
}
