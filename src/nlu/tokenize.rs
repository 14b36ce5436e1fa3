//! Text to the ids of word pieces, WordPiece's or SentencePiece's.
//!
//! The tokenizer file that ships with all-MiniLM-L6-v2 asks for padding to exactly 128 tokens,
//! which makes a six-token turn cost twenty times too much, and truncates at 128. Neither is done
//! here, whatever the file says: a longer text is read in windows.

use std::collections::HashMap;
use tokenizers::Tokenizer as Inner;

/// What a piece that begins a word starts with, in vocabularies that mark beginnings: SentencePiece's sign for
/// a blank, and byte-level BPE's. WordPiece marks what goes on instead.
const BEGINNINGS: [char; 2] = ['▁', 'Ġ'];

/// A tokenizer without padding.
pub(crate) struct Tokenizer {
    inner: Inner,
    /// Most tokens of a window, with its two marks.
    longest: usize,
    /// Whole words in lower case with their ids; the lower the id, the more frequent the word.
    words: HashMap<String, u32>,
    /// One more than the highest id.
    size: usize,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; windows hold `max_tokens` ids at most (including the two marks), 3 or more.
    ///
    /// # Errors
    /// The tokenizer library's reason, as text; or that texts do not get one mark before and one after.
    pub(crate) fn read(bytes: &[u8], max_tokens: usize) -> Result<Self, String> {
        let mut inner = Inner::from_bytes(bytes).map_err(|error| error.to_string())?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| error.to_string())?;
        let ids = |marked| inner.encode_fast("a", marked).map(|encoding| encoding.get_ids().to_vec());
        let (marked, bare) =
            ids(true).and_then(|marked| Ok((marked, ids(false)?))).map_err(|error| error.to_string())?;
        if !matches!(marked.as_slice(), [_, inside @ .., _] if inside == bare) {
            return Err("it does not put one mark before a text and one after it".to_owned());
        }
        let size = inner.get_vocab(true).values().max().map_or(0, |highest| *highest as usize + 1);
        let words = whole_words(&inner.get_vocab(false));
        Ok(Self { inner, longest: max_tokens.max(3), words, size })
    }

    /// One more than the highest id.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The ids of one text in windows of nearly the same length, each with the start and end marks; at
    /// least one.
    ///
    /// # Errors
    /// The tokenizer library's reason, as text.
    pub(crate) fn windows(&self, text: &str) -> Result<Vec<Vec<u32>>, String> {
        let encoding = self.inner.encode_fast(text, true).map_err(|error| error.to_string())?;
        let ids = encoding.get_ids();
        let [start, inside @ .., end] = ids else { return Ok(vec![ids.to_vec()]) };
        let count = inside.len().div_ceil(self.longest - 2).max(1);
        let size = inside.len().div_ceil(count).max(1);
        if count == 1 {
            return Ok(vec![ids.to_vec()]);
        }
        let window = |part: &[u32]| [&[*start], part, &[*end]].concat();
        Ok(inside.chunks(size).map(window).collect())
    }

    /// The place of a lower-case word that is one piece of the vocabulary, so that the model knows it
    /// whole: the lower, the more frequent it is. None for other words.
    #[must_use]
    pub(crate) fn place(&self, word: &str) -> Option<u32> {
        self.words.get(word).copied()
    }
}

