//! The whole reading path on a tiny random BERT, and the faults that the facade promises to
//! survive.

mod golden;

use super::bert::Bert;
use super::bundle::{self, Bundle, CONFIG, ENCODER, HEADS, MANIFEST, Section, TOKENIZER};
use super::intent::IntentMatcher;
use super::model::{Asked, Model, ModelError, Opened};
use super::{Engine, Error, IntentExamples, Intents, Nlu, Options, heads, tokenize, weights};
use crate::domain::{Analysis, Context, Source};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const WORDS: [&str; 12] = ["where", "is", "my", "order", "refund", "i", "want", "a", "when", "are", "you", "open"];
const HIDDEN: usize = 16;
const SOON: Duration = Duration::from_secs(20);

/// Writes a model folder with two random layers.
pub(crate) fn write_tiny(folder: &Path) {
    let mut state = 1_u32;
    let mut random = |shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    let mut tensors = BTreeMap::new();
    let mut add = |name: String, shape: &[usize]| {
        let tensor = match name.ends_with("LayerNorm.weight") {
            true => Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap(),
            false => random(shape),
        };
        tensors.insert(name, tensor);
    };
    for (table, rows) in [("word", WORDS.len() + 4), ("position", 64), ("token_type", 2)] {
        add(format!("embeddings.{table}_embeddings.weight"), &[rows, HIDDEN]);
    }
    for part in ["weight", "bias"] {
        add(format!("embeddings.LayerNorm.{part}"), &[HIDDEN]);
    }
    for layer in 0..2 {
        let at = format!("encoder.layer.{layer}");
        for (name, outputs, inputs) in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", 32, HIDDEN),
            ("output.dense", HIDDEN, 32),
        ] {
            add(format!("{at}.{name}.weight"), &[outputs, inputs]);
            add(format!("{at}.{name}.bias"), &[outputs]);
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(format!("{at}.{name}.weight"), &[HIDDEN]);
            add(format!("{at}.{name}.bias"), &[HIDDEN]);
        }
    }
    let config = serde_json::json!({
        "vocab_size": WORDS.len() + 4, "hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 32, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "max_position_embeddings": 64,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
        "model_type": "bert", "candor": Section::new("tiny", 1, 1, ([1, 2], &[2]), 32)
    });
    std::fs::write(folder.join(CONFIG), config.to_string()).unwrap();
    std::fs::write(folder.join(TOKENIZER), tokenize::tests::padded_file(&WORDS)).unwrap();
    std::fs::write(folder.join(ENCODER), weights::write_compact(&tensors, &weights::Factors::new()).unwrap()).unwrap();
    let heads = heads::tests::small(HIDDEN).tensors().unwrap();
    std::fs::write(folder.join(HEADS), weights::write(&heads).unwrap()).unwrap();
    bundle::seal(folder).unwrap();
}

fn intents() -> Vec<IntentExamples> {
    let intent = |name: &str, phrases: &[&str]| IntentExamples {
        name: name.to_owned(),
        phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
        ..IntentExamples::default()
    };
    vec![
        intent("order", &["where is my order", "my order", "where order"]),
        intent("refund", &["i want a refund", "refund", "a refund i want"]),
        intent("hours", &["when are you open", "are you open", "when open"]),
    ]
}

fn options(folder: &Path) -> Options {
    Options { models: Some(folder.to_owned()), queue: 4, threads: 1, engine: Engine::default() }
}

fn start(options: Options) -> (Nlu, Arc<Intents>) {
    let nlu = Nlu::start(options).unwrap();
    let fitted = nlu.fit(&intents()).unwrap();
    (nlu, fitted)
}

fn nearly_equal(left: &Analysis, right: &Analysis) -> bool {
    let numbers = |analysis: &Analysis| {
        let mut numbers = analysis.emotions.clone();
        numbers.extend([analysis.frustration, analysis.sentiment.negative, analysis.sentiment.positive]);
        numbers.extend(analysis.intents.iter().flat_map(|intent| [intent.probability, intent.similarity]));
        numbers
    };
    let names = |analysis: &Analysis| analysis.intents.iter().map(|intent| intent.name.clone()).collect::<Vec<_>>();
    names(left) == names(right)
        && numbers(left).iter().zip(numbers(right)).all(|(left, right)| (left - right).abs() < 1e-4)
}

