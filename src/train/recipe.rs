//! The training recipe: what is trained on what, in which order, and what is chosen on what.
//!
//! 1. The mood layers are fine-tuned on `sets::for_layers`, with heads of their own that are then
//!    forgotten; the epoch is kept that is best on GoEmotions' dev split and our tuning dialogues.
//! 2. The layers are rounded to the served int8 rows; everything after this sees the served values.
//! 3. The heads are fitted on the features of `sets::for_heads`. The one for the sentiment is fitted
//!    twice: the second time with the comments too, labelled by the first.
//! 4. Temperature, context weights and thresholds are chosen on the tuning dialogues and the dev split.
//!
//! Test files are read by `evaluate` only.

use super::cache::Cache;
use super::calibrate::{self, Seen};
use super::corpus::{self, Turn};
use super::data;
use super::fit::{Loss, Rows, STEPS, fit, scores};
use super::network::{Example, Network, Shape};
use super::sets::{self, emotion_columns};
use super::tune::{Material, Settings, read, tune};
use crate::domain::analysis::EMOTIONS;
use crate::measure::labels::NEGATIVE;
use crate::measure::metrics;
use crate::nlu::bert::{embed, embedding};
use crate::nlu::bundle::{Section, Thresholds};
use crate::nlu::context::{ContextModel, is_same};
use crate::nlu::encoder::MOOD_LAYERS;
use crate::nlu::heads::{Dense, Heads, sigmoid, softmax};
use crate::nlu::reference::Reference;
use crate::nlu::surface::cues;
use crate::nlu::tokenize::Tokenizer;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::path::Path;

/// Texts whose shared states are computed at once.
const CHUNK: usize = 2048;
/// Pull of each head's weights to zero, against the summed loss of its rows.
const EMOTION_PULL: f64 = 100.0;
const SENTIMENT_PULL: f64 = 5000.0;
const FRUSTRATION_PULL: f64 = 8000.0;
/// What a comment counts in the sentiment with the label that the head gave it.
const SELF_LABELLED: f32 = 0.08;

/// Where everything is.
pub(crate) struct Folders<'a> {
    /// Public data sets.
    pub(crate) data: &'a Path,
    /// Our own corpus.
    pub(crate) corpus: &'a Path,
    /// Checkpoints.
    pub(crate) work: &'a Path,
}

/// Fine-tunes the mood layers; gives them by the names that they are stored under.
pub(crate) fn tune_layers(
    (tokenizer, reference): (&Tokenizer, &Reference),
    start: &HashMap<String, Tensor>,
    shape: &Shape,
    settings: &Settings,
    folders: &Folders<'_>,
    key: &str,
) -> Result<HashMap<String, Tensor>> {
    let examples = sets::for_layers(folders.data, folders.corpus, settings.seed)?;
    let dev = data::goemotions(folders.data, "dev")?;
    let tuning = corpus::turns_of(folders.corpus, &corpus::TUNING)?;
    println!("{} examples, {} and {} for development", examples.len(), dev.len(), tuning.len());
    let states =
        shared_states(tokenizer, reference, &examples.iter().map(|example| example.text.as_str()).collect::<Vec<_>>())?;
    let dev_states = shared_states(tokenizer, reference, &dev.iter().map(|row| row.text.as_str()).collect::<Vec<_>>())?;
    let tuning_states =
        shared_states(tokenizer, reference, &tuning.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>())?;
    let columns = emotion_columns(&dev);
    let lanes = reference.lanes();
    let judge = |network: &Network<'_>| -> Result<f64> {
        let found = read(network, &dev_states, lanes)?;
        let emotions = best_f1(&found[0], &columns);
        let found = read(network, &tuning_states, lanes)?;
        let frustration: Vec<f32> = found[2].iter().map(|scores| scores[0]).collect();
        let truth: Vec<bool> = tuning.iter().map(|turn| turn.frustration.is_frustrated()).collect();
        let frustration = metrics::auroc(&frustration, &truth);
        let classes: Vec<usize> = found[1].iter().map(|scores| largest(scores)).collect();
        let truth: Vec<usize> = tuning.iter().map(|turn| turn.sentiment).collect();
        let recall = metrics::macro_recall(&classes, &truth, 3);
        println!("emotions F1 {emotions:.4}, frustration AUROC {frustration:.4}, sentiment recall {recall:.4}");
        Ok((emotions + frustration + recall) / 3.0)
    };
    let material = Material { examples: &examples, states: &states };
    let mut found = tune(shape, start, &material, settings, lanes, judge, (Some(folders.work), key, None))?;
    found.retain(|name, _| name.starts_with(MOOD_LAYERS));
    Ok(found)
}