/// The pieces that are whole words, in lower case; of one in several cases the lowest id counts.
fn whole_words(vocabulary: &HashMap<String, u32>) -> HashMap<String, u32> {
    // A share and not a single piece: a letter that is a mark elsewhere may begin a word here.
    let marks =
        |mark: &&char| vocabulary.keys().filter(|piece| piece.starts_with(**mark)).count() > vocabulary.len() / 5;
    let mark = BEGINNINGS.iter().find(marks);
    let mut words = HashMap::new();
    for (piece, id) in vocabulary {
        let word = mark.map_or(Some(piece.as_str()), |mark| piece.strip_prefix(*mark));
        if let Some(word) = word.filter(|word| word.len() > 1 && word.chars().all(char::is_alphabetic)) {
            let lowest = words.entry(word.to_lowercase()).or_insert(*id);
            *lowest = (*id).min(*lowest);
        }
    }
    words
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert_eq!(tokenizer.windows("Hello there").unwrap(), [[2, 4, 5, 3]]);
        assert_eq!(tokenizer.windows("").unwrap(), [[2, 3]]);
    }

    #[test]
    fn a_long_text_comes_in_even_windows_and_loses_nothing() {
        let tokenizer = Tokenizer::read(&padded_file(&["hello", "there"]), 8).unwrap();
        let windows = tokenizer.windows(&"hello there ".repeat(10)).unwrap();
        assert_eq!(windows.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 7]);
        assert!(windows.iter().all(|window| window[0] == 2 && window[6] == 3));
        let inside: Vec<u32> = windows.iter().flat_map(|window| window[1..6].to_vec()).collect();
        assert_eq!(inside, [4, 5].repeat(10));
        assert_eq!(tokenizer.windows(&"hello ".repeat(6)).unwrap().len(), 1);
    }

    #[test]
    fn only_whole_words_are_known() {
        let tokenizer = Tokenizer::read(&padded_file(&["hello", "##lo", "!"]), 8).unwrap();
        assert!(tokenizer.place("hello").is_some() && tokenizer.place("##lo").or(tokenizer.place("lo")).is_none());
    }

    #[test]
    fn where_beginnings_are_marked_only_marked_pieces_are_whole_words() {
        let pieces = ["▁", "▁hello", "lo", "▁Paket", "▁paket", "▁заказ", "▁1", "s", "▁refund-s", "▁a"];
        let vocabulary = pieces.into_iter().zip(0..).map(|(piece, id)| (piece.to_owned(), id)).collect();
        let words = whole_words(&vocabulary);
        let expected = [("hello", 1), ("paket", 3), ("заказ", 5)].map(|(word, id)| (word.to_owned(), id));
        assert_eq!(words, HashMap::from(expected), "the id of a word is the lowest over its cases");
        let maltese = ["Ġunju", "mejju", "##ġu", "april", "lulju", "awissu"].into_iter().zip(0..);
        let words = whole_words(&maltese.map(|(piece, id)| (piece.to_owned(), id)).collect());
        assert_eq!(words.len(), 5, "one word with the letter Ġ makes it no mark");
    }

    #[test]
    fn a_tokenizer_without_marks_is_refused() {
        let mut file: serde_json::Value = serde_json::from_slice(&padded_file(&["hello"])).unwrap();
        file["post_processor"] = serde_json::Value::Null;
        let refusal = Tokenizer::read(file.to_string().as_bytes(), 8).err().unwrap();
        assert!(refusal.contains("one mark before"), "{refusal}");
    }

    fn committed(max_tokens: usize) -> Tokenizer {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/models/support-minilm/tokenizer.json");
        Tokenizer::read(&std::fs::read(file).unwrap(), max_tokens).unwrap()
    }

    #[test]
    fn windows_hold_all_tokens_of_any_text_in_order() {
        let (whole, parts) = (committed(usize::MAX), [3, 16, 256].map(committed));
        let character = prop_oneof![any::<char>(), prop::char::range(' ', '~'), prop::char::range('\u{0}', '\u{36f}')];
        let text = prop::collection::vec(character, 0..400);
        proptest!(ProptestConfig::with_cases(200), |(text in text)| {
            let text: String = text.into_iter().collect();
            let expected = whole.windows(&text).unwrap().concat();
            for tokenizer in &parts {
                let windows = tokenizer.windows(&text).unwrap();
                let mut inside = Vec::new();
                for window in &windows {
                    prop_assert!((2..=tokenizer.longest).contains(&window.len()));
                    prop_assert!(window.len() > 2 || windows.len() == 1, "an empty window beside others");
                    prop_assert_eq!((window.first(), window.last()), (expected.first(), expected.last()));
                    inside.extend_from_slice(&window[1..window.len() - 1]);
                }
                prop_assert_eq!(&inside, &expected[1..expected.len() - 1]);
            }
        });
    }
}
