//! The training recipe: which data goes into which head, what is chosen on what, and how the
//! scores are calibrated.
//!
//! Everything that is chosen (layer sizes, regularisation, calibration) is chosen on GoEmotions'
//! dev split or by cross-validation inside our own training files. The test files are read by
//! `evaluate` only.

use super::cache::Cache;
use super::data::{self, Support};
use super::fit::{Loss, Rows, Settings, fit, scores};
use super::metrics;
use super::random::Random;
use super::sets::{Targets, emotion_targets, folds, one_hot, polarity};
use crate::domain::analysis::EMOTIONS;
use crate::nlu::heads::{Head, Heads, sigmoid, softmax};
use crate::nlu::surface::cues;
use anyhow::Result;
use candle_core::{Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;

/// Parts of the cross-validation over our own files.
const FOLDS: usize = 5;
/// What one support message counts against one comment in the sentiment head: they are few, but
/// they are what the product reads.
const SUPPORT_WEIGHT: f32 = 12.0;
/// What one review sentence counts.
const REVIEW_WEIGHT: f32 = 2.0;

/// Our own training files.
pub(crate) const TRAINING_FILES: [&str; 2] = ["support-a.jsonl", "support-b.jsonl"];

/// Trains all heads on features of `cache`. Prints what was tried and chosen.
pub(crate) fn train(cache: &Cache, data: &Path, corpus: &Path, seed: u64) -> Result<Heads> {
    let emotion = train_emotion(cache, data, seed)?;
    let mut rows = Vec::new();
    for file in TRAINING_FILES {
        rows.extend(data::support(&corpus.join(file))?);
    }
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let features = cache.features("support", &texts)?;
    let folds = folds(&rows, FOLDS, &Random::new(seed).order(rows.len()));
    let (sentiment, unseen) = train_sentiment(cache, data, &rows, &features, &folds, seed)?;
    let frustration = train_frustration(&rows, &features, &emotion, &unseen, &folds, seed)?;
    Ok(Heads { emotion, sentiment, frustration })
}

fn progress(name: &str, steps: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {eta}")?;
    Ok(ProgressBar::new(steps as u64).with_style(style).with_message(name.to_owned()))
}

fn train_emotion(cache: &Cache, data: &Path, seed: u64) -> Result<Head> {
    let (rows, dev) = (data::goemotions(data, "train")?, data::goemotions(data, "dev")?);
    let inputs = comments(cache, "goemotions-train", &rows)?;
    let dev_inputs = comments(cache, "goemotions-dev", &dev)?;
    let targets = emotion_targets(&rows);
    let base = Settings { loss: Loss::Sigmoid, hidden: 0, epochs: 6, batch: 256, rate: 1e-3, decay: 0.05, dropout: 0.2, seed };
    let candidates = [base, Settings { hidden: 256, epochs: 8, dropout: 0.4, ..base }];
    let bar = progress("emotion head", candidates.iter().map(|candidate| candidate.epochs).sum())?;
    let mut best: Option<(f64, Head)> = None;
    for settings in candidates {
        let rows = Rows { inputs: &inputs, targets: &targets.tensor()?, weights: &targets.weights };
        let head = fit(&rows, &settings, || bar.inc(1))?;
        let found = probabilities(&scores(&head, &dev_inputs)?);
        let truth = emotion_columns(&dev);
        let f1 = (0..EMOTIONS.len()).map(|label| {
            let column: Vec<f32> = found.iter().map(|row| row[label]).collect();
            metrics::f1(&column, &truth[label], metrics::best_threshold(&column, &truth[label]))
        });
        let f1 = f1.sum::<f64>() / EMOTIONS.len() as f64;
        println!("emotion: hidden {:3}, dev macro F1 {f1:.3}", settings.hidden);
        if best.as_ref().is_none_or(|(highest, _)| f1 > *highest) {
            best = Some((f1, head));
        }
    }
    bar.finish_and_clear();
    best.map(|(_, head)| head).ok_or_else(|| anyhow::anyhow!("no candidate for the emotion head"))
}

/// The sentiment head, calibrated, and for each support row the scores of a head that was trained
/// without its fold.
fn train_sentiment(
    cache: &Cache, data: &Path, rows: &[Support], features: &Tensor, folds: &[usize], seed: u64,
) -> Result<(Head, Vec<Vec<f32>>)> {
    let comment_rows = data::goemotions(data, "train")?;
    let reviews = data::uci(data)?;
    let review_texts: Vec<&str> = reviews.iter().map(|row| row.text.as_str()).collect();
    let public = Tensor::cat(
        &[comments(cache, "goemotions-train", &comment_rows)?, cache.features("reviews", &review_texts)?],
        0,
    )?;
    let inputs = Tensor::cat(&[&public, features], 0)?;
    let mut targets = Targets::default();
    comment_rows.iter().for_each(|row| targets.push(&polarity(&row.labels), 1.0));
    reviews.iter().for_each(|row| targets.push(&one_hot(row.class), REVIEW_WEIGHT));
    let first = targets.weights.len();
    rows.iter().for_each(|row| targets.push(&one_hot(row.sentiment()), SUPPORT_WEIGHT));

    let tensor = targets.tensor()?;
    let settings =
        Settings { loss: Loss::Softmax, hidden: 128, epochs: 5, batch: 256, rate: 1e-3, decay: 0.05, dropout: 0.4, seed };
    let bar = progress("sentiment head", settings.epochs * (FOLDS + 1))?;
    let mut unseen = vec![Vec::new(); rows.len()];
    for fold in 0..FOLDS {
        let mut weights = targets.weights.clone();
        let held: Vec<usize> = (0..rows.len()).filter(|row| folds[*row] == fold).collect();
        held.iter().for_each(|row| weights[first + row] = 0.0);
        let head = fit(&Rows { inputs: &inputs, targets: &tensor, weights: &weights }, &settings, || bar.inc(1))?;
        for (row, found) in held.iter().zip(scores(&head, &select(features, &held)?)?) {
            unseen[*row] = found;
        }
    }
    let truth: Vec<usize> = rows.iter().map(Support::sentiment).collect();
    let temperature = choose_temperature(&unseen, &truth);
    let predicted: Vec<usize> = unseen.iter().map(|row| largest(row)).collect();
    println!(
        "sentiment: cross-validated accuracy {:.3}, macro recall {:.3}, scores times {temperature}",
        metrics::accuracy(&predicted, &truth),
        metrics::macro_recall(&predicted, &truth, 3),
    );
    let mut head = fit(&Rows { inputs: &inputs, targets: &tensor, weights: &targets.weights }, &settings, || bar.inc(1))?;
    bar.finish_and_clear();
    rescale(&mut head, temperature, 0.0);
    unseen.iter_mut().flatten().for_each(|score| *score *= temperature);
    Ok((head, unseen))
}

fn train_frustration(
    rows: &[Support], features: &Tensor, emotion: &Head, sentiment: &[Vec<f32>], folds: &[usize], seed: u64,
) -> Result<Head> {
    let inputs = frustration_inputs(rows, features, &scores(emotion, features)?, sentiment)?;
    let values: Vec<f32> = rows.iter().map(Support::target).collect();
    let truth: Vec<bool> = rows.iter().map(Support::is_frustrated).collect();
    let base = Settings { loss: Loss::Sigmoid, hidden: 0, epochs: 30, batch: 64, rate: 5e-4, decay: 0.3, dropout: 0.5, seed };
    let candidates = [
        Settings { dropout: 0.3, ..base },
        base,
        Settings { dropout: 0.7, epochs: 50, ..base },
        Settings { hidden: 24, dropout: 0.5, ..base },
        Settings { hidden: 24, dropout: 0.7, epochs: 50, ..base },
    ];
    let bar = progress("frustration head", candidates.iter().map(|candidate| candidate.epochs * FOLDS).sum())?;
    let mut best: Option<(f64, Settings, Vec<f32>)> = None;
    for settings in candidates {
        let mut unseen = vec![0.0_f32; rows.len()];
        for fold in 0..FOLDS {
            let (held, kept): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|row| folds[*row] == fold);
            let head = fit_frustration(&inputs, &values, &kept, &settings, || bar.inc(1))?;
            for (row, found) in held.iter().zip(scores(&head, &select(&inputs, &held)?)?) {
                unseen[*row] = found[0];
            }
        }
        let auroc = metrics::auroc(&unseen, &truth);
        let (scale, shift) = choose_platt(&unseen, &values);
        let found: Vec<f32> = unseen.iter().map(|score| sigmoid(scale * score + shift)).collect();
        let loss = metrics::log_loss(&found, &values);
        println!(
            "frustration: hidden {:2}, dropout {:.1}: cross-validated AUROC {auroc:.3}, log loss {loss:.3}",
            settings.hidden, settings.dropout
        );
        if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
            best = Some((loss, settings, unseen));
        }
    }
    let (_, settings, unseen) = best.ok_or_else(|| anyhow::anyhow!("no candidate for the frustration head"))?;
    let (scale, shift) = choose_platt(&unseen, &values);
    let all: Vec<usize> = (0..rows.len()).collect();
    let mut head = fit_frustration(&inputs, &values, &all, &settings, || ())?;
    bar.finish_and_clear();
    rescale(&mut head, scale, shift);
    Ok(head)
}

