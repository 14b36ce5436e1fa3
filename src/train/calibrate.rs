//! Calibration on the tuning dialogues: the temperature of the sentiment, the weights of
//! frustration in context, and the thresholds. Knows readings and labels, not how they were made.

use crate::domain::{Context, EarlierTurn, Gist};
use crate::measure::metrics;
use crate::nlu::context::{ContextModel, evidence, names};
use crate::nlu::heads::{Dense, softmax};
use crate::nlu::regression::fit_logistic;
use crate::nlu::surface::CUES;

/// Pull of the context's weights to where they start, against the summed loss.
const PULL: f64 = 4.0;
/// The same for the bias, which is free: the probabilities' mean is to be the share of frustrated turns.
const BIAS_PULL: f64 = 1e-6;
/// How often the weights are fitted again with the probabilities that they give for earlier turns.
const ROUNDS: usize = 3;

/// A customer turn as the context model sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Score of the frustration head.
    pub(crate) score: f32,
    /// Visible cues.
    pub(crate) cues: [f32; CUES.len()],
    /// Embedding of length 1.
    pub(crate) meaning: Vec<f32>,
    /// Earlier turns of the same dialogue, by index.
    pub(crate) earlier: Vec<usize>,
    /// Whether the bot's last answer missed.
    pub(crate) bot_missed: bool,
}

/// Evidence of every turn, given the model that reads the earlier ones.
pub(crate) fn gather(turns: &[Seen], model: &ContextModel) -> Vec<Vec<f32>> {
    let alone: Vec<f32> = turns
        .iter()
        .map(|turn| model.probability(&evidence(turn.score, &turn.cues, &turn.meaning, &Context::default())))
        .collect();
    let one = |turn: &Seen| {
        let earlier =
            |index: &usize| EarlierTurn { frustration: alone[*index], meaning: Gist::new(&turns[*index].meaning) };
        let context = Context {
            earlier: turn.earlier.iter().map(earlier).collect(),
            bot_missed: turn.bot_missed,
            turns: turn.earlier.len(),
        };
        evidence(turn.score, &turn.cues, &turn.meaning, &context)
    };
    turns.iter().map(one).collect()
}

/// Fits the context's weights on turns that are labelled frustrated or not, pulled to those of `start`.
pub(crate) fn fit_context(turns: &[Seen], frustrated: &[bool], start: &ContextModel) -> ContextModel {
    let pulled = names().map(|name| (start.weights.get(name).copied().unwrap_or(0.0), PULL));
    let start_weights: Vec<(f32, f64)> = std::iter::once((start.bias, BIAS_PULL)).chain(pulled).collect();
    let mut model = start.clone();
    for _ in 0..ROUNDS {
        let rows = gather(turns, &model).into_iter().zip(frustrated);
        let rows = rows.map(|(row, truth)| (std::iter::once(1.0).chain(row).collect(), *truth, 1.0));
        let mut found = fit_logistic(&rows.collect::<Vec<_>>(), &start_weights).into_iter();
        let bias = found.next().unwrap_or(start.bias);
        model = ContextModel { bias, weights: names().map(str::to_owned).zip(found).collect() };
    }
    model
}

/// The factor for the scores under which the truth is least surprising; every class counts the same.
pub(crate) fn choose_temperature(rows: &[Vec<f32>], truth: &[usize]) -> f32 {
    let mut sizes = [0.0_f64; 3];
    truth.iter().for_each(|class| sizes[*class] += 1.0);
    let loss = |factor: f32| -> f64 {
        let one = |(row, class): (&Vec<f32>, &usize)| {
            let scaled: Vec<f32> = row.iter().map(|score| score * factor).collect();
            -f64::from(softmax(&scaled)[*class].max(1e-9).ln()) / sizes[*class]
        };
        rows.iter().zip(truth).map(one).sum()
    };
    let factors = (4..=40).map(|step| step as f32 * 0.05);
    factors.min_by(|left, right| loss(*left).total_cmp(&loss(*right))).unwrap_or(1.0)
}

