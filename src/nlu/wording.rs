//! The wording of a text: runs of letters inside its words, single words and pairs of words, the rare
//! ones weighing more. They stand beside the embedding when intents are told apart, because a
//! misspelt word keeps most of its runs while its word pieces fall apart.
//!
//! Thousands of runs are folded into a few hundred numbers by random signs, which keeps products
//! between texts nearly as they are (Achlioptas, 2003). Knows nothing about intents.

use crate::random::mix;
use std::collections::HashMap;
use std::sync::LazyLock;

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
        let spaced = spaced(text);
        self.letters.fold(letters(&spaced), LETTERS, &mut folded);
        self.words.fold(words(&spaced), WORDS, &mut folded);
        folded
    }
}

/// Rarity by run: 1 + ln((1 + n) / (1 + texts with it)).
#[derive(Default)]
struct Rarity {
    known: HashMap<String, f32>,
}

impl Rarity {
    fn learn(texts: &[&str], cut: for<'a> fn(&'a str) -> Vec<&'a str>) -> Self {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for text in texts {
            for (run, _) in counted(cut(&spaced(text))) {
                if let Some(count) = counts.get_mut(run) {
                    *count += 1;
                } else {
                    counts.insert(run.to_owned(), 1);
                }
            }
        }
        let rarity = |count: usize| 1.0 + ((1.0 + texts.len() as f32) / (1.0 + count as f32)).ln();
        Self { known: counts.into_iter().map(|(run, count)| (run, rarity(count))).collect() }
    }

    /// Adds the known runs, each (1 + ln of its count) times its rarity and all together of length
    /// `share` squared, under their signs.
    fn fold(&self, runs: Vec<&str>, share: f32, folded: &mut [f32]) {
        let weighed = counted(runs).into_iter();
        let weighed = weighed.filter_map(|(run, count)| Some((run, (1.0 + count.ln()) * self.known.get(run)?)));
        let weighed: Vec<(&str, f32)> = weighed.collect();
        let length = weighed.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        if length == 0.0 {
            return;
        }
        let scale = (share / folded.len() as f32).sqrt() / length;
        let (blocks, _) = folded.as_chunks_mut::<8>();
        for (run, weight) in weighed {
            let (mut bits, weight) = (hash(run), weight * scale);
            for eight in blocks.chunks_mut(8) {
                bits = mix(bits);
                for (block, signs) in eight.iter_mut().zip(bits.to_le_bytes()) {
                    let signs = &SIGNS[usize::from(signs)];
                    block.iter_mut().zip(signs).for_each(|(value, sign)| *value += sign * weight);
                }
            }
        }
    }
}

/// The signs that a byte stands for, its lowest bit first.
static SIGNS: LazyLock<Box<[[f32; 8]; 256]>> = LazyLock::new(|| {
    let sign = |byte: usize, bit: usize| if byte >> bit & 1 == 1 { 1.0 } else { -1.0 };
    Box::new(std::array::from_fn(|byte| std::array::from_fn(|bit| sign(byte, bit))))
});

/// Each run once, in alphabetical order, with how often it stands there.
fn counted(mut runs: Vec<&str>) -> Vec<(&str, f32)> {
    runs.sort_unstable();
    runs.chunk_by(|left, right| left == right).map(|same| (same[0], same.len() as f32)).collect()
}

/// FNV-1a (Fowler, Noll and Vo).
fn hash(run: &str) -> u64 {
    run.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// The words of a text in lower case, a blank before each and after the last.
fn spaced(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    let mut spaced = String::with_capacity(lower.len() + 2);
    for word in words.filter(|word| !word.is_empty()) {
        spaced.push(' ');
        spaced.push_str(word);
    }
    spaced.push(' ');
    spaced
}

/// Places of the blanks of a spaced text.
fn blanks(spaced: &str) -> Vec<usize> {
    spaced.match_indices(' ').map(|(at, _)| at).collect()
}

fn letters(spaced: &str) -> Vec<&str> {
    let mut runs = Vec::with_capacity(3 * spaced.len());
    for ends in blanks(spaced).windows(2) {
        let word = &spaced[ends[0]..=ends[1]];
        let mut places: Vec<usize> = word.char_indices().map(|(at, _)| at).collect();
        places.push(word.len());
        for length in LENGTHS {
            runs.extend(places.windows(length + 1).map(|run| &word[run[0]..run[length]]));
        }
    }
    runs
}

fn words(spaced: &str) -> Vec<&str> {
    let blanks = blanks(spaced);
    let between = |ends: &[usize]| &spaced[ends[0] + 1..ends[ends.len() - 1]];
    blanks.windows(2).chain(blanks.windows(3)).map(between).collect()
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
