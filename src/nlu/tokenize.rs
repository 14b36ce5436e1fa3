//! Text to WordPiece ids.
//!
//! The tokenizer file that ships with all-MiniLM-L6-v2 asks for padding to exactly 128 tokens,
//! which makes a six-token turn cost twenty times too much, and truncates at 128. Both are set
//! explicitly here, whatever the file says.

use std::collections::HashMap;
use tokenizers::{Tokenizer as Inner, TruncationParams};

/// A WordPiece tokenizer without padding.
pub(crate) struct Tokenizer {
    inner: Inner,
    /// Whole words with their ids; the lower the id, the more frequent the word.
    words: HashMap<String, u32>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; texts are cut after `max_tokens` ids (including the two marks).
    ///
    /// # Errors
    /// The tokenizer library's reason, as text.
    pub(crate) fn read(bytes: &[u8], max_tokens: usize) -> Result<Self, String> {
        let mut inner = Inner::from_bytes(bytes).map_err(|error| error.to_string())?;
        inner.with_padding(None);
        let truncation = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
        inner.with_truncation(Some(truncation)).map_err(|error| error.to_string())?;
        let words = inner
            .get_vocab(false)
            .into_iter()
            .filter(|(piece, _)| piece.len() > 1 && piece.chars().all(char::is_alphabetic))
            .collect();
        Ok(Self { inner, words })
    }

    /// The ids of one text, with the start and end marks; never empty.
    ///
    /// # Errors
    /// The tokenizer library's reason, as text.
    pub(crate) fn ids(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.inner.encode_fast(text, true).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The place of a lower-case word that is one piece of the vocabulary, so that the model knows it
    /// whole: the lower, the more frequent it is. None for other words.
    #[must_use]
    pub(crate) fn place(&self, word: &str) -> Option<u32> {
        self.words.get(word).copied()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tokenizer file with the packaged model's trap in it: fixed padding, short truncation.
    pub(crate) fn padded_file(words: &[&str]) -> Vec<u8> {
        let mut vocabulary = serde_json::Map::new();
        let pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].into_iter().chain(words.iter().copied());
        for (id, piece) in pieces.enumerate() {
            vocabulary.insert(piece.to_owned(), id.into());
        }
        let special = |id: u32, content: &str| {
            serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true})
        };
        let file = serde_json::json!({
            "version": "1.0",
            "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null,
                "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocabulary}
        });
        file.to_string().into_bytes()
    }

    #[test]
    fn the_fixed_padding_of_the_file_is_not_used() {
        let tokenizer = Tokenizer::read(&padded_file(&["hello", "there"]), 16).unwrap();
        assert_eq!(tokenizer.ids("Hello there").unwrap(), [2, 4, 5, 3]);
        assert_eq!(tokenizer.ids("").unwrap(), [2, 3]);
    }

    #[test]
    fn the_length_limit_is_ours_and_counts_the_marks() {
        let tokenizer = Tokenizer::read(&padded_file(&["hello"]), 8).unwrap();
        assert_eq!(tokenizer.ids(&"hello ".repeat(50)).unwrap().len(), 8);
    }

    #[test]
    fn only_whole_words_are_known() {
        let tokenizer = Tokenizer::read(&padded_file(&["hello", "##lo", "!"]), 8).unwrap();
        assert!(tokenizer.place("hello").is_some() && tokenizer.place("##lo").or(tokenizer.place("lo")).is_none());
    }
}
