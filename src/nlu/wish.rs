//! The reader of two things that customers say in any language: the wish for a person, and the question whether
//! a machine is talking.
//!
//! One linear layer over runs of letters inside words, and over words, pairs and triples of them, hashed into a
//! table of fixed size: microseconds for a text, no language to be told first, and a misspelt word keeps most of
//! its runs. Patterns of the prompts stand beside it; what a probability leads to is decided in `dialogue`.

use super::heads::softmax;
use crate::domain::Wish;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use unicode_normalization::UnicodeNormalization;

/// Places of the table. More change nothing; half as many mix too much up.
pub(crate) const BUCKETS: usize = 1 << 16;
/// Order of the classes.
pub(crate) const CLASSES: [&str; 3] = ["person", "bot", "other"];
/// Lengths of the runs of letters, in characters; a word begins and ends with a blank.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=5;
/// Most words that are taken together.
const TOGETHER: usize = 3;
/// Steps of a rarity that make 1.
const RARITY_STEPS: f32 = 20.0;
/// Largest value of a rounded weight.
const LARGEST: f32 = 127.0;
/// Tensors of the file.
const TENSORS: [&str; 4] = ["rarity", "weights", "scales", "bias"];

/// How rare what falls into each place is, as [`RARITY_STEPS`] of 1 + ln((1 + n) / (1 + texts with it)).
pub(crate) type Rarity = Vec<u8>;

/// A trained reader.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wishes {
    rarity: Rarity,
    /// [`BUCKETS`] rows of one rounded weight per class.
    weights: Vec<i8>,
    /// What a rounded weight is multiplied with, per class.
    scales: [f32; CLASSES.len()],
    bias: [f32; CLASSES.len()],
}

impl Wishes {
    /// Rounds trained weights, [`BUCKETS`] rows of one per class, to what is stored and served.
    pub(crate) fn new(rarity: Rarity, weights: &[f32], bias: [f32; CLASSES.len()]) -> Self {
        let rows = || weights.chunks_exact(CLASSES.len());
        let largest = |class: usize| rows().fold(f32::MIN_POSITIVE, |largest, row| largest.max(row[class].abs()));
        let scales: [f32; CLASSES.len()] = std::array::from_fn(|class| largest(class) / LARGEST);
        let round = |row: &[f32]| std::array::from_fn::<i8, 3, _>(|class| (row[class] / scales[class]).round() as i8);
        Self { rarity, weights: rows().flat_map(round).collect(), scales, bias }
    }

    /// Reads one text; never fails.
    pub(crate) fn analyze(&self, text: &str) -> Wish {
        let [person, bot, _] = self.probabilities(text);
        Wish { person, bot }
    }

    /// Probabilities in the order of [`CLASSES`].
    pub(crate) fn probabilities(&self, text: &str) -> [f32; CLASSES.len()] {
        let mut sums = [0.0_f32; CLASSES.len()];
        for (bucket, value) in vector(text, &self.rarity) {
            let row = &self.weights[bucket * CLASSES.len()..][..CLASSES.len()];
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * f32::from(*weight));
        }
        let scores: [f32; CLASSES.len()] =
            std::array::from_fn(|class| sums[class].mul_add(self.scales[class], self.bias[class]));
        let shares = softmax(&scores);
        std::array::from_fn(|class| shares[class])
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If the numbers do not fit one another.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let weights: Vec<u8> = self.weights.iter().map(|weight| weight.cast_unsigned()).collect();
        let (scales, bias) = (floats(&self.scales), floats(&self.bias));
        let parts = [
            (Dtype::U8, vec![BUCKETS], self.rarity.as_slice()),
            (Dtype::I8, vec![BUCKETS, CLASSES.len()], &weights),
            (Dtype::F32, vec![CLASSES.len()], &scales),
            (Dtype::F32, vec![CLASSES.len()], &bias),
        ];
        let mut tensors = Vec::new();
        for (name, (kind, shape, data)) in TENSORS.into_iter().zip(parts) {
            tensors.push((name, TensorView::new(kind, shape, data)?));
        }
        serialize(tensors, None)
    }

    /// Takes a reader out of a file.
    ///
    /// # Errors
    /// Says what does not fit.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let tensor = |at: usize, kind: Dtype, shape: &[usize]| {
            let view = file.tensor(TENSORS[at]).map_err(|error| error.to_string())?;
            let fits = view.dtype() == kind && view.shape() == shape;
            if fits { Ok(view.data().to_vec()) } else { Err(format!("its tensor {} does not fit", TENSORS[at])) }
        };
        let floats = |at: usize| -> Result<[f32; CLASSES.len()], String> {
            let bytes = tensor(at, Dtype::F32, &[CLASSES.len()])?;
            let (fours, _) = bytes.as_chunks::<4>();
            let values: Vec<f32> = fours.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            let values =
                values.try_into().ok().filter(|values: &[f32; 3]| values.iter().all(|value| value.is_finite()));
            values.ok_or_else(|| format!("its tensor {} holds what is no number", TENSORS[at]))
        };
        let weights = tensor(1, Dtype::I8, &[BUCKETS, CLASSES.len()])?;
        Ok(Self {
            rarity: tensor(0, Dtype::U8, &[BUCKETS])?,
            weights: weights.into_iter().map(u8::cast_signed).collect(),
            scales: floats(2)?,
            bias: floats(3)?,
        })
    }
}

/// Learns how rare what falls into each place is.
pub(crate) fn rarity<'t>(texts: impl IntoIterator<Item = &'t str>) -> Rarity {
    let (mut counts, mut all) = (vec![0_u32; BUCKETS], 0_u32);
    for text in texts {
        all += 1;
        counted(text).into_iter().for_each(|(bucket, _)| counts[bucket] += 1);
    }
    let rare = |count: u32| 1.0 + ((1.0 + f64::from(all)) / (1.0 + f64::from(count))).ln();
    counts.into_iter().map(|count| (rare(count) * f64::from(RARITY_STEPS)).round() as u8).collect()
}

