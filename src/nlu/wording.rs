//! The wording of a text: runs of letters inside its words, single words and pairs of words, the rare
//! ones weighing more. They stand beside the embedding when intents are told apart, because a
//! misspelt word keeps most of its runs while its word pieces fall apart.
//!
//! Thousands of runs are folded into a few hundred numbers by random signs, which keeps products
//! between texts nearly as they are (Achlioptas, 2003). Knows nothing about intents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Lengths of the runs, in characters; a word begins and ends with a blank.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=4;
/// Numbers that a text is folded into.
pub(crate) const WIDTH: usize = 512;
/// What letters and words count in the product of two texts; that of the last layer counts 1.
const LETTERS: f32 = 0.3;
const WORDS: f32 = 0.2;

/// How rare each run and word is in the texts that it learnt from.
#[derive(Default)]
pub(crate) struct Wording {
    letters: Rarity,
    words: Rarity,
}

impl Wording {
    /// Learns from texts.
    pub(crate) fn learn(texts: &[&str]) -> Self {
        Self { letters: Rarity::learn(texts, letters), words: Rarity::learn(texts, words) }
    }

    /// The wording of a text, [`WIDTH`] numbers.
    pub(crate) fn fold(&self, text: &str) -> Vec<f32> {
        let mut folded = vec![0.0; WIDTH];
        self.letters.fold(&letters(text), LETTERS, &mut folded);
        self.words.fold(&words(text), WORDS, &mut folded);
        folded
    }
}

/// Rarity by run: 1 + ln((1 + n) / (1 + texts with it)).
#[derive(Default)]
struct Rarity {
    known: HashMap<String, f32>,
}

impl Rarity {
    fn learn(texts: &[&str], cut: fn(&str) -> Vec<String>) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for text in texts {
            for run in cut(text).into_iter().collect::<BTreeSet<_>>() {
                *counts.entry(run).or_default() += 1;
            }
        }
        let rarity = |count: usize| 1.0 + ((1.0 + texts.len() as f32) / (1.0 + count as f32)).ln();
        Self { known: counts.into_iter().map(|(run, count)| (run, rarity(count))).collect() }
    }

    /// Adds the known runs, each (1 + ln of its count) times its rarity and all together of length
    /// `share` squared, under their signs.
    fn fold(&self, runs: &[String], share: f32, folded: &mut [f32]) {
        let mut counts: BTreeMap<&str, f32> = BTreeMap::new();
        for run in runs {
            *counts.entry(run).or_default() += 1.0;
        }
        let weighed =
            counts.into_iter().filter_map(|(run, count)| Some((run, (1.0 + count.ln()) * self.known.get(run)?)));
        let weighed: Vec<(&str, f32)> = weighed.collect();
        let length = weighed.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        if length == 0.0 {
            return;
        }
        let scale = (share / folded.len() as f32).sqrt() / length;
        for (run, weight) in weighed {
            let mut bits = hash(run);
            for block in folded.chunks_mut(64) {
                bits = mix(bits);
                for (at, value) in block.iter_mut().enumerate() {
                    *value += if bits >> at & 1 == 1 { weight * scale } else { -weight * scale };
                }
            }
        }
    }
}

/// FNV-1a (Fowler, Noll and Vo).
fn hash(run: &str) -> u64 {
    run.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// One step of SplitMix64.
fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn split(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn letters(text: &str) -> Vec<String> {
    let mut runs = Vec::new();
    for word in split(text) {
        let letters: Vec<char> = std::iter::once(' ').chain(word.chars()).chain([' ']).collect();
        for length in LENGTHS {
            runs.extend(letters.windows(length).map(|run| run.iter().collect::<String>()));
        }
    }
    runs
}

fn words(text: &str) -> Vec<String> {
    let words = split(text);
    let pairs: Vec<String> = words.windows(2).map(|pair| pair.join(" ")).collect();
    words.into_iter().chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::heads::dot;

    #[test]
    fn a_misspelt_word_stays_near_and_case_does_not_count() {
        let texts = ["where is my delivery", "i want a refund", "opening hours"];
        let wording = Wording::learn(&texts);
        let [delivery, refund] = [texts[0], texts[1]].map(|text| wording.fold(text));
        let slip = wording.fold("WHERE is my dilevery");
        assert!((dot(&delivery, &delivery) - (LETTERS + WORDS)).abs() < 0.1);
        assert!(dot(&slip, &delivery) > 0.25, "{}", dot(&slip, &delivery));
        assert!(dot(&slip, &refund) < 0.1);
        assert_eq!(wording.fold("日本"), vec![0.0; WIDTH]);
        assert_eq!(wording.fold(""), vec![0.0; WIDTH]);
    }
}