#[test]
fn a_batch_of_mixed_lengths_reads_as_each_text_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let (nlu, fitted) = start(options(folder.path()));
    let long = "where is my order and when are you open i want a refund ".repeat(4);
    let mut texts: Vec<String> =
        ["", "refund", "WHERE IS MY ORDER", "when are you open?", long.as_str()].map(str::to_owned).to_vec();
    texts.extend(
        (0..40).map(|at| WORDS.iter().cycle().skip(at).take(at % 9 + 1).copied().collect::<Vec<_>>().join(" ")),
    );
    let together = nlu.analyze_batch_blocking(&fitted, &texts).unwrap();
    assert_eq!(together.len(), texts.len());
    for (text, batched) in texts.iter().zip(&together) {
        let alone = nlu.analyze_batch_blocking(&fitted, std::slice::from_ref(text)).unwrap();
        assert!(nearly_equal(batched, &alone[0]), "{text:?}: {batched:?} is not {:?}", alone[0]);
    }
    assert_eq!(together[0].source, Source::Model);
    assert!(together[0].version.starts_with("tiny-1-"));
}

#[tokio::test]
async fn the_model_finds_the_example_phrases_whatever_their_case_and_slips() {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let (nlu, fitted) = start(options(folder.path()));
    for (text, intent) in [("I WANT A REFUND", "refund"), ("i want a refnud", "refund"), ("are you open", "hours")] {
        let analysis = nlu.analyze(&fitted, text, SOON).await.unwrap();
        assert_eq!(analysis.intents[0].name, intent, "{text}: {:?}", analysis.intents);
        assert!(analysis.intents[0].similarity > 0.99);
    }
    let status = nlu.status();
    assert!(status.ready && status.source == Source::Model && status.reason.is_none());
}

#[tokio::test]
async fn without_a_model_rules_answer_and_say_why() {
    let (nlu, fitted) = start(options(Path::new("no/such/folder")));
    let status = nlu.status();
    assert_eq!((status.source, status.ready), (Source::Rules, true));
    assert!(status.reason.unwrap().contains("no/such/folder"));
    let analysis = nlu.analyze(&fitted, "i want a refund", SOON).await.unwrap();
    assert_eq!((analysis.source, analysis.intents[0].name.as_str()), (Source::Rules, "refund"));
    let unset = Nlu::start(Options { models: None, ..options(Path::new("x")) }).unwrap();
    assert_eq!(unset.status().source, Source::Rules);
}

#[test]
fn a_damaged_or_foreign_file_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |change: &dyn Fn(&Path)| {
        write_tiny(folder.path());
        change(folder.path());
        Nlu::start(options(folder.path())).err().unwrap().to_string()
    };
    let damaged = refusal(&|folder| {
        let mut bytes = std::fs::read(folder.join(ENCODER)).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(folder.join(ENCODER), bytes).unwrap();
    });
    assert!(damaged.contains(ENCODER) && damaged.contains("damaged or foreign"), "{damaged}");
    let missing = refusal(&|folder| std::fs::remove_file(folder.join(HEADS)).unwrap());
    assert!(missing.contains(HEADS), "{missing}");
    let other_heads = refusal(&|folder| {
        let heads = heads::tests::small(2 * HIDDEN).tensors().unwrap();
        std::fs::write(folder.join(HEADS), weights::write(&heads).unwrap()).unwrap();
        bundle::seal(folder).unwrap();
    });
    assert!(other_heads.contains("does not map"), "{other_heads}");
    let other_labels = refusal(&|folder| {
        let config = std::fs::read_to_string(folder.join(CONFIG)).unwrap();
        std::fs::write(folder.join(CONFIG), config.replace("gratitude", "thankfulness")).unwrap();
        bundle::seal(folder).unwrap();
    });
    assert!(other_labels.contains("labels or cues"), "{other_labels}");
    let no_manifest = refusal(&|folder| std::fs::remove_file(folder.join(MANIFEST)).unwrap());
    assert!(no_manifest.contains(MANIFEST), "{no_manifest}");
    let newer = refusal(&|folder| {
        let manifest = std::fs::read_to_string(folder.join(MANIFEST)).unwrap();
        std::fs::write(folder.join(MANIFEST), manifest.replace("\"format\": 2", "\"format\": 3")).unwrap();
    });
    assert!(newer.contains("layout 3"), "{newer}");
}

