//! Mends typing slips before a text is compared with the intents.
//!
//! A misspelt word falls apart into meaningless word pieces, and the intent with it. A word that
//! the tokenizer does not hold as one piece is read as a word of the example phrases that lies one
//! slip away, else as a common word that does, else as a word of the phrases two slips away.
//! Nothing else is touched: what the model knows stays, mood is read from what was typed, and the
//! customer's own text is never changed anywhere else.

use std::collections::BTreeMap;

/// Shorter words are left alone: too many words are one slip apart.
const MIN_LENGTH: usize = 4;
/// From this length on two slips are mended.
const TWO_SLIPS: usize = 7;
/// Letters that a slip may put into a common word.
const LETTERS: std::ops::RangeInclusive<char> = 'a'..='z';

/// The words of the example phrases.
pub(crate) struct Spelling {
    /// Words by their length, with how often they occur.
    words: BTreeMap<usize, Vec<(Vec<char>, usize)>>,
}

impl Spelling {
    /// Learns the words of the phrases.
    pub(crate) fn learn<'a>(phrases: impl Iterator<Item = &'a str>) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for phrase in phrases {
            for word in phrase.split(|letter: char| !letter.is_alphabetic()) {
                if word.chars().count() >= MIN_LENGTH {
                    *counts.entry(word.to_lowercase()).or_default() += 1;
                }
            }
        }
        let mut words: BTreeMap<usize, Vec<(Vec<char>, usize)>> = BTreeMap::new();
        for (word, count) in counts {
            let letters: Vec<char> = word.chars().collect();
            words.entry(letters.len()).or_default().push((letters, count));
        }
        Self { words }
    }

    /// The text with its slips mended, or none if there is nothing to mend. `place` says where a
    /// lower-case word stands among those that the model reads whole, the most frequent first.
    pub(crate) fn mend(&self, text: &str, place: impl Fn(&str) -> Option<u32>) -> Option<String> {
        let mut mended = String::with_capacity(text.len());
        let mut changed = false;
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let end = rest.find(|next: char| next.is_alphabetic() != letter.is_alphabetic()).unwrap_or(rest.len());
            let (part, tail) = rest.split_at(end);
            rest = tail;
            let word = part.to_lowercase();
            match (letter.is_alphabetic() && place(&word).is_none()).then(|| self.better(&word, &place)).flatten() {
                Some(better) => {
                    mended.push_str(&better);
                    changed = true;
                }
                None => mended.push_str(part),
            }
        }
        changed.then_some(mended)
    }

    fn better(&self, word: &str, place: &impl Fn(&str) -> Option<u32>) -> Option<String> {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() < MIN_LENGTH || letters.len() > 2 * TWO_SLIPS + MIN_LENGTH {
            return None;
        }
        match self.nearest(&letters, if letters.len() >= TWO_SLIPS { 2 } else { 1 }) {
            Some((0, _)) => None,
            Some((1, found)) => Some(found),
            two => common(&letters, place).or(two.map(|(_, found)| found)),
        }
    }

    /// The word of the phrases with the fewest slips, at most `allowed`; of several the most frequent.
    fn nearest(&self, letters: &[char], allowed: usize) -> Option<(usize, String)> {
        let lengths = letters.len() - allowed..=letters.len() + allowed;
        let mut best: Option<(usize, usize, &[char])> = None;
        for (candidate, count) in self.words.range(lengths).flat_map(|(_, words)| words) {
            let slips = distance(letters, candidate);
            if slips <= allowed && best.is_none_or(|(fewest, most, _)| (slips, most) < (fewest, *count)) {
                best = Some((slips, *count, candidate));
            }
        }
        best.map(|(slips, _, candidate)| (slips, candidate.iter().collect()))
    }
}

/// The most frequent word that the model knows and that is one slip away.
fn common(letters: &[char], place: &impl Fn(&str) -> Option<u32>) -> Option<String> {
    let mut tried: Vec<String> = Vec::new();
    for at in 0..letters.len() {
        let (before, after) = (&letters[..at], &letters[at + 1..]);
        tried.push(before.iter().chain(after).collect());
        if let Some((next, rest)) = after.split_first() {
            tried.push(before.iter().chain([next, &letters[at]]).chain(rest).collect());
        }
        for other in LETTERS {
            tried.push(before.iter().chain([&other]).chain(after).collect());
            tried.push(before.iter().chain([&other]).chain(&letters[at..]).collect());
        }
    }
    let known = tried.into_iter().filter(|word| word.chars().count() >= MIN_LENGTH);
    known.filter_map(|word| Some((place(&word)?, word))).min().map(|(_, word)| word)
}

/// Damerau-Levenshtein distance (adjacent letters swapped count as one slip).
fn distance(left: &[char], right: &[char]) -> usize {
    let width = right.len() + 1;
    let mut two_back = vec![0; width];
    let mut previous: Vec<usize> = (0..width).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for (column, other) in right.iter().enumerate() {
            let same = usize::from(letter != other);
            let mut least = (previous[column] + same).min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other {
                least = least.min(two_back[column - 1] + 1);
            }
            current[column + 1] = least;
        }
        two_back = previous;
        previous = current;
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling() -> Spelling {
        Spelling::learn(
            ["I want a refund", "where is my delivery", "track my parcel", "the jeans do not fit"].into_iter(),
        )
    }

    fn place(word: &str) -> Option<u32> {
        let known = ["want", "my", "where", "is", "parker", "please", "refined", "hello"];
        known.iter().position(|known| *known == word).map(|place| place as u32)
    }

    #[test]
    fn one_slip_is_mended_and_a_long_word_may_have_two() {
        let mended = |text| spelling().mend(text, place).unwrap();
        assert_eq!(mended("I want a Refnud please"), "I want a refund please");
        assert_eq!(mended("where is my dilevery?!"), "where is my delivery?!");
        assert_eq!(mended("my parcle"), "my parcel");
        assert_eq!(mended("helllo, aparcel"), "hello, parcel", "common words too, and a slip in the first letter");
    }

    #[test]
    fn known_words_names_and_numbers_stay() {
        for text in ["refined parker", "JT-1042", "ref", "", "Jane Smith", "my delivery"] {
            assert_eq!(spelling().mend(text, place), None, "{text}");
        }
    }

    #[test]
    fn distance_counts_a_swap_once() {
        let count =
            |left: &str, right: &str| distance(&left.chars().collect::<Vec<_>>(), &right.chars().collect::<Vec<_>>());
        assert_eq!(count("refnud", "refund"), 1);
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("delivery", "delivery"), 0);
        assert_eq!(count("kitten", "sitting"), 3);
    }
}
