//! Figures of a trained model on data that it was not trained or tuned on.
//!
//! Everything runs through the served path: the model folder is opened as the server opens it.

use super::cache::Cache;
use super::data::{self, NEGATIVE, POSITIVE, Support};
use super::metrics;
use super::random::Random;
use super::recipe::{emotion_columns, largest};
use crate::domain::Sentiment;
use crate::domain::analysis::EMOTIONS;
use crate::nlu::heads::{Heads, Reading};
use crate::nlu::intent::IntentMatcher;
use crate::nlu::surface::cues;
use anyhow::Result;
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

/// The file that is never trained or tuned on.
pub(crate) const TEST_FILE: &str = "support-c.jsonl";
/// The policy's threshold for a frustrated turn.
const FRUSTRATED: f32 = 0.60;
/// Draws of example phrases for the intent figures.
const DRAWS: u64 = 3;

/// Prints every figure of the model card.
pub(crate) fn evaluate(cache: &Cache, heads: &Heads, data: &Path, corpus: &Path) -> Result<()> {
    support(cache, heads, &corpus.join(TEST_FILE))?;
    emotions(cache, heads, data)?;
    polarity(cache, heads, data)?;
    intents(cache, heads, data)
}

fn read<T: AsRef<str>>(cache: &Cache, heads: &Heads, name: &str, texts: &[T]) -> Result<Vec<Reading>> {
    let features = cache.features(name, texts)?.to_vec2::<f32>()?;
    Ok(texts.iter().zip(features).map(|(text, features)| heads.read(&features, &cues(text.as_ref()))).collect())
}

fn classes(readings: &[Reading]) -> Vec<usize> {
    let shares = |sentiment: Sentiment| [sentiment.negative, sentiment.neutral, sentiment.positive];
    readings.iter().map(|reading| largest(&shares(reading.sentiment))).collect()
}

fn support(cache: &Cache, heads: &Heads, file: &Path) -> Result<()> {
    let rows = data::support(file)?;
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let readings = read(cache, heads, "support-test", &texts)?;
    let scores: Vec<f32> = readings.iter().map(|reading| reading.frustration).collect();
    let truth: Vec<bool> = rows.iter().map(Support::is_frustrated).collect();
    let (precision, recall) = metrics::precision_recall(&scores, &truth, FRUSTRATED);
    println!("support messages (own test file, {} rows)", rows.len());
    println!("  frustration AUROC                         {:.3}", metrics::auroc(&scores, &truth));
    println!("  precision, recall at {FRUSTRATED:.2}                 {precision:.3}, {recall:.3}");
    let share = |select: &dyn Fn(&Support) -> bool| {
        let chosen: Vec<f32> =
            rows.iter().zip(&scores).filter(|(row, _)| select(row)).map(|(_, score)| *score).collect();
        let above = chosen.iter().filter(|score| **score >= FRUSTRATED).count();
        format!("{:.3} ({above} of {})", above as f64 / chosen.len() as f64, chosen.len())
    };
    let calm = |row: &Support| row.frustration == "none";
    println!(
        "  calm but negative at or above {FRUSTRATED:.2}        {}",
        share(&|row| calm(row) && row.sentiment() == NEGATIVE)
    );
    println!("  calm at or above                          {}", share(&calm));
    println!("  mild at or above                          {}", share(&|row| row.frustration == "mild"));
    println!("  clear at or above                         {}", share(&|row| row.frustration == "clear"));
    println!("  severe at or above                        {}", share(&|row| row.frustration == "severe"));
    let (found, sentiment) = (classes(&readings), rows.iter().map(Support::sentiment).collect::<Vec<_>>());
    let (accuracy, recall) = (metrics::accuracy(&found, &sentiment), metrics::macro_recall(&found, &sentiment, 3));
    println!("  sentiment accuracy, macro recall          {accuracy:.3}, {recall:.3}");
    Ok(())
}

fn emotions(cache: &Cache, heads: &Heads, data: &Path) -> Result<()> {
    // Probabilities and truth, each by label and then by row.
    type Columns = (Vec<Vec<f32>>, Vec<Vec<bool>>);
    let columns = |name: &str, split: &str| -> Result<Columns> {
        let rows = data::goemotions(data, split)?;
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let readings = read(cache, heads, name, &texts)?;
        let column = |label: usize| readings.iter().map(|reading| reading.emotions[label]).collect();
        Ok(((0..EMOTIONS.len()).map(column).collect(), emotion_columns(&rows)))
    };
    let (dev, dev_truth) = columns("goemotions-dev", "dev")?;
    let (test, test_truth) = columns("goemotions-test", "test")?;
    let f1 = (0..EMOTIONS.len()).map(|label| {
        let threshold = metrics::best_threshold(&dev[label], &dev_truth[label]);
        metrics::f1(&test[label], &test_truth[label], threshold)
    });
    let f1 = f1.sum::<f64>() / EMOTIONS.len() as f64;
    println!("GoEmotions test: macro F1 over 28 labels     {f1:.3} (thresholds from dev)");
    Ok(())
}

