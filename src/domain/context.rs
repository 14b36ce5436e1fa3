//! What a conversation holds that helps to read its next turn.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The meaning of a text, rounded: an embedding of length 1 as whole numbers from -127 to 127,
/// small enough to keep with a conversation. It is personal data like the text and goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gist(Vec<i8>);

impl Gist {
    /// Rounds an embedding; each value is scaled by the largest.
    #[must_use]
    pub fn new(embedding: &[f32]) -> Self {
        let largest = embedding.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
        Self(embedding.iter().map(|value| (value / largest * 127.0).round() as i8).collect())
    }

    /// The embedding, but for its length: rounding it gives the same meaning again.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        self.0.iter().map(|value| f32::from(*value)).collect()
    }

    /// Cosine with an embedding, -1 to 1; 0 for one of another width.
    #[must_use]
    pub fn cosine(&self, embedding: &[f32]) -> f32 {
        if self.0.len() != embedding.len() {
            return 0.0;
        }
        let (mut product, mut own, mut other) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (value, embedded) in self.0.iter().zip(embedding) {
            let value = f32::from(*value);
            product += value * embedded;
            own += value * value;
            other += embedded * embedded;
        }
        if own == 0.0 || other == 0.0 { 0.0 } else { (product / (own * other).sqrt()).clamp(-1.0, 1.0) }
    }
}

impl Serialize for Gist {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().map(|value| value.cast_unsigned()).collect();
        serializer.serialize_str(&BASE64.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Gist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into_iter().map(u8::cast_signed).collect()))
    }
}

/// An earlier turn of the customer's.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlierTurn {
    /// Probability of frustration, read from that text alone, 0 to 1.
    pub frustration: f32,
    /// What it meant.
    pub meaning: Gist,
}

/// What was before a turn. `Default` is the start of a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The customer's latest turns, oldest first.
    pub earlier: Vec<EarlierTurn>,
    /// Whether the bot's last answer missed: it did not understand, or said the same again.
    pub bot_missed: bool,
    /// Customer turns so far.
    pub turns: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meaning_survives_storage_and_keeps_its_direction() {
        let embedding = [0.6, -0.8, 0.0];
        let meaning = Gist::new(&embedding);
        let stored = serde_json::to_string(&meaning).unwrap();
        assert_eq!(serde_json::from_str::<Gist>(&stored).unwrap(), meaning);
        assert!(meaning.cosine(&embedding) > 0.999);
        assert!(meaning.cosine(&[-0.6, 0.8, 0.0]) < -0.999);
        assert_eq!(meaning.cosine(&[1.0]), 0.0);
        assert_eq!(Gist::default().cosine(&[]), 0.0);
    }
}