/// Fits the heads on the features of the layers as they are.
pub(crate) fn fit_heads(cache: &Cache, folders: &Folders<'_>, seed: u64) -> Result<Heads> {
    let mut examples = sets::for_heads(folders.data, folders.corpus, seed)?;
    let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
    let features = cache.features("training", &texts)?;
    let emotion = fit_head("emotion head", &features, &examples, (Loss::Sigmoid, EMOTION_PULL), |example| {
        let labels = example.emotions.as_ref()?;
        let mut row = vec![0.0; EMOTIONS.len()];
        labels.iter().for_each(|label| row[*label] = 1.0);
        Some((row, 1.0))
    })?;
    let polarity = |example: &Example| example.sentiment.map(|(shares, weight)| (shares.to_vec(), weight));
    let how = (Loss::Softmax, SENTIMENT_PULL);
    let first = fit_head("sentiment head", &features, &examples, how, polarity)?;
    let read: Vec<Vec<f32>> = scores(&first, &features)?.to_vec2()?;
    for (example, scores) in examples.iter_mut().zip(read).filter(|(example, _)| example.emotions.is_some()) {
        let mut shares = [0.0; 3];
        shares[largest(&scores)] = 1.0;
        example.sentiment = Some((shares, SELF_LABELLED));
    }
    let sentiment = fit_head("sentiment head again", &features, &examples, how, polarity)?;
    let how = (Loss::Sigmoid, FRUSTRATION_PULL);
    let frustration = fit_head("frustration head", &features, &examples, how, |example| {
        example.frustration.map(|(value, weight)| (vec![value], weight))
    })?;
    Ok(Heads { emotion, sentiment, frustration })
}

/// Fits one head on the examples that have a target and a weight for it.
fn fit_head(
    name: &str,
    features: &Tensor,
    examples: &[Example],
    (loss, pull): (Loss, f64),
    row: impl Fn(&Example) -> Option<(Vec<f32>, f32)>,
) -> Result<Dense> {
    let rows: Vec<(usize, (Vec<f32>, f32))> =
        examples.iter().enumerate().filter_map(|(at, example)| Some((at, row(example)?))).collect();
    let inputs = select(features, &rows.iter().map(|(at, _)| *at).collect::<Vec<_>>())?;
    let width = rows.first().map_or(0, |(_, (targets, _))| targets.len());
    let targets: Vec<f32> = rows.iter().flat_map(|(_, (targets, _))| targets.iter().copied()).collect();
    let targets = Tensor::from_vec(targets, (rows.len(), width), &Device::Cpu)?;
    let weights: Vec<f32> = rows.iter().map(|(_, (_, weight))| *weight).collect();
    let bar = progress(name, STEPS)?;
    let rows = Rows { inputs: &inputs, targets: &targets, weights: &weights, known: None };
    let head = fit(&rows, loss, pull, || bar.inc(1))?;
    bar.finish_and_clear();
    Ok(head)
}

/// Chooses temperature, context weights and thresholds; the temperature goes into the head.
pub(crate) fn calibrate(cache: &Cache, heads: &mut Heads, section: &mut Section, folders: &Folders<'_>) -> Result<()> {
    let tuning = corpus::turns_of(folders.corpus, &corpus::TUNING)?;
    let texts: Vec<&str> = tuning.iter().map(|turn| turn.text.as_str()).collect();
    let features = cache.features("tuning", &texts)?;
    let found: Vec<Vec<f32>> = scores(&heads.sentiment, &features)?.to_vec2()?;
    let truth: Vec<usize> = tuning.iter().map(|turn| turn.sentiment).collect();
    let temperature = calibrate::choose_temperature(&found, &truth);
    calibrate::rescale(&mut heads.sentiment, temperature);

    let seen = seen(cache, heads, &tuning, &features)?;
    let frustrated: Vec<bool> = tuning.iter().map(|turn| turn.frustration.is_frustrated()).collect();
    section.frustration = calibrate::fit_context(&seen, &frustrated, &ContextModel::default());
    let rows = calibrate::gather(&seen, &section.frustration);
    let probabilities: Vec<f32> = rows.iter().map(|row| section.frustration.probability(row)).collect();
    let threshold = calibrate::choose_threshold(&probabilities, &frustrated);

    let dev = data::goemotions(folders.data, "dev")?;
    let texts: Vec<&str> = dev.iter().map(|row| row.text.as_str()).collect();
    let found: Vec<Vec<f32>> = scores(&heads.emotion, &cache.features("goemotions-dev", &texts)?)?.to_vec2()?;
    let columns = emotion_columns(&dev);
    let best = |label: usize| {
        let column: Vec<f32> = found.iter().map(|row| sigmoid(row[label])).collect();
        metrics::best_threshold(&column, &columns[label])
    };
    section.thresholds = Thresholds { frustration: threshold, emotions: (0..EMOTIONS.len()).map(best).collect() };
    println!("sentiment scores times {temperature:.2}, frustration from {threshold:.2}");
    println!("frustration in context: bias {:.2}, {:.2?}", section.frustration.bias, section.frustration.weights);
    Ok(())
}