fn fit_frustration(
    inputs: &Tensor, values: &[f32], rows: &[usize], settings: &Settings, advance: impl Fn(),
) -> Result<Head> {
    let chosen: Vec<f32> = rows.iter().map(|row| values[*row]).collect();
    let targets = Tensor::from_vec(chosen, (rows.len(), 1), &Device::Cpu)?;
    let weights = vec![1.0; rows.len()];
    fit(&Rows { inputs: &select(inputs, rows)?, targets: &targets, weights: &weights }, settings, advance)
}

/// Inputs of the frustration head as the served model lays them out.
fn frustration_inputs(
    rows: &[Support], features: &Tensor, emotion: &[Vec<f32>], sentiment: &[Vec<f32>],
) -> Result<Tensor> {
    let features = features.to_vec2::<f32>()?;
    let mut all = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let input = crate::nlu::heads::frustration_input(&features[at], &emotion[at], &sentiment[at], &cues(&row.text));
        all.extend(input);
    }
    let width = all.len() / rows.len().max(1);
    Ok(Tensor::from_vec(all, (rows.len(), width), &Device::Cpu)?)
}

fn comments(cache: &Cache, name: &str, rows: &[data::Emotional]) -> Result<Tensor> {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    cache.features(name, &texts)
}

/// For each emotion, which rows carry it.
pub(crate) fn emotion_columns(rows: &[data::Emotional]) -> Vec<Vec<bool>> {
    (0..EMOTIONS.len()).map(|label| rows.iter().map(|row| row.labels.contains(&label)).collect()).collect()
}