#[test]
fn the_layers_are_the_reference_encoders() {
    use super::transformer::{Layer, Part, keep, mask};
    use candle_transformers::models::bert::{BertEncoder, Config};
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let bundle = Bundle::read(folder.path()).unwrap();
    let tensors = weights::read(bundle.content(ENCODER)).unwrap();
    let builder = candle_nn::VarBuilder::from_tensors(tensors.clone(), candle_core::DType::F32, &Device::Cpu);
    let reference =
        BertEncoder::load(builder.pp("encoder"), &Config { num_hidden_layers: 2, ..bundle.bert.clone() }).unwrap();
    let values: Vec<f32> = (0..3 * 5 * HIDDEN).map(|at| ((at * 37) % 17) as f32 / 8.0 - 1.0).collect();
    let mut state = Tensor::from_vec(values, (3, 5, HIDDEN), &Device::Cpu).unwrap();
    let mask = mask(&[5, 2, 4]).unwrap();
    let expected = reference.forward(&state, &mask).unwrap();
    for layer in 0..2 {
        let part = |name: &'static str| {
            let take = |kind: &str| tensors[&format!("encoder.layer.{layer}.{name}.{kind}")].clone();
            Ok(Part { weight: take("weight"), bias: take("bias") })
        };
        state = Layer::new(&bundle.bert, part).unwrap().forward(&state, &mask, &mut keep).unwrap();
    }
    // What stands in the places of padding is never read.
    for (text, length) in [5, 2, 4].into_iter().enumerate() {
        let own = |tensor: &Tensor| tensor.get(text).unwrap().narrow(0, 0, length).unwrap().flatten_all().unwrap();
        let (ours, theirs) = (own(&state).to_vec1::<f32>().unwrap(), own(&expected).to_vec1::<f32>().unwrap());
        assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| (ours - theirs).abs() < 1e-4), "text {text}");
    }
}

#[tokio::test]
async fn another_language_is_marked_and_not_guessed() {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let (nlu, fitted) = start(options(folder.path()));
    let german =
        "Ich warte jetzt schon seit drei Wochen auf mein Paket und niemand antwortet mir, das ist eine Frechheit!";
    let analysis = nlu.analyze(&fitted, german, SOON).await.unwrap();
    assert_eq!((analysis.language.as_deref(), analysis.supported, analysis.frustration), (Some("de"), false, 0.0));
    assert_eq!(analysis.sentiment.neutral, 1.0);
    let short = nlu.analyze(&fitted, "refund", SOON).await.unwrap();
    assert!(short.supported && short.frustration > 0.0, "too short to tell is read");
}

#[tokio::test]
async fn what_was_before_weighs() {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let config = std::fs::read_to_string(folder.path().join(CONFIG)).unwrap();
    std::fs::write(folder.path().join(CONFIG), config.replace("\"bot_missed\":0.0", "\"bot_missed\":2.0")).unwrap();
    bundle::seal(folder.path()).unwrap();
    let (nlu, fitted) = start(options(folder.path()));
    let mut analysis = nlu.analyze(&fitted, "where is my order", SOON).await.unwrap();
    let alone = analysis.frustration;
    nlu.read_in_context(&mut analysis, &Context::default());
    assert!((analysis.frustration - alone).abs() < 1e-6);
    nlu.read_in_context(&mut analysis, &Context { bot_missed: true, ..Context::default() });
    assert!(analysis.frustration > alone + 0.01);
}

/// The tiny model, held up at a gate and told to fail, to reach the worker's faults.
struct Faulty {
    inner: Bert,
    orders: Mutex<Receiver<Order>>,
}

enum Order {
    Run,
    Fail,
    Panic,
}