fn polarity(cache: &Cache, heads: &Heads, data: &Path) -> Result<()> {
    let tweets = data::tweets(data)?;
    let texts: Vec<&str> = tweets.iter().map(|row| row.text.as_str()).collect();
    let truth: Vec<usize> = tweets.iter().map(|row| row.class).collect();
    let readings = read(cache, heads, "tweets", &texts)?;
    let found = classes(&readings);
    let negative: Vec<f32> = readings.iter().map(|reading| reading.sentiment.negative).collect();
    let is_negative: Vec<bool> = truth.iter().map(|class| *class == NEGATIVE).collect();
    println!(
        "TweetEval test: macro recall, negative AUROC {:.3}, {:.3}",
        metrics::macro_recall(&found, &truth, 3),
        metrics::auroc(&negative, &is_negative)
    );
    let reviews = data::sst2(data)?;
    let texts: Vec<&str> = reviews.iter().map(|row| row.text.as_str()).collect();
    let readings = read(cache, heads, "sst2", &texts)?;
    let found: Vec<usize> = readings
        .iter()
        .map(|reading| if reading.sentiment.positive > reading.sentiment.negative { POSITIVE } else { NEGATIVE })
        .collect();
    let truth: Vec<usize> = reviews.iter().map(|row| row.class).collect();
    println!("SST-2 test: negative or positive, accuracy   {:.3}", metrics::accuracy(&found, &truth));
    Ok(())
}

fn intents(cache: &Cache, heads: &Heads, data: &Path) -> Result<()> {
    for (name, train, test) in [
        ("banking77", data::banking77(data, "train")?, data::banking77(data, "test")?),
        ("clinc150", data::clinc150(data, "train")?, data::clinc150(data, "test")?),
    ] {
        let embeddings = |part: &str, rows: &[(String, String)]| -> Result<Vec<Vec<f32>>> {
            let texts: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
            let features: Tensor = cache.features(&format!("{name}-{part}"), &texts)?;
            let hidden = cache.encoder.hidden();
            Ok(features.narrow(1, features.dim(1)? - hidden, hidden)?.contiguous()?.to_vec2()?)
        };
        let (known, asked) = (embeddings("train", &train)?, embeddings("test", &test)?);
        let texts: Vec<&str> = test.iter().map(|row| row.0.as_str()).collect();
        let readings = read(cache, heads, &format!("{name}-test"), &texts)?;
        let above = readings.iter().filter(|reading| reading.frustration >= FRUSTRATED).count();
        let share = above as f64 / texts.len() as f64;
        println!(
            "{name} test: everyday questions with frustration at or above {FRUSTRATED:.2}: {share:.3} ({above} of {})",
            texts.len()
        );
        for shots in [5, 10] {
            let mut total = 0.0;
            for draw in 0..DRAWS {
                total += few_shot(&train, &known, &test, &asked, shots, draw)?;
            }
            println!(
                "{name}: {shots:2} examples per intent, accuracy {:.3} (mean of {DRAWS} draws)",
                total / DRAWS as f64
            );
        }
    }
    Ok(())
}

type Named = (String, String);

/// Accuracy of a classifier fitted on `shots` examples of each intent, drawn by seed.
fn few_shot(
    train: &[Named],
    known: &[Vec<f32>],
    test: &[Named],
    asked: &[Vec<f32>],
    shots: usize,
    seed: u64,
) -> Result<f64> {
    let mut drawn: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in Random::new(seed).order(train.len()) {
        let rows = drawn.entry(train[row].1.as_str()).or_default();
        if rows.len() < shots {
            rows.push(row);
        }
    }
    let names: Vec<String> = drawn.keys().map(|name| (*name).to_owned()).collect();
    let phrases = drawn.values().enumerate().flat_map(|(intent, rows)| rows.iter().map(move |row| (*row, intent)));
    let matcher = IntentMatcher::fit(names, phrases.map(|(row, intent)| (known[row].clone(), intent)).collect())?;
    let right = test
        .iter()
        .zip(asked)
        .filter(|((_, intent), embedding)| matcher.rank(embedding).first().is_some_and(|best| best.name == *intent));
    Ok(right.count() as f64 / test.len() as f64)
}