/// What the context model sees of labelled turns.
pub(crate) fn seen(cache: &Cache, heads: &Heads, turns: &[Turn], features: &Tensor) -> Result<Vec<Seen>> {
    let frustration: Vec<Vec<f32>> = scores(&heads.frustration, features)?.to_vec2()?;
    let texts: Vec<&str> = turns.iter().map(|turn| turn.text.as_str()).collect();
    let meanings = embed(&cache.encoder, &texts)?;
    let heard: Vec<&str> = turns.iter().flat_map(|turn| &turn.heard).map(String::as_str).collect();
    let mut heard = embed(&cache.encoder, &heard)?.into_iter();
    let rows = turns.iter().zip(frustration).zip(meanings).map(|((turn, scores), meaning)| {
        let answers: Vec<Vec<f32>> = heard.by_ref().take(turn.heard.len()).collect();
        Seen {
            score: scores[0],
            cues: cues(&turn.text),
            meaning: embedding(&meaning).to_vec(),
            earlier: turn.earlier.clone(),
            bot_missed: matches!(answers.as_slice(), [before, last] if is_same(embedding(before), embedding(last))),
        }
    });
    Ok(rows.collect())
}

fn shared_states(tokenizer: &Tokenizer, reference: &Reference, texts: &[&str]) -> Result<Vec<Tensor>> {
    let bar = progress("shared layers", texts.len())?;
    let mut all = Vec::with_capacity(texts.len());
    for chunk in texts.chunks(CHUNK) {
        // Half the width is exact enough for what comes out of a layer and halves the memory.
        // The beginning of a text that is too long teaches enough.
        let ids = chunk.iter().map(|text| Ok(tokenizer.windows(text)?.swap_remove(0)));
        let ids = ids.collect::<Result<Vec<_>, String>>().map_err(anyhow::Error::msg)?;
        for state in reference.shared_states(&ids)? {
            all.push(state.to_dtype(DType::F16)?);
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(all)
}

/// Mean over the emotions of the best F1 that a threshold gives.
fn best_f1(rows: &[Vec<f32>], truth: &[Vec<bool>]) -> f64 {
    let one = |label: usize| {
        let column: Vec<f32> = rows.iter().map(|row| sigmoid(row[label])).collect();
        metrics::f1(&column, &truth[label], metrics::best_threshold(&column, &truth[label]))
    };
    (0..EMOTIONS.len()).map(one).sum::<f64>() / EMOTIONS.len() as f64
}

/// A bar on the terminal.
pub(crate) fn progress(name: &str, steps: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {eta}")?;
    Ok(ProgressBar::new(steps as u64).with_style(style).with_message(name.to_owned()))
}

/// Index of the largest value.
pub(crate) fn largest(values: &[f32]) -> usize {
    let rated = values.iter().enumerate();
    rated.max_by(|left, right| left.1.total_cmp(right.1)).map_or(NEGATIVE, |(index, _)| index)
}

/// Probabilities of the polarities for rows of scores.
pub(crate) fn polarities(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    rows.iter().map(|row| softmax(row)).collect()
}

/// The chosen rows, in the order of `chosen`.
pub(crate) fn select(rows: &Tensor, chosen: &[usize]) -> Result<Tensor> {
    let index: Vec<u32> = chosen.iter().map(|row| *row as u32).collect();
    Ok(rows.index_select(&Tensor::from_vec(index, chosen.len(), &Device::Cpu)?, 0)?)
}
