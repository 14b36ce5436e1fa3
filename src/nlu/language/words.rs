//! The small words of languages in Latin letters, from `words.txt`: one language a line, words in
//! the native spelling. Words that several languages have count for each of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;
use whatlang::Lang;

/// The languages of `words.txt`, with their ISO 639-1 codes; English is none of them.
pub(super) const LATIN: [(Lang, &str); 16] = [
    (Lang::Eng, "en"),
    (Lang::Ces, "cs"),
    (Lang::Dan, "da"),
    (Lang::Deu, "de"),
    (Lang::Fin, "fi"),
    (Lang::Fra, "fr"),
    (Lang::Hun, "hu"),
    (Lang::Ita, "it"),
    (Lang::Nld, "nl"),
    (Lang::Nob, "nb"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Ron, "ro"),
    (Lang::Spa, "es"),
    (Lang::Swe, "sv"),
    (Lang::Tur, "tr"),
];
/// Its place in [`LATIN`].
const ENGLISH: usize = 0;

/// Words that names of people, streets, towns and brands are full of, and single letters.
const PARTICLES: [&str; 28] = [
    "de", "la", "le", "les", "el", "los", "las", "di", "da", "del", "della", "van", "von", "der", "den", "des", "du",
    "dos", "y", "e", "o", "i", "a", "s", "d", "l", "c", "n",
];
const PARTICLE: f32 = 0.35;
/// A word typed with its accents says more than one that only looks like it without them.
const ACCENTED: f32 = 1.5;
const PLAIN: f32 = 1.0;
const FOLDED: f32 = 0.8;

/// Weights of a word, by language; 0 where a language does not have it.
type Weights = [f32; LATIN.len()];

static WORDS: LazyLock<HashMap<String, Weights>> = LazyLock::new(|| {
    let mut words: HashMap<String, Weights> = HashMap::new();
    let lines = include_str!("words.txt").lines().filter_map(|line| line.split_once(": "));
    for (code, list) in lines {
        let Some(place) = LATIN.iter().position(|(_, known)| *known == code) else { continue };
        let mut add = |word: String, weight: f32| {
            let weights = words.entry(word).or_insert([0.0; LATIN.len()]);
            weights[place] = weights[place].max(weight);
        };
        for word in list.split_whitespace() {
            let folded = fold(word);
            let particle = PARTICLES.contains(&word);
            if folded == word {
                add(folded, if particle { PARTICLE } else { PLAIN });
            } else {
                add(word.to_owned(), ACCENTED);
                add(folded, FOLDED);
            }
        }
    }
    words
});

/// A word without accents, in lower case already.
fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for letter in word.nfd().filter(|letter| !matches!(letter, '\u{300}'..='\u{36f}')) {
        match letter {
            'ß' => folded.push_str("ss"),
            'ø' => folded.push('o'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'đ' => folded.push('d'),
            other => folded.push(other),
        }
    }
    folded
}

/// What the words of a text say for one language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// Its code.
    pub(super) code: &'static str,
    /// Weight of its words that are not English as well.
    pub(super) weight: f32,
    /// How many of the text's words those are.
    pub(super) known: usize,
    /// How many different ones.
    pub(super) different: usize,
}

/// What the words of a text say.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Words, without codes and numbers.
    pub(super) words: usize,
    /// Their letters.
    pub(super) letters: usize,
    /// Words that are English and nothing else.
    pub(super) english: f32,
    /// Words that are English and something else.
    pub(super) shared: usize,
    standings: Vec<Standing>,
}

impl Evidence {
    /// Reads the words of a text.
    pub(super) fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let mut seen = Self {
            words: 0,
            letters: 0,
            english: 0.0,
            shared: 0,
            standings: LATIN.iter().map(|(_, code)| Standing { code, weight: 0.0, known: 0, different: 0 }).collect(),
        };
        let mut met: BTreeSet<&str> = BTreeSet::new();
        for word in lower.split_whitespace().filter(|word| !is_code(word)).flat_map(words) {
            seen.words += 1;
            seen.letters += word.chars().count();
            let first = met.insert(word);
            let folded;
            let weights = match WORDS.get(word) {
                Some(weights) => weights,
                None if word.is_ascii() => continue,
                None => {
                    folded = fold(word);
                    match WORDS.get(&folded) {
                        Some(weights) => weights,
                        None => continue,
                    }
                }
            };
            let foreign = weights.iter().skip(1).any(|weight| *weight > 0.0);
            if weights[ENGLISH] > 0.0 {
                if foreign {
                    seen.shared += 1
                } else {
                    seen.english += 1.0
                }
                continue;
            }
            for (standing, weight) in seen.standings.iter_mut().zip(weights).filter(|(_, weight)| **weight > 0.0) {
                // A word said again is no new evidence.
                standing.weight += if first { *weight } else { 0.0 };
                standing.known += 1;
                standing.different += usize::from(first);
            }
        }
        seen
    }

    /// The two foreign languages with the most weight.
    pub(super) fn two_best(&self) -> (Standing, Standing) {
        let mut best = Standing { code: "", weight: 0.0, known: 0, different: 0 };
        let mut second = best;
        for standing in self.standings.iter().skip(1) {
            if standing.weight > best.weight {
                (best, second) = (*standing, best);
            } else if standing.weight > second.weight {
                second = *standing;
            }
        }
        (best, second)
    }
}

/// Numbers, codes, addresses: no words of any language.
fn is_code(word: &str) -> bool {
    word.contains(|sign: char| sign.is_ascii_digit() || matches!(sign, '@' | '/' | '_' | '#'))
}

/// The parts of a word between its signs: "j'ai" has two.
fn words(word: &str) -> impl Iterator<Item = &str> {
    word.split(|sign: char| !sign.is_alphabetic() && !matches!(sign, '\u{300}'..='\u{36f}'))
        .filter(|part| !part.is_empty())
}