/// The threshold with the best F1, in hundredths from 0.30 to 0.80; of those that are as good within
/// chance the one nearest to a half, from where a probability says yes rather than no.
pub(crate) fn choose_threshold(scores: &[f32], truth: &[bool]) -> f32 {
    let rated: Vec<(f32, f64)> = (30..=80)
        .map(|step| step as f32 / 100.0)
        .map(|threshold| (threshold, metrics::f1(scores, truth, threshold)))
        .collect();
    let best = rated.iter().map(|(_, f1)| *f1).fold(0.0, f64::max);
    let good = rated.iter().filter(|(_, f1)| *f1 >= best - 0.005).map(|(threshold, _)| *threshold);
    good.min_by(|left, right| (left - 0.5).abs().total_cmp(&(right - 0.5).abs())).unwrap_or(0.5)
}

/// Multiplies a head's scores.
pub(crate) fn rescale(head: &mut Dense, factor: f32) {
    head.weight.iter_mut().chain(&mut head.bias).for_each(|value| *value *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::heads::sigmoid;
    use crate::random::Random;

    fn turns() -> (Vec<Seen>, Vec<bool>) {
        let mut random = Random::new(4);
        let seen = |random: &mut Random, index: usize| Seen {
            score: random.unit() * 4.0 - 2.0,
            cues: [0.0; CUES.len()],
            meaning: vec![1.0, 0.0],
            earlier: if index % 2 == 1 { vec![index - 1] } else { Vec::new() },
            bot_missed: index % 2 == 1 && random.unit() < 0.5,
        };
        let turns: Vec<Seen> = (0..800).map(|index| seen(&mut random, index)).collect();
        let label = |turn: &Seen| random.unit() < sigmoid(2.0 * turn.score + if turn.bot_missed { 2.0 } else { -1.0 });
        let truth = turns.iter().map(label).collect();
        (turns, truth)
    }

    #[test]
    fn the_fit_finds_what_made_the_labels_and_is_calibrated() {
        let (turns, truth) = turns();
        let model = fit_context(&turns, &truth, &ContextModel::default());
        assert!(model.is_whole());
        assert!((1.4..2.6).contains(&model.weights["text"]), "{model:?}");
        assert!(model.weights["bot_missed"] > 1.5 && model.weights["swearing"] == 0.0);
        let found: Vec<f32> = gather(&turns, &model).iter().map(|row| model.probability(row)).collect();
        let mean = found.iter().sum::<f32>() / found.len() as f32;
        let share = truth.iter().filter(|truth| **truth).count() as f32 / truth.len() as f32;
        assert!((mean - share).abs() < 0.01);
    }

    #[test]
    fn the_temperature_undoes_overconfidence() {
        let mut random = Random::new(9);
        let rows: Vec<Vec<f32>> = (0..3000).map(|_| (0..3).map(|_| random.unit() * 4.0).collect()).collect();
        let truth: Vec<usize> = rows
            .iter()
            .map(|row| {
                let (shares, at) = (softmax(row), random.unit());
                if at < shares[0] { 0 } else { 1 + usize::from(at >= shares[0] + shares[1]) }
            })
            .collect();
        let louder: Vec<Vec<f32>> = rows.iter().map(|row| row.iter().map(|score| score * 2.0).collect()).collect();
        assert!((choose_temperature(&louder, &truth) - 0.5).abs() < 0.11);
    }

    #[test]
    fn the_threshold_is_as_good_as_the_best_and_else_nearest_to_a_half() {
        let truth = [false, false, false, true, true];
        assert!((choose_threshold(&[0.1, 0.2, 0.35, 0.71, 0.9], &truth) - 0.5).abs() < 1e-6);
        assert!((choose_threshold(&[0.1, 0.2, 0.60, 0.71, 0.9], &truth) - 0.61).abs() < 0.011);
        assert!((choose_threshold(&[0.1, 0.2, 0.30, 0.42, 0.9], &truth) - 0.42).abs() < 0.011);
    }
}
