//! The plain form of a message, which the patterns of `languages.toml` see.

use crate::dialogue::rules::normalise;
use unicode_normalization::UnicodeNormalization;

/// Words of fewer letters are not mended: too many others are one slip away.
const MEND_LETTERS: usize = 6;

/// Lower case without accents, a letter that is repeated three times or more only once, and nothing
/// but words with one blank between them; `.`, `?` and `!` are words of their own.
pub(in crate::dialogue) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut word = String::new();
    for sign in normalise(text).nfd().filter(|sign| !is_accent(*sign)) {
        match sign {
            'ß' => word.push_str("ss"),
            'ł' => word.push('l'),
            'ø' => word.push('o'),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            'ı' => word.push('i'),
            'đ' => word.push('d'),
            letter if letter.is_alphanumeric() => word.push(letter),
            sign => {
                push_word(&mut plain, &mut word);
                let end = match sign {
                    '?' | '؟' | '？' => '?',
                    '!' | '！' => '!',
                    '.' | ';' | ':' | '\n' | '…' | '。' => '.',
                    _ => continue,
                };
                push_end(&mut plain, end);
            }
        }
    }
    push_word(&mut plain, &mut word);
    let kept = plain.trim_end_matches([' ', '.', '!']).len();
    plain.truncate(kept);
    plain
}

/// Marks that sit on Latin, Greek and Cyrillic letters. Those of Indian scripts are letters' halves.
fn is_accent(sign: char) -> bool {
    matches!(sign, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{93c}' | '\u{901}' | '\u{902}')
}

fn push_word(plain: &mut String, word: &mut String) {
    if word.is_empty() {
        return;
    }
    if !plain.is_empty() {
        plain.push(' ');
    }
    let letters: Vec<char> = word.chars().collect();
    for run in letters.chunk_by(|a, b| a == b && a.is_alphabetic()) {
        let kept = if run.len() > 2 { 1 } else { run.len() };
        plain.extend(run.iter().take(kept));
    }
    word.clear();
}

fn push_end(plain: &mut String, end: char) {
    match plain.chars().next_back() {
        None => {}
        Some('.' | '!') if end == '?' => {
            plain.pop();
            plain.push('?');
        }
        Some('.' | '?' | '!') => {}
        Some(_) => {
            plain.push(' ');
            plain.push(end);
        }
    }
}

/// A plain text with each word that is one slip away from one of `words` mended; none if there is no
/// such word. What is `known` is no slip.
pub(super) fn with_slips_mended(text: &str, words: &[String], known: &dyn Fn(&str) -> bool) -> Option<String> {
    let mut any = false;
    let mend = |word| {
        let near = || words.iter().find(|right| is_one_slip_away(word, right));
        let mended = (word.len() >= MEND_LETTERS && !known(word)).then(near).flatten();
        any |= mended.is_some();
        mended.map_or(word, String::as_str)
    };
    let mended: Vec<&str> = text.split(' ').map(mend).collect();
    any.then(|| mended.join(" "))
}

/// One letter more, less, other, or two neighbours exchanged; the first letter is always right.
fn is_one_slip_away(typed: &str, right: &str) -> bool {
    if right.len() < MEND_LETTERS
        || typed.len().abs_diff(right.len()) > 4
        || typed.chars().next() != right.chars().next()
    {
        return false;
    }
    let (typed, right): (Vec<char>, Vec<char>) = (typed.chars().collect(), right.chars().collect());
    let start = typed.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let (typed, right) = (&typed[start..], &right[start..]);
    let end = typed.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&typed[..typed.len() - end], &right[..right.len() - end]) {
        ([], []) => false,
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => (a, b) == (d, c),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_signs_and_stretched_letters_go() {
        let cases = [
            ("J'aimerais parler à quelqu'un, s'il vous plaît !", "j aimerais parler a quelqu un s il vous plait"),
            ("¿Hay ALGUIEN ahí?!", "hay alguien ahi ?"),
            ("Großes Gespräch... ok?", "grosses gesprach . ok ?"),
            ("człowieka proszęęęę", "czlowieka prosze"),
            ("Да, пожалуйста", "да пожалуиста"),
            ("...", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn one_slip_is_mended_and_two_are_not() {
        let words = ["mitarbeiter".to_owned(), "menschen".to_owned()];
        let mend = |text| with_slips_mended(text, &words, &|word| word == "mitarbeiten");
        assert_eq!(mend("einen mitarbieter bitte").as_deref(), Some("einen mitarbeiter bitte"));
        assert_eq!(mend("mit menschn").as_deref(), Some("mit menschen"));
        for text in ["mitarebitre", "mitarbeiter", "mitarbeiten", "arbeiter", ""] {
            assert_eq!(mend(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_plain_form_is_its_own(text in "(?s).{0,60}") {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once);
        }
    }
}
