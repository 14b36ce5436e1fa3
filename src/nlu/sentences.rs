//! Where the sentences of a message end.
//!
//! For short chat messages, not for prose: a mark followed by a blank ends a sentence, and so does
//! a new line. What that gets wrong ("Dr. Who") costs a fragment that resembles no intent.

/// Sentences that are read by themselves; the rest of a longer message is read as a whole only.
const MOST: usize = 6;
/// A shorter one says nothing by itself.
const LEAST_WORDS: usize = 2;

/// The sentences of a text, in order; none if it is a single one.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut signs = text.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        let next = signs.peek().map(|(_, next)| *next);
        let ends = sign == '\n' || (matches!(sign, '.' | '!' | '?' | ';') && next.is_none_or(char::is_whitespace));
        if ends {
            let end = at + sign.len_utf8();
            parts.push(&text[start..end]);
            start = end;
        }
    }
    parts.push(&text[start..]);
    let words = |part: &str| part.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
    let whole: Vec<&str> = parts.into_iter().map(str::trim).filter(|part| words(part) > 0).collect();
    if whole.len() < 2 {
        return Vec::new();
    }
    whole.into_iter().filter(|part| words(part) >= LEAST_WORDS).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::sentences;
    use proptest::prelude::*;

    #[test]
    fn marks_before_a_blank_end_a_sentence() {
        assert_eq!(
            sentences("Hi. My coat has a hole!! It was £4.50 at shop.example\nWhat do I do?"),
            ["My coat has a hole!!", "It was £4.50 at shop.example", "What do I do?"],
            "a greeting of one word is not worth a reading"
        );
        assert!(sentences("Where is my order?").is_empty(), "a single sentence is the text itself");
        assert!(sentences("  ... ").is_empty());
    }

    proptest! {
        #[test]
        fn every_sentence_is_a_piece_of_the_text(text in "(?s)[a-zé .!?\\n]{0,80}") {
            let parts = sentences(&text);
            prop_assert!(parts.len() <= super::MOST);
            prop_assert!(parts.iter().all(|part| text.contains(part) && part.trim() == *part));
        }
    }
}
