//! Figures of a trained model on data that it was not trained or tuned on: what a training run
//! ends with. `candor eval`, `candor intents` and `candor audit` measure more, on any file.

use super::cache::Cache;
use super::calibrate;
use super::corpus::{self, TEST};
use super::data::{self, Emotional};
use super::fit::scores;
use super::recipe::{largest, polarities, seen};
use super::sets::emotion_columns;
use crate::domain::analysis::EMOTIONS;
use crate::measure::calibration::{expected_error, reliability};
use crate::measure::labels::{Level, NEGATIVE, POSITIVE};
use crate::measure::metrics;
use crate::nlu::bundle::Section;
use crate::nlu::heads::{Heads, sigmoid};
use anyhow::Result;
use serde::Serialize;
use std::path::Path;

/// The figures, each 0 to 1.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Our own test dialogues.
    frustration_auroc: f64,
    frustration_precision: f64,
    frustration_recall: f64,
    frustration_ece: f64,
    calm_negative_flagged: f64,
    mild_flagged: f64,
    sentiment_accuracy: f64,
    sentiment_macro_recall: f64,
    /// GoEmotions test, 28 labels, thresholds of the model folder (from the dev split).
    goemotions_macro_f1: f64,
    /// TweetEval sentiment test.
    tweeteval_macro_recall: f64,
    tweeteval_negative_auroc: f64,
    /// SST-2 test, positive against negative.
    sst2_accuracy: f64,
}

/// Measures a model on the standard sets.
pub(crate) fn evaluate(cache: &Cache, heads: &Heads, section: &Section, data: &Path, own: &Path) -> Result<Report> {
    let turns = corpus::turns_of(own, &[TEST])?;
    let texts: Vec<&str> = turns.iter().map(|turn| turn.text.as_str()).collect();
    let features = cache.features("own-test", &texts)?;
    let seen = seen(cache, heads, &turns, &features)?;
    let rows = calibrate::gather(&seen, &section.frustration);
    let found: Vec<f32> = rows.iter().map(|row| section.frustration.probability(row)).collect();
    let truth: Vec<bool> = turns.iter().map(|turn| turn.frustration.is_frustrated()).collect();
    let threshold = section.thresholds.frustration;
    let (precision, recall) = metrics::precision_recall(&found, &truth, threshold);
    let flagged = |chosen: &dyn Fn(usize) -> bool| {
        let rows: Vec<f32> = (0..turns.len()).filter(|at| chosen(*at)).map(|at| found[at]).collect();
        rows.iter().filter(|value| **value >= threshold).count() as f64 / rows.len() as f64
    };
    let calm = |at: usize| turns[at].frustration == Level::None && turns[at].sentiment == NEGATIVE;
    let shares = polarities(&scores(&heads.sentiment, &features)?.to_vec2()?);
    let classes: Vec<usize> = shares.iter().map(|shares| largest(shares)).collect();
    let polarity: Vec<usize> = turns.iter().map(|turn| turn.sentiment).collect();

    let tweets = data::tweets(data)?;
    let tweet_shares = polarity_of(cache, heads, "tweets", &tweets)?;
    let tweet_truth: Vec<usize> = tweets.iter().map(|row| row.class).collect();
    let negative: Vec<f32> = tweet_shares.iter().map(|shares| shares[NEGATIVE]).collect();
    let tweet_classes: Vec<usize> = tweet_shares.iter().map(|shares| largest(shares)).collect();
    let reviews = data::sst2(data)?;
    let review_shares = polarity_of(cache, heads, "sst2", &reviews)?;
    let right = review_shares.iter().zip(&reviews);
    let right = right.filter(|(shares, row)| (shares[POSITIVE] > shares[NEGATIVE]) == (row.class == POSITIVE)).count();
    Ok(Report {
        frustration_auroc: metrics::auroc(&found, &truth),
        frustration_precision: precision,
        frustration_recall: recall,
        frustration_ece: expected_error(&reliability(&found, &truth)),
        calm_negative_flagged: flagged(&calm),
        mild_flagged: flagged(&|at| turns[at].frustration == Level::Mild),
        sentiment_accuracy: metrics::accuracy(&classes, &polarity),
        sentiment_macro_recall: metrics::macro_recall(&classes, &polarity, 3),
        goemotions_macro_f1: emotions(cache, heads, section, &data::goemotions(data, "test")?)?,
        tweeteval_macro_recall: metrics::macro_recall(&tweet_classes, &tweet_truth, 3),
        tweeteval_negative_auroc: metrics::auroc(
            &negative,
            &tweet_truth.iter().map(|class| *class == NEGATIVE).collect::<Vec<_>>(),
        ),
        sst2_accuracy: right as f64 / reviews.len() as f64,
    })
}

fn polarity_of(cache: &Cache, heads: &Heads, name: &str, rows: &[data::Labelled]) -> Result<Vec<Vec<f32>>> {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    Ok(polarities(&scores(&heads.sentiment, &cache.features(name, &texts)?)?.to_vec2()?))
}

/// Macro F1 over the 28 emotions at the thresholds of the model folder.
fn emotions(cache: &Cache, heads: &Heads, section: &Section, rows: &[Emotional]) -> Result<f64> {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let found: Vec<Vec<f32>> = scores(&heads.emotion, &cache.features("goemotions-test", &texts)?)?.to_vec2()?;
    let truth = emotion_columns(rows);
    let one = |label: usize| {
        let column: Vec<f32> = found.iter().map(|row| sigmoid(row[label])).collect();
        metrics::f1(&column, &truth[label], section.thresholds.emotions[label])
    };
    Ok((0..EMOTIONS.len()).map(one).sum::<f64>() / EMOTIONS.len() as f64)
}
