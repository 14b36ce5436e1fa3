//! Cleaning of what people type, once, on the way in. The text stays theirs: only characters that
//! no reader can see or that break a reader's screen are removed.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longest message, in characters.
pub const MAX_CHARS: usize = 4_000;
/// Combining marks that one base character may carry; real scripts need at most a few.
const MAX_MARKS: usize = 8;

/// Why a text cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing visible in it.
    #[error("the message is empty")]
    Empty,
    /// Over 4,000 characters.
    #[error("the message is longer than 4,000 characters")]
    TooLong,
}

/// The text in NFC without control, tag and invisible formatting characters that only deceive,
/// trimmed.
///
/// # Errors
/// `Empty` or `TooLong`, judged after cleaning.
pub fn clean(typed: &str) -> Result<String, TextError> {
    // Four bytes a character at most, and marks are capped: more cannot become short enough cheaply.
    if typed.len() > MAX_CHARS * 16 {
        return Err(TextError::TooLong);
    }
    let mut marks = 0;
    let cleaned: String = typed
        .replace("\r\n", "\n")
        .nfc()
        .filter(|&letter| {
            marks = if is_combining_mark(letter) { marks + 1 } else { 0 };
            marks <= MAX_MARKS && is_kept(letter)
        })
        .collect();
    let cleaned = cleaned.trim();
    if cleaned.is_empty() {
        return Err(TextError::Empty);
    }
    if cleaned.chars().count() > MAX_CHARS {
        return Err(TextError::TooLong);
    }
    Ok(cleaned.to_owned())
}

fn is_kept(letter: char) -> bool {
    match letter {
        '\n' | '\t' => true,
        // Bidirectional overrides and embeddings (isolates stay: right-to-left writers use them),
        // tag characters, and the byte order mark.
        '\u{202A}'..='\u{202E}' | '\u{E0000}'..='\u{E007F}' | '\u{FEFF}' => false,
        other => !other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARS, TextError, clean};

    #[test]
    fn keeps_what_people_write() {
        for text in ["hello", "two\nlines\tand a tab", "naïve café", "👩‍👩‍👧 ok", "שלום", "ก็ดี", "a < b & \"c\""]
        {
            assert_eq!(clean(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn removes_what_only_deceives() {
        assert_eq!(clean("a\u{0}b\u{1b}[31m\r\n").as_deref(), Ok("ab[31m"));
        assert_eq!(clean("gpj\u{202E}exe").as_deref(), Ok("gpjexe"));
        let zalgo = format!("a{}", "\u{301}".repeat(500));
        assert!(clean(&zalgo).is_ok_and(|text| text.chars().count() <= 10));
    }

    #[test]
    fn refuses_empty_and_endless() {
        assert_eq!(clean(" \u{0} \n"), Err(TextError::Empty));
        assert!(clean(&"x".repeat(MAX_CHARS)).is_ok());
        assert_eq!(clean(&"x".repeat(MAX_CHARS + 1)), Err(TextError::TooLong));
    }
}
