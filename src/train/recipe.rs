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
use crate::nlu::heads::{Head, Heads, frustration_input, sigmoid, softmax};
use crate::nlu::surface::cues;
use anyhow::Result;
use candle_core::{Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::path::Path;

/// Parts of the cross-validation over our own files.
const FOLDS: usize = 5;
/// What our support messages count together in the sentiment head, against 1 for all public
/// comments: they are few, but they are what the product reads.
const SUPPORT_SHARE: f32 = 1.0;
/// What the review sentences count together.
const REVIEW_SHARE: f32 = 0.3;
/// Everyday requests taken from each of CLINC150's intents as examples of a calm tone.
const CALM_PER_INTENT: usize = 8;
/// What one of them counts in the frustration head, against 1 for one of our own messages.
const CALM_WEIGHT: f32 = 0.3;

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
    let unseen =
        Material { texts: &texts, features: &features, emotion: scores(&emotion, &features)?, sentiment: unseen };
    let (calm_texts, calm_features) = calm_requests(cache, data, seed)?;
    let calm = Material {
        texts: &calm_texts.iter().map(String::as_str).collect::<Vec<_>>(),
        features: &calm_features,
        emotion: scores(&emotion, &calm_features)?,
        sentiment: scores(&sentiment, &calm_features)?,
    };
    let inputs = Tensor::cat(&[unseen.inputs()?, calm.inputs()?], 0)?;
    let frustration = train_frustration(&rows, &inputs, &folds, seed)?;
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
    let base =
        Settings { loss: Loss::Sigmoid, hidden: 0, epochs: 6, batch: 256, rate: 1e-3, decay: 0.05, dropout: 0.2, seed };
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
    cache: &Cache,
    data: &Path,
    rows: &[Support],
    features: &Tensor,
    folds: &[usize],
    seed: u64,
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
    targets.extend_balanced(&comment_rows.iter().map(|row| polarity(&row.labels)).collect::<Vec<_>>(), 1.0);
    targets.extend_balanced(&reviews.iter().map(|row| one_hot(row.class)).collect::<Vec<_>>(), REVIEW_SHARE);
    let first = targets.weights.len();
    targets.extend_balanced(&rows.iter().map(|row| one_hot(row.sentiment())).collect::<Vec<_>>(), SUPPORT_SHARE);

    let tensor = targets.tensor()?;
    let settings = Settings {
        loss: Loss::Softmax,
        hidden: 128,
        epochs: 5,
        batch: 256,
        rate: 1e-3,
        decay: 0.05,
        dropout: 0.4,
        seed,
    };
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
    let temperature = choose_temperature(&unseen, &truth, &targets.weights[first..]);
    let predicted: Vec<usize> = unseen.iter().map(|row| largest(row)).collect();
    println!(
        "sentiment: cross-validated accuracy {:.3}, macro recall {:.3}, scores times {temperature}",
        metrics::accuracy(&predicted, &truth),
        metrics::macro_recall(&predicted, &truth, 3),
    );
    let mut head =
        fit(&Rows { inputs: &inputs, targets: &tensor, weights: &targets.weights }, &settings, || bar.inc(1))?;
    bar.finish_and_clear();
    rescale(&mut head, temperature, 0.0);
    unseen.iter_mut().flatten().for_each(|score| *score *= temperature);
    Ok((head, unseen))
}

/// What the frustration head reads of some texts.
struct Material<'a> {
    texts: &'a [&'a str],
    features: &'a Tensor,
    emotion: Vec<Vec<f32>>,
    sentiment: Vec<Vec<f32>>,
}

impl Material<'_> {
    /// The rows as the served model lays them out.
    fn inputs(&self) -> Result<Tensor> {
        let features = self.features.to_vec2::<f32>()?;
        let mut all = Vec::new();
        for (at, text) in self.texts.iter().enumerate() {
            all.extend(frustration_input(&features[at], &self.emotion[at], &self.sentiment[at], &cues(text)));
        }
        let width = all.len() / self.texts.len().max(1);
        Ok(Tensor::from_vec(all, (self.texts.len(), width), &Device::Cpu)?)
    }
}

