//! Fine-tuning of the mood layers: shuffled mixed batches, two halves of a batch side by side,
//! a checkpoint that an interrupted run goes on from with the same result, and early stopping on
//! development data.
//!
//! Everything random follows from the seed and the step, so nothing but the step has to be
//! remembered. A batch is always cut in two, whatever the number of cores, so that sums are added
//! in one order everywhere.

use super::checkpoint::Checkpoint;
use super::network::{Example, Network, Shape};
use super::optimiser::AdamW;
use crate::random::Random;
use anyhow::{Context, Result, anyhow};
use candle_core::{Tensor, Var};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Parts of a batch that are computed side by side.
const SHARDS: usize = 2;
/// Batches among which examples are sorted by length, so that little is padding.
const SORTED: usize = 50;
/// Share of the steps in which the rates rise to their height; they then fall to zero.
const WARM_UP: f32 = 0.06;
/// Longest gradient.
const LONGEST: f32 = 1.0;
/// Texts of one pass when nothing is trained.
const READ: usize = 64;

/// How to train.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Most passes over the examples.
    pub(crate) epochs: usize,
    /// Examples of a step.
    pub(crate) batch: usize,
    /// Highest step size of the layers.
    pub(crate) rate: f32,
    /// Highest step size of the heads.
    pub(crate) head_rate: f32,
    /// Pull of the matrices to zero.
    pub(crate) decay: f32,
    /// Steps between checkpoints.
    pub(crate) checkpoint: usize,
    /// Seed of order and dropout.
    pub(crate) seed: u64,
}

/// Texts with their shared states.
pub(crate) struct Material<'a> {
    /// What each text teaches.
    pub(crate) examples: &'a [Example],
    /// `[tokens, width]` of each.
    pub(crate) states: &'a [Tensor],
}

