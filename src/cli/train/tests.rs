//! Another encoder of the family by dropping its folder in: twelve layers with a SentencePiece
//! vocabulary of many scripts, as BERT and as XLM-R, with random weights. And what `candor train
//! --phrases` left in the committed folder.

use super::{Args, start_folder};
use crate::nlu::bert::{self, embedding, fit_key, load_encoder};
use crate::nlu::bundle::{self, Bundle, CONFIG};
use crate::nlu::encoder::{Encoder, Wanted};
use crate::nlu::phrases::Phrases;
use crate::nlu::{Engine, IntentExamples, Options, Reader};
use crate::prompt_files;
use crate::random::Random;
use crate::serve::intent_examples;
use candle_core::{DType, Device, Tensor};
use clap::Parser;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

/// Words that the vocabulary holds whole.
const WORDS: &str = "where is my order refund i want a when are you open Paket wo ist mein bitte заказ где мой возврат \
    commande remboursement pedido reembolso παραγγελία مرحبا طلبي הזמנה मेरा ऑर्डर कहाँ 주문 어디";
/// Inner parts: none of them is a word.
const PARTS: &str = "s ing lo fund ung ки ات 는 注文 订单 包裹 สินค้า 。 ! ? , .";
/// Letters of the scripts, so that little is unknown.
const LETTERS: [(char, char); 8] =
    [('a', 'z'), ('A', 'Z'), ('0', '9'), ('а', 'я'), ('α', 'ω'), ('א', 'ת'), ('ا', 'ي'), ('ぁ', 'ん')];
/// One text in each of several scripts.
const TEXTS: [&str; 11] = [
    "Where is my order? I want a refund!",
    "Wo ist mein Paket? Ich warte seit drei Wochen darauf.",
    "Где мой заказ? Я жду уже две недели.",
    "Πού είναι η παραγγελία μου;",
    "أين طلبي؟ لم يصل بعد",
    "איפה ההזמנה שלי? היא עוד לא הגיעה",
    "मेरा ऑर्डर कहाँ है?",
    "注文した靴はまだ届いていません。",
    "我的包裹还没有到,请帮我查一下。",
    "내 주문은 어디에 있나요?",
    "😡😡 ???",
];
/// Least cosine of int8 with f32, on weights that nobody measured.
const ROUNDED: f32 = 0.98;
/// Tokens that the conversion lets a window have.
const WINDOW: usize = 256;

/// An encoder to be made up.
#[derive(Clone, Copy)]
struct Made {
    kind: &'static str,
    layers: usize,
    hidden: usize,
    positions: usize,
    /// Rows of the table of positions that are made and then left out, the first ones.
    skipped: usize,
}

const TWELVE: Made = Made { kind: "bert", layers: 12, hidden: 384, positions: 512, skipped: 0 };

/// A vocabulary as SentencePiece's Unigram has it: most pieces begin a word.
fn pieces() -> Vec<(String, f64)> {
    let marks = ["<s>", "<pad>", "</s>", "<unk>"].map(|mark| (mark.to_owned(), 0.0));
    let words = WORDS.split_whitespace().map(|word| format!("▁{word}"));
    let letters = || LETTERS.into_iter().flat_map(|(first, last)| first..=last);
    let longer = words.chain(PARTS.split_whitespace().map(str::to_owned)).map(|piece| (piece, -4.0));
    let short = letters().map(String::from).chain(letters().map(|letter| format!("▁{letter}")));
    let mut all: Vec<(String, f64)> = marks.into_iter().chain(longer).collect();
    for piece in short.chain(["▁".to_owned()]) {
        if all.iter().all(|(known, _)| *known != piece) {
            all.push((piece, -9.0));
        }
    }
    all
}

/// A `tokenizer.json` as those of the XLM-R family are.
fn tokenizer() -> Value {
    let special = |(id, content): (usize, &str)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    let marks = ["<s>", "<pad>", "</s>", "<unk>"].into_iter().enumerate().map(special);
    let mark = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
    let own = json!({"Sequence": {"id": "A", "type_id": 0}});
    let ids = |id: u32, token: &str| json!({"id": token, "ids": [id], "tokens": [token]});
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": null, "pad_id": 1,
            "pad_type_id": 0, "pad_token": "<pad>"},
        "added_tokens": marks.collect::<Vec<_>>(),
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true}]},
        "post_processor": {"type": "TemplateProcessing", "single": [mark("<s>"), own, mark("</s>")],
            "pair": [mark("<s>"), own, mark("</s>")],
            "special_tokens": {"<s>": ids(0, "<s>"), "</s>": ids(2, "</s>")}},
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces()}
    })
}

