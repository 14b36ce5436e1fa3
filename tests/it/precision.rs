//! The accuracy gate of the fast encoder: on the committed model and a fixed corpus the default
//! precision says what f32 says, on every tier that this machine has.

use candor::config::find_models;
use candor::domain::Analysis;
use candor::nlu::{Engine, Options, Reader};
use candor::prompt_files;
use candor::serve::intent_examples;

/// The corpus: turns of customers, which nothing here was fitted on but the thresholds of frustration.
const CORPUS: [&str; 2] = ["models/data/support-u.jsonl", "models/data/support-t.jsonl"];
/// Least cosine of two readings' meanings.
const COSINE: f32 = 0.99;
/// Trust from which an intent is one, and not just the best of all that do not fit.
const TRUSTED: f32 = 0.5;
/// Least share of texts with the same label.
const AGREEMENT: f64 = 0.995;
/// Least share of texts that have the same intent, or none both times.
const ANSWERS: f64 = 0.98;
/// Most that the probability of frustration may move on average.
const DRIFT: f32 = 0.01;

/// Most that accuracy of sentiment and AUROC of frustration may fall against the labels.
const FALL: f64 = 0.003;

/// A customer's turn with its labels.
struct Turn {
    text: String,
    sentiment: usize,
    frustrated: bool,
}

fn turns() -> Vec<Turn> {
    let polarity = |label: &str| ["negative", "neutral", "positive"].iter().position(|name| *name == label).unwrap();
    let mut all = Vec::new();
    for file in CORPUS {
        let content = std::fs::read_to_string(file).unwrap();
        for line in content.lines() {
            let dialogue: serde_json::Value = serde_json::from_str(line).unwrap();
            let turns = dialogue["turns"].as_array().unwrap();
            let own = turns.iter().filter(|turn| turn["who"] == "customer");
            all.extend(own.map(|turn| Turn {
                text: turn["text"].as_str().unwrap().to_owned(),
                sentiment: polarity(turn["sentiment"].as_str().unwrap()),
                frustrated: ["clear", "severe"].contains(&turn["frustration"].as_str().unwrap()),
            }));
        }
    }
    all
}

/// Accuracy of the sentiment, and how often a frustrated turn scores above another.
fn figures(turns: &[Turn], found: &[Analysis]) -> [f64; 2] {
    let pairs = || turns.iter().zip(found);
    let right = pairs().filter(|(turn, analysis)| turn.sentiment == polarity(analysis)).count();
    let scores = |frustrated: bool| {
        pairs().filter(move |(turn, _)| turn.frustrated == frustrated).map(|(_, analysis)| analysis.frustration)
    };
    let (mut above, mut all) = (0.0, 0.0);
    for score in scores(true) {
        for other in scores(false) {
            above += if score > other { 1.0 } else { f64::from(u8::from(score == other)) / 2.0 };
            all += 1.0;
        }
    }
    [right as f64 / turns.len() as f64, above / all]
}

fn read(engine: Engine, texts: &[String]) -> Vec<Analysis> {
    let prompts = prompt_files::load(None).unwrap();
    let intents = intent_examples(&prompts);
    let options = Options { models: find_models(None), queue: 1, threads: 0, engine };
    let nlu = Reader::start(options, &intents).unwrap();
    texts.chunks(256).flat_map(|batch| nlu.analyze_batch_blocking(batch).unwrap()).collect()
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| left.iter().zip(right).map(|(left, right)| left * right).sum::<f32>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

fn polarity(analysis: &Analysis) -> usize {
    let shares = [analysis.sentiment.negative, analysis.sentiment.neutral, analysis.sentiment.positive];
    (0..3).max_by(|left, right| shares[*left].total_cmp(&shares[*right])).unwrap()
}

#[test]
fn every_tier_says_what_f32_says() {
    let turns = turns();
    let texts: Vec<String> = turns.iter().map(|turn| turn.text.clone()).collect();
    assert!(texts.len() > 1000);
    let reference = read(Engine::Reference, &texts);
    let before = figures(&turns, &reference);
    for tier in encoder::Tier::available() {
        // The plain one is exact to the others in its own tests, and thirty times slower.
        let some = if tier == encoder::Tier::Scalar { 40 } else { texts.len() };
        let found = read(Engine::Int8(tier), &texts[..some]);
        let pairs: Vec<(&Analysis, &Analysis)> = reference.iter().zip(&found).collect();
        let meanings = pairs.iter().filter_map(|(one, other)| one.evidence.as_ref().zip(other.evidence.as_ref()));
        let cosines: Vec<f32> = meanings.map(|(one, other)| cosine(&one.meaning, &other.meaning)).collect();
        let lowest = cosines.iter().copied().fold(1.0, f32::min);
        let share = |same: &dyn Fn(&Analysis, &Analysis) -> bool| {
            pairs.iter().filter(|(one, other)| same(one, other)).count() as f64 / pairs.len() as f64
        };
        let sentiment = share(&|one, other| polarity(one) == polarity(other));
        let top = |analysis: &Analysis| analysis.intents.first().map(|best| best.name.clone());
        let told = |analysis: &Analysis| top(analysis).filter(|_| analysis.trust >= TRUSTED);
        let about: Vec<_> = pairs.iter().filter(|(one, _)| told(one).is_some()).collect();
        let intent = about.iter().filter(|(one, other)| top(one) == top(other)).count() as f64 / about.len() as f64;
        let answer = share(&|one, other| told(one) == told(other));
        let moved = pairs.iter().map(|(one, other)| (one.frustration - other.frustration).abs());
        let frustration = moved.clone().sum::<f32>() / pairs.len() as f32;
        println!(
            "{tier}: lowest cosine {lowest:.4}, same sentiment {sentiment:.4}, same intent {intent:.4} \
             of {} that are about one, same or none {answer:.4}, frustration moves by {frustration:.4} on average and {:.4} at most",
            about.len(),
            moved.fold(0.0, f32::max)
        );
        assert!(lowest >= COSINE, "{tier}: cosine {lowest}");
        if some == texts.len() {
            assert!(sentiment >= AGREEMENT && intent >= AGREEMENT, "{tier}: {sentiment} and {intent}");
            let after = figures(&turns, &found);
            println!("accuracy of sentiment and AUROC of frustration: f32 {before:.4?}, {tier} {after:.4?}");
            assert!(before.iter().zip(after).all(|(before, after)| after > before - FALL), "{before:?} {after:?}");
            // Some texts lie so near to the edge of trust that a rounding takes them across.
            assert!(answer >= ANSWERS, "{tier}: {answer}");
        }
        assert!(frustration < DRIFT, "{tier}: {frustration}");
    }
}