/// Trains and gives the variables of the best epoch, by name. `judge` scores the network on
/// development data, higher being better, and may print what it found. `folder` holds the
/// checkpoint; `key` names everything that the run depends on, and a checkpoint of another key is
/// left aside. `limit` ends the run after so many steps, for tests of interruption.
pub(crate) fn tune(
    shape: &Shape,
    start: &HashMap<String, Tensor>,
    material: &Material<'_>,
    settings: &Settings,
    lanes: &[rayon::ThreadPool],
    judge: impl Fn(&Network<'_>) -> Result<f64>,
    (folder, key, limit): (Option<&Path>, &str, Option<usize>),
) -> Result<HashMap<String, Tensor>> {
    let variables = shape.variables(start)?;
    let rate = |name: &str| {
        if name.starts_with(crate::nlu::encoder::MOOD_LAYERS) { settings.rate } else { settings.head_rate }
    };
    let rated = variables.iter().map(|(name, var)| (name.clone(), (var.clone(), rate(name)))).collect();
    let mut optimiser = AdamW::new(rated, settings.decay);
    let mut checkpoint = Checkpoint::open(folder, key)?;
    if let Some(state) = checkpoint.state()? {
        optimiser.restore(&state, checkpoint.step)?;
        eprintln!("going on after {} steps", checkpoint.step);
    }
    let per_epoch = material.examples.len().div_ceil(settings.batch);
    let steps = per_epoch * settings.epochs;
    let bar = ProgressBar::new(steps as u64)
        .with_style(ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {eta}")?)
        .with_message("mood layers");
    let mut running = 0.0_f32;
    let mut batches = Vec::new();
    while checkpoint.step < steps {
        if limit.is_some_and(|limit| checkpoint.step >= limit) {
            break;
        }
        let step = checkpoint.step;
        bar.set_position(step as u64);
        if batches.is_empty() || step.is_multiple_of(per_epoch) {
            batches = order(material.states, settings, step / per_epoch)?;
        }
        let batch = &batches[step % per_epoch];
        let (loss, gradients) = gradients(shape, &variables, material, batch, lanes, (settings.seed, step))?;
        running = if running == 0.0 { loss } else { 0.98 * running + 0.02 * loss };
        let done = step as f32 / steps as f32;
        optimiser.step(&gradients, (done / WARM_UP).min(1.0) * (1.0 - done), LONGEST)?;
        checkpoint.step += 1;
        if checkpoint.step.is_multiple_of(per_epoch) {
            let network = Network::new(shape, |name| variables.get(name).map(|var| var.as_tensor().detach()))?;
            let score = judge(&network)?;
            bar.suspend(|| {
                println!("epoch {}: loss {running:.4}, development {score:.4}", checkpoint.step / per_epoch)
            });
            checkpoint.judge(score, &optimiser)?;
        }
        if checkpoint.step.is_multiple_of(settings.checkpoint) || checkpoint.step.is_multiple_of(per_epoch) {
            checkpoint.write(&optimiser)?;
        }
    }
    bar.finish_and_clear();
    checkpoint.best(&optimiser)
}

/// The batches of an epoch: shuffled, then neighbours in length together, then shuffled again.
fn order(states: &[Tensor], settings: &Settings, epoch: usize) -> Result<Vec<Vec<usize>>> {
    let mut random = Random::new(settings.seed ^ (epoch as u64 + 1).wrapping_mul(0x9E37_79B9));
    let lengths: Vec<usize> = states.iter().map(|state| state.dim(0)).collect::<Result<_, _>>()?;
    let mut all = random.order(states.len());
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for chunk in all.chunks_mut(settings.batch * SORTED) {
        chunk.sort_by_key(|index| lengths[*index]);
        batches.extend(chunk.chunks(settings.batch).map(<[usize]>::to_vec));
    }
    let places = random.order(batches.len());
    Ok(places.into_iter().map(|place| std::mem::take(&mut batches[place])).collect())
}

/// Loss and gradients of a batch: every shard on its own thread, added in order.
fn gradients(
    shape: &Shape,
    variables: &BTreeMap<String, Var>,
    material: &Material<'_>,
    batch: &[usize],
    lanes: &[rayon::ThreadPool],
    (seed, step): (u64, usize),
) -> Result<(f32, HashMap<String, Vec<f32>>)> {
    let run = |shard: usize| -> Result<(f32, HashMap<String, Vec<f32>>)> {
        // Every other one, so that the halves are as long.
        let own: Vec<usize> = batch.iter().copied().skip(shard).step_by(SHARDS).collect();
        if own.is_empty() {
            return Ok((0.0, HashMap::new()));
        }
        let random =
            Random::new(seed.wrapping_add((step * SHARDS + shard) as u64 + 1).wrapping_mul(0xD129_0B26_3C1E_77A5));
        let network = Network::new(shape, |name| variables.get(name).map(|var| var.as_tensor().clone()))?;
        let states: Vec<&Tensor> = own.iter().map(|index| &material.states[*index]).collect();
        let examples: Vec<&Example> = own.iter().map(|index| &material.examples[*index]).collect();
        let loss = network.loss(&network.scores(&states, Some(random))?, &examples, batch.len())?;
        let slopes = loss.backward()?;
        let mut found = HashMap::new();
        for (name, var) in variables {
            let slope = slopes.get(var).with_context(|| format!("{name} has no gradient"))?;
            found.insert(name.clone(), slope.flatten_all()?.to_vec1()?);
        }
        Ok((loss.to_scalar()?, found))
    };
    let mut total = 0.0;
    let mut sum: HashMap<String, Vec<f32>> = HashMap::new();
    for part in side_by_side(lanes, SHARDS, run) {
        let (loss, found) = part?;
        total += loss;
        for (name, slope) in found {
            match sum.get_mut(&name) {
                None => drop(sum.insert(name, slope)),
                Some(whole) => whole.iter_mut().zip(slope).for_each(|(whole, part)| *whole += part),
            }
        }
    }
    Ok((total, sum))
}

/// Scores of each head for many texts, in order, nothing left out: `[head][text][output]`.
pub(crate) fn read(
    network: &Network<'_>,
    states: &[Tensor],
    lanes: &[rayon::ThreadPool],
) -> Result<Vec<Vec<Vec<f32>>>> {
    let mut sorted: Vec<usize> = (0..states.len()).collect();
    sorted.sort_by_key(|index| states[*index].dims()[0]);
    let passes: Vec<&[usize]> = sorted.chunks(READ).collect();
    let run = |pass: usize| -> Result<Vec<Vec<Vec<f32>>>> {
        let states: Vec<&Tensor> = passes[pass].iter().map(|index| &states[*index]).collect();
        network.scores(&states, None)?.iter().map(|scores| Ok(scores.to_vec2()?)).collect()
    };
    let mut all = vec![vec![Vec::new(); states.len()]; super::network::HEADS.len()];
    for (pass, found) in passes.iter().zip(side_by_side(lanes, passes.len(), run)) {
        for (head, rows) in found?.into_iter().enumerate() {
            pass.iter().zip(rows).for_each(|(index, row)| all[head][*index] = row);
        }
    }
    Ok(all)
}

/// Runs `run` for 0 to `count`, one after the other in each lane; results in order.
fn side_by_side<R: Send>(
    lanes: &[rayon::ThreadPool],
    count: usize,
    run: impl Fn(usize) -> Result<R> + Sync,
) -> Vec<Result<R>> {
    let mut results: Vec<Option<Result<R>>> = (0..count).map(|_| None).collect();
    let width = lanes.len().max(1);
    std::thread::scope(|scope| {
        let mut rest: Vec<_> = results.iter_mut().enumerate().collect();
        for (place, lane) in lanes.iter().enumerate() {
            let (share, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(at, _)| at % width == place);
            rest = others;
            let run = &run;
            scope.spawn(move || share.into_iter().for_each(|(at, result)| *result = Some(lane.install(|| run(at)))));
        }
    });
    results.into_iter().map(|result| result.unwrap_or_else(|| Err(anyhow!("a lane ended early")))).collect()
}