/// A folder as it is downloaded: f32 weights with all that such a file holds.
fn write_download(folder: &Path, made: Made) {
    let Made { kind, layers, hidden, positions, skipped } = made;
    let family = if kind == "bert" { "" } else { "roberta." };
    let types = if kind == "bert" { 2 } else { 1 };
    let mut tensors = HashMap::new();
    let mut add = |name: &str, shape: &[usize]| {
        // Each by its name, so that what two folders have in common is the same.
        let mut random = Random::new(name.bytes().fold(11, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte)));
        let spread = if name.contains("_embeddings") { 1.0 } else { 0.15 };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| (random.unit() - 0.5) * spread).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        let tensor = if name.ends_with("LayerNorm.weight") { (tensor + 1.0).unwrap() } else { tensor };
        tensors.insert(format!("{family}{name}"), tensor);
    };
    for (table, rows) in [("word", pieces().len() + 35), ("position", positions + skipped), ("token_type", types)] {
        add(&format!("embeddings.{table}_embeddings.weight"), &[rows, hidden]);
    }
    let mut linear = |name: &str, outputs: usize, inputs: usize| {
        add(&format!("{name}.weight"), &[outputs, inputs]);
        add(&format!("{name}.bias"), &[outputs]);
    };
    for layer in 0..layers {
        let at = format!("encoder.layer.{layer}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            linear(&format!("{at}.attention.{part}"), hidden, hidden);
        }
        linear(&format!("{at}.intermediate.dense"), 4 * hidden, hidden);
        linear(&format!("{at}.output.dense"), hidden, 4 * hidden);
    }
    linear("pooler.dense", hidden, hidden);
    let norms =
        (0..layers).flat_map(|layer| ["attention.output", "output"].map(|at| format!("encoder.layer.{layer}.{at}")));
    for norm in norms.chain(["embeddings".to_owned()]) {
        for part in ["weight", "bias"] {
            add(&format!("{norm}.LayerNorm.{part}"), &[hidden]);
        }
    }
    let table = tensors.get_mut(&format!("{family}embeddings.position_embeddings.weight")).unwrap();
    *table = table.narrow(0, skipped, positions).unwrap();
    let ids = Tensor::arange(0_i64, positions as i64, &Device::Cpu).unwrap();
    tensors.insert(format!("{family}embeddings.position_ids"), ids.reshape((1, positions)).unwrap());
    tensors.insert("lm_head.bias".to_owned(), Tensor::zeros(hidden, DType::F32, &Device::Cpu).unwrap());
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    let config = json!({
        "architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "classifier_dropout": null,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": hidden, "initializer_range": 0.02,
        "intermediate_size": 4 * hidden, "layer_norm_eps": 1e-5, "max_position_embeddings": positions, "model_type": kind,
        "num_attention_heads": 12, "num_hidden_layers": layers, "pad_token_id": if kind == "bert" { 0 } else { 1 },
        "position_embedding_type": "absolute", "tokenizer_class": "XLMRobertaTokenizer", "transformers_version": "4.7.0",
        "type_vocab_size": types, "use_cache": true, "vocab_size": pieces().len() + 35
    });
    std::fs::write(folder.join(CONFIG), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer().to_string()).unwrap();
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