fn probabilities(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    rows.iter().map(|row| row.iter().map(|score| sigmoid(*score)).collect()).collect()
}

/// Index of the largest value.
pub(crate) fn largest(values: &[f32]) -> usize {
    let rated = values.iter().enumerate();
    rated.max_by(|left, right| left.1.total_cmp(right.1)).map_or(0, |(index, _)| index)
}

fn select(rows: &Tensor, chosen: &[usize]) -> Result<Tensor> {
    let index: Vec<u32> = chosen.iter().map(|row| *row as u32).collect();
    Ok(rows.index_select(&Tensor::from_vec(index, chosen.len(), &Device::Cpu)?, 0)?)
}

/// The factor for the scores under which the truth is least surprising.
fn choose_temperature(rows: &[Vec<f32>], truth: &[usize]) -> f32 {
    let loss = |factor: f32| -> f64 {
        let one = |(row, class): (&Vec<f32>, &usize)| {
            let scaled: Vec<f32> = row.iter().map(|score| score * factor).collect();
            -f64::from(softmax(&scaled)[*class].max(1e-9).ln())
        };
        rows.iter().zip(truth).map(one).sum()
    };
    let factors = (2..=40).map(|step| step as f32 * 0.05);
    factors.min_by(|left, right| loss(*left).total_cmp(&loss(*right))).unwrap_or(1.0)
}

/// Scale and shift of the scores (Platt, 1999) by a search over a grid.
fn choose_platt(scores: &[f32], targets: &[f32]) -> (f32, f32) {
    let loss = |scale: f32, shift: f32| {
        let found: Vec<f32> = scores.iter().map(|score| sigmoid(scale * score + shift)).collect();
        metrics::log_loss(&found, targets)
    };
    let mut best = (f64::INFINITY, 1.0, 0.0);
    for scale in (2..=40).map(|step| step as f32 * 0.05) {
        for shift in (-20..=20).map(|step| step as f32 * 0.1) {
            let found = loss(scale, shift);
            if found < best.0 {
                best = (found, scale, shift);
            }
        }
    }
    (best.1, best.2)
}

/// Folds a calibration into the last layer.
fn rescale(head: &mut Head, scale: f32, shift: f32) {
    head.output.weight.iter_mut().for_each(|weight| *weight *= scale);
    head.output.bias.iter_mut().for_each(|bias| *bias = *bias * scale + shift);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::heads::Dense;

    #[test]
    fn calibration_finds_the_scale_that_made_the_labels() {
        let mut random = Random::new(11);
        let scores: Vec<f32> = (0..4000).map(|_| random.unit() * 8.0 - 4.0).collect();
        let labels: Vec<f32> =
            scores.iter().map(|score| f32::from(u8::from(random.unit() < sigmoid(0.5 * score - 1.0)))).collect();
        let (scale, shift) = choose_platt(&scores, &labels);
        assert!((scale - 0.5).abs() < 0.12 && (shift + 1.0).abs() < 0.25, "{scale} {shift}");
    }

    #[test]
    fn overconfident_scores_are_cooled() {
        // Right three times of four, whatever the score says.
        let rows: Vec<Vec<f32>> = vec![vec![4.0, 0.0, 0.0]; 8];
        assert!(choose_temperature(&rows, &[0, 0, 0, 1, 0, 0, 0, 2]) < 0.6);
    }

    #[test]
    fn a_rescaled_head_gives_rescaled_scores() {
        let mut head = Head { hidden: None, output: Dense { weight: vec![2.0, 1.0], bias: vec![0.5] } };
        let before = head.apply(&[1.0, 3.0])[0];
        rescale(&mut head, 0.5, -1.0);
        assert!((head.apply(&[1.0, 3.0])[0] - (before * 0.5 - 1.0)).abs() < 1e-6);
    }
}
