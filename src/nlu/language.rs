//! Which language a text is written in, where that is sure.
//!
//! A wrong language is worse than none: a customer who writes English and is answered in Czech has
//! been misread by a machine. So a language is only named on agreement. Scripts of their own are
//! told by their letters; languages in Latin letters by their small words, held against the English
//! words of the same text, with `whatlang`'s letter statistics where the words leave room. What is
//! short, mixed or full of names stays without a language. Knows letters and words only; what
//! follows from a language is decided in `dialogue`.

mod script;
mod words;

use std::sync::LazyLock;
use whatlang::{Detector, Lang};
use words::{Evidence, LATIN};

/// Fewer words than this say too little, in Latin letters.
const MIN_WORDS: usize = 3;
/// Fewer letters than this say too little, in Latin letters.
const MIN_LETTERS: usize = 12;
/// From this weight of small words on, the letters need not agree.
const PLENTY: f32 = 3.0;
/// Least weight of small words for any claim.
const LEAST: f32 = 2.0;
/// A claim needs this many times more weight than the English words have.
const OUTWEIGHS: f32 = 2.0;
/// Lead over the second language that needs no second opinion.
const LEAD: f32 = 0.9;
/// Least share of the text's words that the claimed language knows, or might know.
const LEAST_SHARE: f32 = 0.3;
/// Without a list of words, only a longer text is told, by its letters.
const UNLISTED_WORDS: usize = 5;
/// Letters of such a text.
const UNLISTED_LETTERS: usize = 25;

/// Languages in Latin letters that have no list of words.
const UNLISTED: [(Lang, &str); 7] = [
    (Lang::Est, "et"),
    (Lang::Hrv, "hr"),
    (Lang::Ind, "id"),
    (Lang::Lav, "lv"),
    (Lang::Lit, "lt"),
    (Lang::Slk, "sk"),
    (Lang::Vie, "vi"),
];

static DETECTOR: LazyLock<Detector> =
    LazyLock::new(|| Detector::with_allowlist(LATIN.iter().chain(&UNLISTED).map(|(language, _)| *language).collect()));

/// ISO 639-1 code, or none if the text is too short, mixed, or could be one of several languages.
pub(crate) fn detect_language(text: &str) -> Option<String> {
    let code = match script::of(text) {
        script::Found::Language(code) => Some(code),
        script::Found::Latin => latin(text),
        script::Found::Unsure => None,
    };
    code.map(str::to_owned)
}

/// The language of a text in Latin letters.
fn latin(text: &str) -> Option<&'static str> {
    let seen = Evidence::of(text);
    if seen.words < MIN_WORDS || seen.letters < MIN_LETTERS {
        return None;
    }
    let (best, second) = seen.two_best();
    if english(&seen, best.weight) {
        return Some("en");
    }
    let share = (best.known as f32 + seen.shared as f32) / seen.words as f32;
    let outweighs = best.weight >= OUTWEIGHS * seen.english;
    if best.weight >= LEAST && best.different >= 2 && outweighs && share >= LEAST_SHARE {
        let leads = best.weight - second.weight >= LEAD;
        if leads && best.weight >= PLENTY {
            return Some(best.code);
        }
        // Neighbours such as Danish and Norwegian share their small words; the letters have the casting vote.
        let letters = code_of(DETECTOR.detect(text)?.lang())?;
        let near = [best.code, second.code].contains(&letters) && best.weight - second.weight < LEAD;
        return if leads && (letters == best.code || seen.english == 0.0) {
            Some(best.code)
        } else if near {
            Some(letters)
        } else {
            None
        };
    }
    unlisted(text, &seen, best.weight)
}

/// Whether a text is surely English.
fn english(seen: &Evidence, foreign: f32) -> bool {
    seen.english >= 2.0
        && seen.english >= OUTWEIGHS * foreign
        && (seen.english + seen.shared as f32) * 2.0 >= seen.words as f32
}

/// A language without a list of words: only where no listed language has a say in it.
fn unlisted(text: &str, seen: &Evidence, listed: f32) -> Option<&'static str> {
    let long = seen.words >= UNLISTED_WORDS && seen.letters >= UNLISTED_LETTERS;
    if !long || seen.english > 0.0 || listed >= LEAST {
        return None;
    }
    let found = DETECTOR.detect(text).filter(whatlang::Info::is_reliable)?;
    UNLISTED.iter().find(|(language, _)| *language == found.lang()).map(|(_, code)| *code)
}

fn code_of(language: Lang) -> Option<&'static str> {
    LATIN.iter().find(|(known, _)| *known == language).map(|(_, code)| *code)
}

#[cfg(test)]
mod tests;
