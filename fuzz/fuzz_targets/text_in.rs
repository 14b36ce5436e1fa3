//! Any text gives a whole reading, the same alone as beside others.

#![no_main]

use candor::nlu::{Engine, Options, Reader};
use candor::prompt_files;
use candor::serve::intent_examples;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;

#[path = "../../tests/it/whole.rs"]
mod whole;

static NLU: LazyLock<Reader> = LazyLock::new(|| {
    let models = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/support-minilm"));
    let intents = intent_examples(&prompt_files::load(None).expect("the built-in prompts are whole"));
    let options = Options { models, queue: 1, threads: 1, engine: Engine::default() };
    Reader::start(options, &intents).expect("the committed model is whole")
});

fn read(texts: &[&str]) -> Vec<candor::domain::Analysis> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let read = NLU.analyze_batch_blocking(&texts).expect("any text can be read");
    assert_eq!(read.len(), texts.len());
    read
}

fuzz_target!(|text: &str| {
    let alone = read(&[text]);
    assert_eq!(whole::fault(&alone[0]), None, "{:?}", alone[0]);
    let together = read(&["Where is my order? I want a refund.", text, ""]);
    assert_eq!(together[1], alone[0]);
});