/// What `candor train --encoder` makes of a download before it trains.
fn drop_in(made: Made, more: &[&str]) -> tempfile::TempDir {
    let (source, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_download(source.path(), made);
    let (from, to) = (source.path().to_str().unwrap(), out.path().to_str().unwrap());
    let languages = "en,de,ru,el,ar,he,hi,ja,zh,ko";
    let line = ["train", "--data", "none", "--encoder", from, "--out", to, "--name", "many", "--languages", languages];
    let command = Command::try_parse_from(line.iter().chain(more)).unwrap();
    start_folder(&command.args, source.path()).unwrap();
    out
}

fn intents() -> Vec<IntentExamples> {
    let intent = |name: &str, phrases: &[&str]| IntentExamples {
        name: name.to_owned(),
        phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
        ..IntentExamples::default()
    };
    vec![
        intent("order", &["where is my order", "wo ist mein Paket", "где мой заказ", "我的包裹"]),
        intent("refund", &["i want a refund", "refund bitte", "возврат", "remboursement"]),
    ]
}

fn start(folder: &Path, engine: Engine) -> Result<Reader, crate::nlu::Error> {
    Reader::start(Options { models: Some(folder.to_owned()), queue: 1, threads: 1, engine }, &intents())
}

fn encoder(folder: &Path, engine: Engine) -> Encoder {
    load_encoder(&mut Bundle::read(folder).unwrap(), (engine, 1)).unwrap()
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| left.iter().zip(right).map(|(left, right)| left * right).sum::<f32>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

/// f32 and int8 read every text, short and long, and read it alike.
fn reads_alike(folder: &Path, mood_layers: &[usize]) {
    let bundle = Bundle::read(folder).unwrap();
    assert_eq!(bundle.section.mood_layers, mood_layers);
    let long = TEXTS[..10].join(" ").repeat(4);
    let texts: Vec<&str> = TEXTS.into_iter().chain([long.as_str(), ""]).collect();
    let (plain, fast) = (encoder(folder, Engine::Reference), encoder(folder, Engine::Fastest));
    let windows = plain.tokenizer().windows(&long).unwrap();
    assert!(windows.len() > 1 && windows.iter().all(|ids| ids.len() <= WINDOW && ids[0] == 0 && ids.ends_with(&[2])));
    let (plain, fast) = (plain.encode(&texts, Wanted::Both).unwrap(), fast.encode(&texts, Wanted::Both).unwrap());
    for ((text, plain), fast) in texts.iter().zip(&plain).zip(&fast) {
        assert_eq!(plain.meaning.len(), 2 * bundle.bert.hidden_size);
        assert_eq!(plain.mood.len(), mood_layers.len() * bundle.bert.hidden_size);
        for (plain, fast) in [(&plain.meaning, &fast.meaning), (&plain.mood, &fast.mood)] {
            let found = cosine(plain, fast);
            assert!(found > ROUNDED, "{text:?}: {found}");
        }
    }
    let apart = cosine(embedding(&plain[0].meaning), embedding(&plain[1].meaning));
    assert!(apart < ROUNDED, "random weights tell texts apart, or agreement says nothing: {apart}");
}

#[test]
fn a_multilingual_encoder_of_twelve_layers_is_served() {
    let folder = drop_in(TWELVE, &[]);
    reads_alike(folder.path(), &[10, 11, 12]);
    let [plain, fast] = [Engine::Reference, Engine::Fastest].map(|engine| start(folder.path(), engine).unwrap());
    let texts = TEXTS.map(str::to_owned);
    let (read, other) = (plain.analyze_batch_blocking(&texts).unwrap(), fast.analyze_batch_blocking(&texts).unwrap());
    for ((text, read), other) in texts.iter().zip(read).zip(other) {
        assert!(read.supported && read.version.starts_with("many-"), "{text}: {:?}", read.language);
        let (read, other) = (read.evidence.unwrap().meaning, other.evidence.unwrap().meaning);
        assert!(cosine(&read, &other) > ROUNDED, "{text}");
    }
    for (slip, intent) in [("i want a refnud", "refund"), ("где мой зказ", "order"), ("wo ist mien Paket", "order")]
    {
        let found = fast.analyze_batch_blocking(&[slip.to_owned()]).unwrap().remove(0);
        assert_eq!(found.intents[0].name, intent, "{slip}");
        assert!(found.intents[0].similarity > 0.99, "{slip}: {:?}", found.intents);
    }
}

#[test]
fn words_of_its_vocabulary_are_known_whole_and_inner_parts_are_not() {
    let folder = drop_in(Made { layers: 1, hidden: 24, ..TWELVE }, &[]);
    let encoder = encoder(folder.path(), Engine::Fastest);
    for word in ["order", "paket", "заказ", "παραγγελία", "주문"] {
        assert!(encoder.tokenizer().place(word).is_some(), "{word}");
    }
    for part in ["ing", "fund", "ung", "ки", "注文", "▁order", "s"] {
        assert_eq!(encoder.tokenizer().place(part), None, "{part}");
    }
}

#[test]
fn depth_and_shared_layers_are_the_folders_own() {
    let small = Made { hidden: 24, ..TWELVE };
    for (layers, shared, mood) in [
        (12, Some("4"), vec![10, 11, 12]),
        (12, Some("11"), vec![12]),
        (3, Some("0"), vec![1, 2, 3]),
        (1, None, vec![1]),
    ] {
        let more: Vec<&str> = shared.iter().flat_map(|shared| ["--shared-layers", shared]).collect();
        let folder = drop_in(Made { layers, ..small }, &more);
        reads_alike(folder.path(), &mood);
    }
}

#[test]
fn the_roberta_family_counts_positions_from_behind_padding() {
    let bert = Made { kind: "bert", layers: 12, hidden: 24, positions: WINDOW, skipped: 2 };
    let [bert, roberta] = [bert, Made { kind: "xlm-roberta", positions: WINDOW + 2, skipped: 0, ..bert }]
        .map(|made| drop_in(made, &["--shared-layers", "3"]));
    reads_alike(roberta.path(), &[10, 11, 12]);
    let read = |folder: &Path| {
        [Engine::Reference, Engine::Fastest]
            .map(|engine| encoder(folder, engine).encode(&TEXTS[..1], Wanted::Meaning).unwrap().remove(0).meaning)
    };
    let (expected, found) = (read(bert.path()), read(roberta.path()));
    assert!(expected.iter().zip(&found).all(|(expected, found)| cosine(expected, found) > 0.999_99));
    change(roberta.path(), |config| config["model_type"] = "bert".into());
    for (expected, found) in expected.iter().zip(&read(roberta.path())) {
        assert!(cosine(expected, found) < 0.999, "BERT's positions are others: {}", cosine(expected, found));
    }
    change(roberta.path(), |config| config["model_type"] = "xlm-roberta".into());
    change(roberta.path(), |config| config["candor"]["max_tokens"] = (WINDOW + 1).into());
    let refusal = start(roberta.path(), Engine::Fastest).err().unwrap().to_string();
    assert!(refusal.contains("max_tokens"), "{refusal}");
}

#[test]
fn a_folder_that_does_not_fit_is_refused_with_the_reason() {
    let folder = drop_in(Made { layers: 1, hidden: 24, ..TWELVE }, &[]);
    let refusal = |name: &str, value: Value, reason: &str| {
        let config = std::fs::read(folder.path().join(CONFIG)).unwrap();
        change(folder.path(), |config| config[name] = value.clone());
        for engine in [Engine::Fastest, Engine::Reference] {
            let said = start(folder.path(), engine).err().unwrap().to_string();
            assert!(said.contains(reason), "{name} {value}: {said}");
        }
        std::fs::write(folder.path().join(CONFIG), config).unwrap();
    };
    refusal("model_type", "mpnet".into(), "model_type is mpnet");
    refusal("hidden_act", "relu".into(), "only gelu");
    refusal("position_embedding_type", "relative_key".into(), "relative_key");
    refusal("vocab_size", 100.into(), "the encoder words up to 100");
}

fn change(folder: &Path, change: impl FnOnce(&mut Value)) {
    let mut config: Value = serde_json::from_slice(&std::fs::read(folder.join(CONFIG)).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(folder.join(CONFIG), config.to_string()).unwrap();
    bundle::seal(folder).unwrap();
}

#[test]
fn the_fit_on_the_built_in_phrases_is_remembered_and_a_changed_phrase_is_fitted_anew() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/support-minilm");
    let mut bundle = Bundle::read(&folder).unwrap();
    let known = Phrases::read(&folder, &bundle.encoder);
    let mut intents = intent_examples(&prompt_files::load(None).unwrap());
    let key = fit_key(&bundle.encoder, &intents);
    assert!(known.fit(&key).is_some(), "the phrases changed: run `candor train --phrases`");
    let encoder = load_encoder(&mut bundle, (Engine::default(), 0)).unwrap();
    let place = (folder.as_path(), bundle.encoder.as_str());
    let remembered = bert::fit((&encoder, 1), &intents, place, &key).unwrap();
    let fresh = bert::fit((&encoder, 1), &intents, place, "nothing").unwrap();
    for text in ["Where is my parcel?", "i want my money back now", "do you sell bread"] {
        let meaning = &encoder.encode(&[text], Wanted::Meaning).unwrap()[0].meaning;
        let (old, new) = (remembered.rank(text, meaning), fresh.rank(text, meaning));
        assert!((old.trust - new.trust).abs() < 1e-3, "{text}: {old:?} {new:?}");
        for (old, new) in old.intents.iter().zip(&new.intents) {
            assert_eq!(old.name, new.name, "{text}");
            // Other processors add in another order.
            assert!((old.probability - new.probability).abs() < 1e-3, "{text}: {old:?} {new:?}");
        }
    }
    // A phrase under another intent, another order, another encoder.
    assert!(known.fit(&fit_key("another", &intents)).is_none());
    let moved = intents.iter().position(|intent| !intent.phrases.is_empty()).unwrap();
    let phrase = intents[moved].phrases.pop().unwrap();
    intents[moved + 1].phrases.push(phrase);
    let changed = fit_key(&bundle.encoder, &intents);
    assert!(known.fit(&changed).is_none());
}
