//! Any text is read: every string gives one whole reading, the same alone as in company.

use super::whole::fault;
use candor::chat::text::MAX_CHARS;
use candor::config::find_models;
use candor::nlu::{Engine, Options, Reader};
use candor::prompt_files;
use candor::serve::intent_examples;
use proptest::prelude::*;
use std::sync::LazyLock;

/// Batches, and most texts of each.
const CASES: (u32, usize) = (25, 8);
/// Longest text, in characters: a longer message is refused.
const LONGEST: usize = MAX_CHARS;

static NLU: LazyLock<Reader> = LazyLock::new(|| {
    let intents = intent_examples(&prompt_files::load(None).unwrap());
    let models = find_models(None);
    Reader::start(Options { models, queue: 1, threads: 0, engine: Engine::default() }, &intents).unwrap()
});

/// Pieces that tokenizers, patterns and splitters have stumbled over.
const PIECES: [&str; 28] = [
    "where is my order",
    " ",
    "\n",
    "!!?!",
    "...",
    "\u{0}",
    "\u{7}\u{1b}[31m",
    "\u{85}\u{2028}",
    "\u{feff}",
    "\u{200b}\u{200d}\u{2060}",
    "\u{202e}gnp.exe\u{202c}",
    "\u{301}\u{308}\u{327}",
    "e\u{301}",
    "العربية",
    "שלום",
    "我的包裹",
    "สวัสดี",
    "क्षत्रिय",
    "ẞİıſﬁ",
    "😀",
    "👨‍👩‍👧‍👦",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "\u{10ffff}\u{e000}\u{fffd}",
    "[CLS]",
    "[SEP][PAD][MASK]",
    "</s><unk>",
    "I am deaf and ",
    "12345678901234567890",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned);
    let any = prop::collection::vec(any::<char>(), 0..60).prop_map(|text| text.into_iter().collect::<String>());
    let word = prop::char::range('a', 'z').prop_map(String::from);
    let many = (prop_oneof![piece.clone(), word], prop_oneof![4 => 2_usize..40, 1 => 200_usize..LONGEST])
        .prop_map(|(piece, times)| piece.repeat(times));
    let some = prop_oneof![6 => piece, 4 => any.boxed(), 2 => many.boxed(), 3 => "[a-zA-Z ,.!?']{0,80}"];
    prop::collection::vec(some, 0..6).prop_map(|parts| parts.concat().chars().take(LONGEST).collect())
}

#[test]
fn any_text_has_a_whole_reading_that_company_does_not_change() {
    // Shrinking reads every attempt, and a long text takes its time.
    let config = ProptestConfig { cases: CASES.0, max_shrink_iters: 60, ..ProptestConfig::default() };
    proptest!(config, |(texts in prop::collection::vec(text(), CASES.1))| {
        let together = NLU.analyze_batch_blocking(&texts).unwrap();
        prop_assert_eq!(together.len(), texts.len());
        for (text, read) in texts.iter().zip(&together) {
            prop_assert_eq!(fault(read), None, "{:?}: {:?}", text, read);
            let alone = NLU.analyze_batch_blocking(std::slice::from_ref(text)).unwrap();
            prop_assert_eq!(&alone[0], read, "{:?}", text);
        }
    });
}

#[test]
fn the_longest_texts_of_one_kind_are_read() {
    let texts: Vec<String> = ["", "a", "😡", "\u{301}", "\u{0}", "\u{200d}", "我", "א", "order ", "! ", ". a b"]
        .iter()
        .map(|unit| unit.chars().cycle().take(if unit.is_empty() { 0 } else { LONGEST }).collect())
        .collect();
    let read = NLU.analyze_batch_blocking(&texts).unwrap();
    assert_eq!(read.len(), texts.len());
    for (text, read) in texts.iter().zip(&read) {
        let start: String = text.chars().take(8).collect();
        assert_eq!(fault(read), None, "{start:?}...: {read:?}");
    }
}