impl Model for Faulty {
    fn run(&self, asked: &[Asked<'_>]) -> Result<Vec<Analysis>, ModelError> {
        match self.orders.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(SOON) {
            Ok(Order::Run) => self.inner.run(asked),
            Ok(Order::Fail) => Err(ModelError("told to fail".to_owned())),
            Ok(Order::Panic) => panic!("told to panic"),
            Err(_) => Err(ModelError("no order".to_owned())),
        }
    }

    fn fit(&self, intents: &[IntentExamples]) -> Result<Option<IntentMatcher>, ModelError> {
        self.inner.fit(intents)
    }
}

fn faulty(queue: usize) -> (Nlu, Arc<Intents>, std::sync::mpsc::Sender<Order>) {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let inner = Bert::load(Bundle::read(folder.path()).unwrap(), (Engine::default(), 1)).unwrap();
    let (order, orders) = channel();
    let model = Box::new(Faulty { inner, orders: Mutex::new(orders) });
    let opened = Opened { model, version: Some("faulty".to_owned()), reason: None, section: None, wishes: None };
    let nlu = Nlu::spawn(opened, (queue, 1), crate::nlu::Stage::Ready, Instant::now()).unwrap();
    let fitted = nlu.fit(&intents()).unwrap();
    (nlu, fitted, order)
}

#[tokio::test]
async fn a_failed_or_panicked_batch_answers_its_callers_and_the_probe_heals() {
    let (nlu, fitted, order) = faulty(4);
    for (fault, reason, text) in [(Order::Fail, "told to fail", "refund"), (Order::Panic, "panicked", "my refund")] {
        order.send(fault).unwrap();
        let error = nlu.analyze(&fitted, text, SOON).await.unwrap_err();
        assert!(matches!(&error, Error::Model(text) if text.contains(reason)), "{error}");
        let status = nlu.status();
        assert!(!status.ready && status.reason.unwrap().contains(reason));
        order.send(Order::Fail).unwrap();
        assert!(!nlu.probe().await.ready, "a probe that fails does not heal");
        order.send(Order::Run).unwrap();
        assert!(nlu.probe().await.ready);
        order.send(Order::Run).unwrap();
        assert_eq!(
            nlu.analyze(&fitted, text, SOON).await.unwrap().source,
            Source::Model,
            "a failure is not remembered"
        );
        assert_eq!(nlu.analyze(&fitted, text, SOON).await.unwrap().source, Source::Model, "without another run");
    }
    order.send(Order::Fail).unwrap();
    let analysis = nlu.analyze_or_rules(&fitted, "useless bot, third time I ask", SOON).await;
    assert_eq!(analysis.source, Source::Rules);
    assert!(analysis.frustration > 0.6);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_a_late_answer_is_not_waited_for() {
    let (nlu, fitted, order) = faulty(1);
    let brief = Duration::from_millis(40);
    // The first job holds the model; the second fills the queue as soon as the first was taken.
    assert!(matches!(nlu.analyze(&fitted, "refund", brief).await, Err(Error::Late)));
    assert!(matches!(nlu.analyze(&fitted, "refund", brief).await, Err(Error::Late)));
    let begin = Instant::now();
    assert!(matches!(nlu.analyze(&fitted, "refund", SOON).await, Err(Error::Overloaded)));
    assert!(begin.elapsed() < Duration::from_secs(1), "a refusal does not wait");
    // One order frees the held job. The queued one is past its deadline and takes no run, so the
    // second order is left for the next caller.
    order.send(Order::Run).unwrap();
    order.send(Order::Run).unwrap();
    let mut answer = nlu.analyze(&fitted, "refund", SOON).await;
    while matches!(answer, Err(Error::Overloaded)) {
        tokio::task::yield_now().await;
        answer = nlu.analyze(&fitted, "refund", SOON).await;
    }
    assert_eq!(answer.unwrap().intents[0].name, "refund");
}

#[tokio::test]
async fn after_a_stop_nothing_is_read_and_rules_still_answer() {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let (nlu, fitted) = start(options(folder.path()));
    let other = nlu.clone();
    nlu.stop();
    assert!(matches!(other.analyze(&fitted, "refund", SOON).await, Err(Error::Stopped)));
    assert!(!other.status().ready);
    assert_eq!(other.analyze_or_rules(&fitted, "refund", SOON).await.source, Source::Rules);
}

#[tokio::test]
async fn a_very_long_text_is_read_up_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let (nlu, fitted) = start(options(folder.path()));
    let analysis = nlu.analyze(&fitted, &"é refund ".repeat(100_000), SOON).await.unwrap();
    assert_eq!(analysis.source, Source::Model);
}

#[tokio::test]
async fn a_text_is_read_with_the_intents_of_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    write_tiny(folder.path());
    let (nlu, old) = start(options(folder.path()));
    let mut others = intents();
    others[1].name = "money_back".to_owned();
    let new = nlu.fit(&others).unwrap();
    assert!(old.are_of(&intents()) && !old.are_of(&others) && new.are_of(&others));
    let ask = |intents: Arc<Intents>| {
        let nlu = nlu.clone();
        async move { nlu.analyze(&intents, "refund", SOON).await.unwrap().intents[0].name.clone() }
    };
    // Together, so that they may share a batch, and again, so that the second comes from memory.
    for _ in 0..2 {
        let (before, after) = tokio::join!(ask(Arc::clone(&old)), ask(Arc::clone(&new)));
        assert_eq!((before.as_str(), after.as_str()), ("refund", "money_back"));
    }
    let (by_old, by_new) = (old.rules().analyze("refund"), new.rules().analyze("refund"));
    assert_eq!((by_old.intents[0].name.as_str(), by_new.intents[0].name.as_str()), ("refund", "money_back"));
    let none = nlu.fit(&[]).unwrap();
    assert!(nlu.analyze(&none, "refund", SOON).await.unwrap().intents.is_empty());
}
