//! Mends typing slips before the encoder reads a text.
//!
//! A misspelt word falls apart into meaningless word pieces, and the intent with it. A word that
//! the tokenizer does not hold as one piece, and that lies one slip away from a word of the
//! example phrases, is read as that word. Nothing else is touched: what the model knows stays,
//! and the customer's own text is never changed anywhere else.

use std::collections::{BTreeMap, HashMap};

/// Shorter words are left alone: too many words are one slip apart.
const MIN_LENGTH: usize = 4;
/// From this length on two slips are mended.
const TWO_SLIPS: usize = 8;

/// The words of the example phrases.
pub(crate) struct Spelling {
    /// Words by their first letter, with how often they occur.
    words: HashMap<char, Vec<(Vec<char>, usize)>>,
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
        let mut words: HashMap<char, Vec<(Vec<char>, usize)>> = HashMap::new();
        for (word, count) in counts {
            let letters: Vec<char> = word.chars().collect();
            words.entry(letters[0]).or_default().push((letters, count));
        }
        Self { words }
    }

    /// The text with its slips mended, or none if there is nothing to mend. `knows` says whether
    /// the model reads a lower-case word whole.
    pub(crate) fn mend(&self, text: &str, knows: impl Fn(&str) -> bool) -> Option<String> {
        let mut mended = String::with_capacity(text.len());
        let mut changed = false;
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let end = rest.find(|next: char| next.is_alphabetic() != letter.is_alphabetic()).unwrap_or(rest.len());
            let (part, tail) = rest.split_at(end);
            rest = tail;
            let word = part.to_lowercase();
            match (letter.is_alphabetic() && !knows(&word)).then(|| self.nearest(&word)).flatten() {
                Some(better) => {
                    mended.extend(better);
                    changed = true;
                }
                None => mended.push_str(part),
            }
        }
        changed.then_some(mended)
    }

    fn nearest(&self, word: &str) -> Option<&[char]> {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() < MIN_LENGTH {
            return None;
        }
        let allowed = if letters.len() >= TWO_SLIPS { 2 } else { 1 };
        let candidates = self.words.get(&letters[0])?;
        let mut best: Option<(usize, usize, &[char])> = None;
        for (candidate, count) in candidates {
            if candidate.len().abs_diff(letters.len()) > allowed {
                continue;
            }
            let slips = distance(&letters, candidate);
            if slips == 0 {
                return None;
            }
            let better = best.is_none_or(|(fewest, most, _)| (slips, most) < (fewest, *count));
            if slips <= allowed && better {
                best = Some((slips, *count, candidate));
            }
        }
        best.map(|(_, _, candidate)| candidate)
    }
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

    fn knows(word: &str) -> bool {
        ["want", "my", "where", "is", "parker", "please", "refined"].contains(&word)
    }

    #[test]
    fn one_slip_is_mended_and_a_long_word_may_have_two() {
        let mended = |text| spelling().mend(text, knows).unwrap();
        assert_eq!(mended("I want a Refnud please"), "I want a refund please");
        assert_eq!(mended("where is my dilevery?!"), "where is my delivery?!");
        assert_eq!(mended("my parcle"), "my parcel");
    }

    #[test]
    fn known_words_names_and_numbers_stay() {
        for text in ["refined parker", "JT-1042", "ref", "", "Jane Smith", "my delivery"] {
            assert_eq!(spelling().mend(text, knows), None, "{text}");
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
