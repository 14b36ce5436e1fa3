//! Time of a decision about one customer turn: `cargo bench --bench decide`.
//!
//! The model reads every text once, before the clock runs; what is measured is `dialogue::decide` alone,
//! with the prompts of the demo shop and on the first turn of a conversation.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing better to do than stop")]

use candor::cli::replay::start_reader;
use candor::dialogue::{DialogueState, decide};
use candor::domain::customer::STRANGER;
use candor::domain::{Analysis, State};
use candor::prompt_files;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

/// What is told apart, with its text; the last is a button and needs none.
const CASES: [(&str, &str); 14] = [
    ("greeting", "Hi there"),
    ("yes", "yes please"),
    ("question", "How long does delivery to Ireland usually take?"),
    ("question, curly", "I’m between two sizes, what’s the waist on the navy trousers?"),
    ("question, pounds", "Is postage still £3.95 if my basket comes to more than £50?"),
    ("order number", "Hello, where has my parcel JT-1042 got to?"),
    ("complaint", "The seam on my new coat came apart the second time I wore it, that is not good enough."),
    ("person", "Could you put me through to a real person please"),
    ("thanks", "That has sorted it, thank you so much for your help!"),
    ("legal", "If the money is not back by Friday my solicitor will write to you."),
    ("german", "Guten Tag, ich möchte meine Bestellung zurückgeben, wie geht das?"),
    (
        "60 words",
        "Hello, I ordered two jumpers and a scarf about ten days ago as a present for my sister. The scarf and one \
        jumper arrived this morning but the second jumper is missing, and the note in the box says that everything was \
        packed. Her birthday is on Saturday, so can you tell me whether it was sent separately or left out?",
    ),
    (
        "120 words",
        "I have honestly never been treated like this by any shop. I ordered a dress on the third, it came in the wrong \
        colour, I sent it back the very next day at my own cost, and since then I have heard absolutely nothing from \
        you. I have written four emails. Four! Every time I get the same silly answer that somebody will look into it, \
        and nobody ever does. My card was charged £89 for something that I do not have, and the sale price that I paid \
        is long gone, so I cannot even order it again. What on earth are you doing over there? I want to know today \
        where my parcel is and when my refund is coming.",
    ),
    ("button", ""),
];

fn bench(criterion: &mut Criterion) {
    let prompts = prompt_files::load(None).unwrap();
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models/support-minilm");
    let nlu = start_reader(&prompts, Some(models.into()), 1).unwrap();
    let before = DialogueState::default();
    let mut group = criterion.benchmark_group("decide");
    for (name, text) in CASES {
        let button = text.is_empty();
        let mut read = nlu.analyze_batch_blocking(&[text.to_owned()]).unwrap();
        let analysis = if button { Analysis::unread() } else { read.remove(0) };
        let turn = before.turn(text, button, State::Bot, &STRANGER);
        group.bench_function(name, |bencher| bencher.iter(|| decide(black_box(&turn), &analysis, &prompts)));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
