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
    /// Words by their length.
    words: BTreeMap<usize, Vec<Known>>,
}

/// A word of the example phrases.
struct Known {
    letters: Vec<char>,
    /// See [`letters_set`].
    set: u32,
    /// How often it occurs.
    count: usize,
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
        let mut words: BTreeMap<usize, Vec<Known>> = BTreeMap::new();
        for (word, count) in counts {
            let letters: Vec<char> = word.chars().collect();
            words.entry(letters.len()).or_default().push(Known { set: letters_set(&letters), letters, count });
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
            match letter.is_alphabetic().then(|| self.better(&part.to_lowercase(), &place)).flatten() {
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
        if letters.len() < MIN_LENGTH || letters.len() > 2 * TWO_SLIPS + MIN_LENGTH || place(word).is_some() {
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
        let set = letters_set(letters);
        let mut rows = Rows::default();
        let mut best: Option<(usize, &Known)> = None;
        for known in self.words.range(lengths).flat_map(|(_, words)| words) {
            // Only a word that would be taken is worth measuring, and one slip changes two letters of a set
            // at most.
            let allowed = best.map_or(allowed, |(fewest, _)| fewest);
            if (set ^ known.set).count_ones() as usize > 2 * allowed {
                continue;
            }
            let slips = distance(letters, &known.letters, &mut rows);
            if slips <= allowed && best.is_none_or(|(fewest, most)| (slips, most.count) < (fewest, known.count)) {
                best = Some((slips, known));
            }
        }
        best.map(|(slips, known)| (slips, known.letters.iter().collect()))
    }
}

/// Which letters a word holds, as bits; letters whose codes are 32 apart share one.
fn letters_set(letters: &[char]) -> u32 {
    letters.iter().fold(0, |set, letter| set | 1 << (u32::from(*letter) % 32))
}

/// The most frequent word that the model knows and that is one slip away.
fn common(letters: &[char], place: &impl Fn(&str) -> Option<u32>) -> Option<String> {
    let mut best: Option<(u32, String)> = None;
    let mut tried = String::new();
    let mut attempt = |parts: [&[char]; 3]| {
        tried.clear();
        tried.extend(parts.into_iter().flatten());
        if let Some(place) = place(&tried)
            && best.as_ref().is_none_or(|(first, _)| place < *first)
        {
            best = Some((place, tried.clone()));
        }
    };
    for at in 0..letters.len() {
        let (before, after) = (&letters[..at], &letters[at + 1..]);
        if letters.len() > MIN_LENGTH {
            attempt([before, &[], after]);
        }
        if let Some((next, rest)) = after.split_first() {
            attempt([before, &[*next, letters[at]], rest]);
        }
        for other in LETTERS {
            attempt([before, &[other], after]);
            attempt([before, &[other], &letters[at..]]);
        }
    }
    best.map(|(_, word)| word)
}

/// Rows of the table of distances, kept from one word to the next.
#[derive(Default)]
struct Rows {
    two_back: Vec<usize>,
    previous: Vec<usize>,
    current: Vec<usize>,
}

/// Damerau-Levenshtein distance (adjacent letters swapped count as one slip).
fn distance(left: &[char], right: &[char], rows: &mut Rows) -> usize {
    let Rows { two_back, previous, current } = rows;
    previous.clear();
    previous.extend(0..=right.len());
    two_back.resize(right.len() + 1, 0);
    current.resize(right.len() + 1, 0);
    for (row, letter) in left.iter().enumerate() {
        current[0] = row + 1;
        for (column, other) in right.iter().enumerate() {
            let same = usize::from(letter != other);
            let mut least = (previous[column] + same).min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other {
                least = least.min(two_back[column - 1] + 1);
            }
            current[column + 1] = least;
        }
        std::mem::swap(two_back, previous);
        std::mem::swap(previous, current);
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
        let count = |left: &str, right: &str| {
            distance(&left.chars().collect::<Vec<_>>(), &right.chars().collect::<Vec<_>>(), &mut Rows::default())
        };
        assert_eq!(count("refnud", "refund"), 1);
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("delivery", "delivery"), 0);
        assert_eq!(count("kitten", "sitting"), 3);
    }
}
