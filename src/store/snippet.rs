//! The place in a text where searched words occur, for a list of hits. Words are compared as both databases' indexes
//! do: without case and accents, the last one as a beginning. Knows no database.

use super::{HIT_END, HIT_START};
use std::ops::Range;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Words that a search takes.
const MAX_WORDS: usize = 16;
/// Words in a snippet,
const WIDTH: usize = 14;
/// and those before its first hit.
const BEFORE: usize = 4;

/// The words that somebody typed, one space between them and nothing else that an index's language could read as an
/// operator; none if there is no word.
pub(super) fn search_words(typed: &str) -> Option<String> {
    let words: Vec<&str> = words(typed).take(MAX_WORDS).map(|place| &typed[place]).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The surroundings of the first hit of `searched` (as [`search_words`] gives it), each hit between marks.
pub(super) fn snippet(text: &str, searched: &str) -> String {
    let searched: Vec<String> = searched.split(' ').map(fold).collect();
    let (last, whole) = searched.split_last().map_or((None, &[][..]), |(last, whole)| (Some(last), whole));
    let is_hit = |word: &str| {
        let word = fold(word);
        whole.contains(&word) || last.is_some_and(|last| word.starts_with(last.as_str()))
    };
    let places: Vec<(Range<usize>, bool)> = words(text).map(|place| (place.clone(), is_hit(&text[place]))).collect();
    let first = places.iter().position(|(_, hit)| *hit).unwrap_or(0).saturating_sub(BEFORE);
    let shown = &places[first..places.len().min(first + WIDTH)];
    let (Some((start, _)), Some((end, _))) = (shown.first(), shown.last()) else { return text.to_owned() };
    let (cut_before, cut_after) = (first > 0, first + shown.len() < places.len());
    let mut at = if cut_before { start.start } else { 0 };
    let until = if cut_after { end.end } else { text.len() };
    let mut out = String::from(if cut_before { "…" } else { "" });
    for (place, _) in shown.iter().filter(|(_, hit)| *hit) {
        out.push_str(&text[at..place.start]);
        out.push(HIT_START);
        out.push_str(&text[place.clone()]);
        out.push(HIT_END);
        at = place.end;
    }
    out.push_str(&text[at..until]);
    out.push_str(if cut_after { "…" } else { "" });
    out
}

/// Where the words of a text stand.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let inside = |sign: char| sign.is_alphanumeric() || is_combining_mark(sign);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(char::is_alphanumeric)?;
        let end = text[start..].find(|sign| !inside(sign)).map_or(text.len(), |length| start + length);
        at = end;
        Some(start..end)
    })
}

/// A word without case and accents.
fn fold(word: &str) -> String {
    word.nfd().filter(|sign| !('\u{300}'..='\u{36F}').contains(sign)).nfc().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{search_words, snippet};

    fn shown(text: &str, typed: &str) -> String {
        snippet(text, &search_words(typed).unwrap()).replace('\u{2}', "[").replace('\u{3}', "]")
    }

    #[test]
    fn operators_and_quotes_lose_their_meaning() {
        assert_eq!(search_words(" late  parcel").as_deref(), Some("late parcel"));
        assert_eq!(search_words("a OR \"b NEAR(x)' & !c:* \0").as_deref(), Some("a OR b NEAR x c"));
        assert_eq!(search_words("JT-1042").as_deref(), Some("JT 1042"));
        assert_eq!(search_words(" \" ** "), None);
        assert_eq!(search_words(&"w ".repeat(40)).unwrap().len(), 16 * 2 - 1);
    }

    #[test]
    fn hits_are_marked_without_case_and_accents_and_the_last_word_is_a_beginning() {
        assert_eq!(shown("The Parcel is late.", "late parc"), "The [Parcel] is [late].");
        assert_eq!(shown("Un café, s'il vous plaît", "CAFE"), "Un [café], s'il vous plaît");
        assert_eq!(shown("partial", "part of"), "partial");
        assert_eq!(shown("Где ПОСЫЛКА?", "посылка"), "Где [ПОСЫЛКА]?");
    }

    #[test]
    fn a_long_text_is_cut_around_the_first_hit() {
        let text = format!("{} parcel {}!", "before ".repeat(40).trim(), "after ".repeat(40).trim());
        let cut = shown(&text, "parcel");
        assert_eq!(cut, format!("…{}[parcel]{}…", "before ".repeat(4), " after".repeat(9)));
        assert_eq!(shown("", "parcel"), "");
    }
}