/// Everyday requests to an assistant, some about a broken card or a lost parcel, none of them
/// angry: our own messages alone would leave out what people calmly ask outside a dispute.
fn calm_requests(cache: &Cache, data: &Path, seed: u64) -> Result<(Vec<String>, Tensor)> {
    let rows = data::clinc150(data, "train")?;
    let texts: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    let features = cache.features("clinc150-train", &texts)?;
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen = Random::new(seed).order(rows.len());
    chosen.retain(|row| {
        let count = taken.entry(rows[*row].1.as_str()).or_default();
        *count += 1;
        *count <= CALM_PER_INTENT
    });
    Ok((chosen.iter().map(|row| rows[*row].0.clone()).collect(), select(&features, &chosen)?))
}

/// Fits the frustration head. The first rows of `inputs` belong to our own messages, which are
/// cross-validated; the rest are calm requests, which every fit sees.
fn train_frustration(rows: &[Support], inputs: &Tensor, folds: &[usize], seed: u64) -> Result<Head> {
    let values: Vec<f32> = rows.iter().map(Support::target).collect();
    let truth: Vec<bool> = rows.iter().map(Support::is_frustrated).collect();
    let base =
        Settings { loss: Loss::Sigmoid, hidden: 0, epochs: 30, batch: 64, rate: 5e-4, decay: 0.3, dropout: 0.5, seed };
    let candidates = [base, Settings { hidden: 24, ..base }, Settings { hidden: 24, dropout: 0.7, epochs: 50, ..base }];
    let bar = progress("frustration head", candidates.iter().map(|candidate| candidate.epochs * FOLDS).sum())?;
    let mut best: Option<(f64, Settings, Vec<f32>)> = None;
    for settings in candidates {
        let mut unseen = vec![0.0_f32; rows.len()];
        for fold in 0..FOLDS {
            let held: Vec<usize> = (0..rows.len()).filter(|row| folds[*row] == fold).collect();
            let head = fit_frustration(inputs, &values, &held, &settings, || bar.inc(1))?;
            for (row, found) in held.iter().zip(scores(&head, &select(inputs, &held)?)?) {
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
    let mut head = fit_frustration(inputs, &values, &[], &settings, || ())?;
    bar.finish_and_clear();
    rescale(&mut head, scale, shift);
    Ok(head)
}

/// One fit without the rows in `held`. Rows beyond `values` are calm.
fn fit_frustration(
    inputs: &Tensor,
    values: &[f32],
    held: &[usize],
    settings: &Settings,
    advance: impl Fn(),
) -> Result<Head> {
    let rows: Vec<usize> = (0..inputs.dim(0)?).filter(|row| !held.contains(row)).collect();
    let targets: Vec<f32> = rows.iter().map(|row| values.get(*row).copied().unwrap_or(0.0)).collect();
    let targets = Tensor::from_vec(targets, (rows.len(), 1), &Device::Cpu)?;
    let weights: Vec<f32> = rows.iter().map(|row| if *row < values.len() { 1.0 } else { CALM_WEIGHT }).collect();
    fit(&Rows { inputs: &select(inputs, &rows)?, targets: &targets, weights: &weights }, settings, advance)
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

/// The factor for the scores under which the truth, each row counting by its weight, is least
/// surprising.
fn choose_temperature(rows: &[Vec<f32>], truth: &[usize], weights: &[f32]) -> f32 {
    let loss = |factor: f32| -> f64 {
        let one = |((row, class), weight): ((&Vec<f32>, &usize), &f32)| {
            let scaled: Vec<f32> = row.iter().map(|score| score * factor).collect();
            -f64::from(*weight) * f64::from(softmax(&scaled)[*class].max(1e-9).ln())
        };
        rows.iter().zip(truth).zip(weights).map(one).sum()
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
        assert!(choose_temperature(&rows, &[0, 0, 0, 1, 0, 0, 0, 2], &[1.0; 8]) < 0.6);
    }

    #[test]
    fn a_rescaled_head_gives_rescaled_scores() {
        let mut head = Head { hidden: None, output: Dense { weight: vec![2.0, 1.0], bias: vec![0.5] } };
        let before = head.apply(&[1.0, 3.0])[0];
        rescale(&mut head, 0.5, -1.0);
        assert!((head.apply(&[1.0, 3.0])[0] - (before * 0.5 - 1.0)).abs() < 1e-6);
    }
}