/// A text as places and values, of length 1: (1 + ln of the count) times the rarity.
pub(crate) fn vector(text: &str, rarity: &[u8]) -> Vec<(usize, f32)> {
    let weigh = |(bucket, count): (usize, f32)| (bucket, (1.0 + count.ln()) * f32::from(rarity[bucket]));
    let mut vector: Vec<(usize, f32)> = counted(text).into_iter().map(weigh).collect();
    let length = vector.iter().map(|(_, value)| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|(_, value)| *value /= length);
    vector
}

/// Each place that a text reaches once, in order, with how often.
fn counted(text: &str) -> Vec<(usize, f32)> {
    let text = plain(text);
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let mut places = Vec::with_capacity(6 * text.len());
    for word in words.iter().filter(|word| word.starts_with(char::is_alphanumeric)) {
        let signs: Vec<char> = std::iter::once(' ').chain(word.chars()).chain(std::iter::once(' ')).collect();
        for length in LENGTHS {
            places.extend(signs.windows(length).map(|run| place(std::iter::once('c').chain(run.iter().copied()))));
        }
    }
    let words: Vec<&str> = std::iter::once("^").chain(words).chain(std::iter::once("$")).collect();
    for count in 1..=TOGETHER {
        for run in words.windows(count) {
            let signs = run.iter().flat_map(|word| word.chars().chain(std::iter::once(' ')));
            places.push(place(std::iter::once('w').chain(signs)));
        }
    }
    places.sort_unstable();
    places.chunk_by(|left, right| left == right).map(|same| (same[0], same.len() as f32)).collect()
}

/// FNV-1a (Fowler, Noll and Vo), folded to a place of the table.
fn place(signs: impl Iterator<Item = char>) -> usize {
    let step = |hash: u64, sign: char| {
        let bytes = u32::from(sign).to_le_bytes();
        bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
    };
    let hash = signs.fold(0xCBF2_9CE4_8422_2325, step);
    (hash ^ (hash >> 32)) as usize % BUCKETS
}

/// Lower case without accents, a letter that is repeated three times or more once; words, and `?` and `!` as
/// words of their own, between blanks.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 8);
    let mut last = (' ', 0_u8);
    let lower = text.nfkd().flat_map(char::to_lowercase).nfkd();
    for sign in lower.filter(|sign| !unicode_normalization::char::is_combining_mark(*sign)) {
        last = if last.0 == sign { (sign, last.1.saturating_add(1)) } else { (sign, 1) };
        match sign {
            'ß' => plain.push_str("ss"),
            'ł' => plain.push('l'),
            'ø' => plain.push('o'),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'đ' => plain.push('d'),
            'ı' => plain.push('i'),
            letter if letter.is_alphabetic() && last.1 > 2 => {
                if last.1 == 3 {
                    plain.pop();
                }
            }
            letter if letter.is_alphanumeric() => plain.push(letter),
            '?' | '!' if last.1 == 1 => plain.extend([' ', sign, ' ']),
            _ => plain.push(' '),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reader() -> Wishes {
        let rarity = rarity(["ein mensch bitte", "bist du ein bot", "wo ist mein paket"]);
        let mut weights = vec![0.0; BUCKETS * CLASSES.len()];
        for (class, text) in ["ein mensch bitte", "bist du ein bot", "wo ist mein paket"].iter().enumerate() {
            vector(text, &rarity)
                .iter()
                .for_each(|(bucket, value)| weights[bucket * CLASSES.len() + class] = 9.0 * value);
        }
        Wishes::new(rarity, &weights, [0.0, 0.0, 0.1])
    }

    #[test]
    fn accents_case_and_stretched_letters_do_not_count_and_signs_are_words() {
        assert_eq!(plain("Człowieeek, PROSZĘ!!"), "czlowiek  prosze !  ");
        let words = |text| plain(text).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words("Großes Gespräch, ok?!"), ["grosses", "gesprach", "ok", "?", "!"]);
        assert_eq!(counted("MENSCH"), counted("mensch"));
        assert_ne!(counted("mensch"), counted("mensch?"));
    }

    #[test]
    fn a_file_gives_the_same_reader_and_a_damaged_one_none() {
        let reader = reader();
        let bytes = reader.bytes().unwrap();
        assert!(bytes.len() < 400_000);
        assert_eq!(Wishes::read(&bytes).unwrap(), reader);
        assert!(Wishes::read(&bytes[..bytes.len() - 1]).is_err());
        let broken = Wishes { bias: [f32::NAN, 0.0, 0.0], ..reader };
        assert!(Wishes::read(&broken.bytes().unwrap()).unwrap_err().contains("bias"));
    }

    #[test]
    fn a_misspelt_word_stays_near() {
        let reader = reader();
        let [right, slip, other] =
            ["ein mensch bitte", "ein mennsch bite", "wo ist das paket"].map(|text| reader.analyze(text).person);
        assert!(right > 0.9 && slip > 0.5 && other < 0.2, "{right} {slip} {other}");
        assert!(reader.analyze("bist du ein bot?").bot > 0.8);
    }

    proptest! {
        #[test]
        fn every_text_has_probabilities_and_a_vector_of_length_one(text in "(?s).{0,80}") {
            let reader = reader();
            let shares = reader.probabilities(&text);
            prop_assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            let length: f32 = vector(&text, &reader.rarity).iter().map(|(_, value)| value * value).sum();
            prop_assert!((length - 1.0).abs() < 1e-4, "even an empty text has a beginning and an end");
        }
    }
}
