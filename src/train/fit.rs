//! Fits one head on cached features: a regression on all rows at once, inputs brought to mean 0 and
//! deviation 1 while fitting and the scaling folded into the weights afterwards.
//!
//! The loss is convex, so the result follows from the rows alone: no seed, no order, no luck.

use crate::nlu::heads::Dense;
use crate::nlu::regression::largest_curvature;
use anyhow::{Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops;

/// How the scores are compared with the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Each score on its own, through the logistic function.
    Sigmoid,
    /// Scores against one another.
    Softmax,
}

impl Loss {
    /// The most that the loss curves along a score.
    fn curvature(self) -> f64 {
        match self {
            Self::Sigmoid => 0.25,
            Self::Softmax => 0.5,
        }
    }
}

/// Rows to learn from.
pub(crate) struct Rows<'a> {
    /// `[rows, inputs]`.
    pub(crate) inputs: &'a Tensor,
    /// `[rows, outputs]`, each 0 to 1.
    pub(crate) targets: &'a Tensor,
    /// One per row: how much it counts.
    pub(crate) weights: &'a [f32],
    /// Scores `[rows, outputs]` that another head gives already: only what is to be added to them
    /// is learnt, so that a pull of the weights to zero is a pull to that head.
    pub(crate) known: Option<&'a Tensor>,
}

/// Steps of the descent; twice as many move no score by a hundredth.
pub(crate) const STEPS: usize = 250;

/// Minimises the summed loss and half `pull` times the squared weights (scikit-learn's `1 / C`) by
/// Nesterov's accelerated descent; `advance` is called after each step.
pub(crate) fn fit(rows: &Rows<'_>, loss: Loss, pull: f64, advance: impl Fn()) -> Result<Dense> {
    let (count, width) = rows.inputs.dims2()?;
    let outputs = rows.targets.dim(1)?;
    let total: f64 = rows.weights.iter().map(|weight| f64::from(*weight)).sum();
    ensure!(total > 0.0, "no row to learn from counts anything");
    let mean = rows.inputs.mean_keepdim(0)?;
    let spread = rows.inputs.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?.sqrt()?;
    let spread = (spread + 1e-4)?;
    let inputs = rows.inputs.broadcast_sub(&mean)?.broadcast_div(&spread)?;
    let shares: Vec<f32> = rows.weights.iter().map(|weight| (f64::from(*weight) / total) as f32).collect();
    let shares = Tensor::from_vec(shares, (count, 1), &Device::Cpu)?;
    let transposed = inputs.broadcast_mul(&shares)?.t()?.contiguous()?;
    let pull = pull / total;

    // The bias is an input that is always 1, and is not pulled. The margin covers what the search for
    // the largest curvature has not found yet; the column of ones can add no more than 1 to it.
    let rate = 1.0 / (1.1 * loss.curvature() * (largest_curvature(&inputs, &transposed)? + 1.0) + pull);
    let mut weight = Tensor::zeros((width, outputs), DType::F32, &Device::Cpu)?;
    let mut bias = starting_bias(rows, loss)?;
    let (mut ahead, mut ahead_bias) = (weight.clone(), bias.clone());
    for step in 0..STEPS {
        let mut scores = inputs.matmul(&ahead)?.broadcast_add(&ahead_bias)?;
        if let Some(known) = rows.known {
            scores = (scores + known)?;
        }
        let expected = match loss {
            Loss::Softmax => ops::softmax(&scores, D::Minus1)?,
            Loss::Sigmoid => ops::sigmoid(&scores)?,
        };
        let error = (expected - rows.targets)?;
        let next = (&ahead - ((transposed.matmul(&error)? + (&ahead * pull)?)? * rate)?)?;
        let next_bias = (&ahead_bias - (error.broadcast_mul(&shares)?.sum(0)? * rate)?)?;
        let pace = step as f64 / (step as f64 + 3.0);
        ahead = (&next + ((&next - &weight)? * pace)?)?;
        ahead_bias = (&next_bias + ((&next_bias - &bias)? * pace)?)?;
        (weight, bias) = (next, next_bias);
        advance();
    }
    fold(&weight, &bias, &mean, &spread)
}

/// The scores without any evidence: the targets' base rates, so that rare ones need not be unlearnt.
fn starting_bias(rows: &Rows<'_>, loss: Loss) -> Result<Tensor> {
    if rows.known.is_some() || loss == Loss::Softmax {
        return Ok(Tensor::zeros(rows.targets.dim(1)?, DType::F32, &Device::Cpu)?);
    }
    let rate = rows.targets.mean(0)?.clamp(1e-4, 1.0 - 1e-4)?;
    Ok((rate.log()? - rate.affine(-1.0, 1.0)?.log()?)?)
}

/// The layer for inputs as they are: w' = w / spread, b' = b - mean w'.
fn fold(weight: &Tensor, bias: &Tensor, mean: &Tensor, spread: &Tensor) -> Result<Dense> {
    let scaled = weight.broadcast_div(&spread.t()?)?;
    let shifted = (bias - mean.matmul(&scaled)?.squeeze(0)?)?;
    Ok(Dense { weight: scaled.t()?.flatten_all()?.to_vec1()?, bias: shifted.to_vec1()? })
}

/// Scores of many rows at once, `[rows, outputs]`.
pub(crate) fn scores(head: &Dense, inputs: &Tensor) -> Result<Tensor> {
    let weight = Tensor::from_slice(&head.weight, (head.bias.len(), head.inputs()), &Device::Cpu)?;
    let bias = Tensor::from_slice(&head.bias, head.bias.len(), &Device::Cpu)?;
    Ok(inputs.matmul(&weight.t()?)?.broadcast_add(&bias)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// 80 points far from the origin; the target is 1 where the coordinates' shifts add up to more than 0.
    fn points() -> (Tensor, Tensor) {
        let mut random = Random::new(5);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..80 {
            let (x, y) = (random.unit() - 0.5, random.unit() - 0.5);
            inputs.extend([100.0 + x, 0.01 * y]);
            targets.push(f32::from(u8::from(x + y > 0.0)));
        }
        let tensor = |values, width| Tensor::from_vec(values, (80, width), &Device::Cpu).unwrap();
        (tensor(inputs, 2), tensor(targets, 1))
    }

    #[test]
    fn a_line_is_learnt_whatever_the_scale_of_the_inputs() {
        let (inputs, targets) = points();
        let rows = Rows { inputs: &inputs, targets: &targets, weights: &[1.0; 80], known: None };
        let head = fit(&rows, Loss::Sigmoid, 0.1, || ()).unwrap();
        let truth = targets.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // Through the served path too: folding must not change what was learnt.
        let rows = inputs.to_vec2::<f32>().unwrap();
        let right = rows.iter().zip(&truth).filter(|(row, truth)| (head.apply(row)[0] > 0.0) == (**truth > 0.5));
        assert!(right.count() as f64 / 80.0 > 0.95);
    }

    #[test]
    fn what_is_known_already_is_not_learnt_again() {
        let (inputs, targets) = points();
        let known = ((&targets * 40.0).unwrap() - 20.0).unwrap();
        let rows = Rows { inputs: &inputs, targets: &targets, weights: &[1.0; 80], known: Some(&known) };
        let head = fit(&rows, Loss::Sigmoid, 0.1, || ()).unwrap();
        let added = scores(&head, &inputs).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(added.iter().all(|added| added.abs() < 2.0), "{added:?}");
    }

    #[test]
    fn the_mean_probability_is_the_base_rate_under_any_pull() {
        let (inputs, targets) = points();
        let weights: Vec<f32> = (0..80).map(|row| if row % 2 == 0 { 3.0 } else { 1.0 }).collect();
        let truth = targets.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let rate: f32 = truth.iter().zip(&weights).map(|(truth, weight)| truth * weight).sum::<f32>() / 160.0;
        let mean = |pull: f64| {
            let rows = Rows { inputs: &inputs, targets: &targets, weights: &weights, known: None };
            let head = fit(&rows, Loss::Sigmoid, pull, || ()).unwrap();
            let found = ops::sigmoid(&scores(&head, &inputs).unwrap()).unwrap().flatten_all().unwrap();
            let found = found.to_vec1::<f32>().unwrap();
            let (low, high) = found.iter().fold((1.0_f32, 0.0_f32), |(low, high), at| (low.min(*at), high.max(*at)));
            let mean: f32 = found.iter().zip(&weights).map(|(found, weight)| found * weight).sum::<f32>() / 160.0;
            (mean, high - low)
        };
        let ((free, wide), (pulled, narrow)) = (mean(0.1), mean(1e4));
        assert!((free - rate).abs() < 0.01 && (pulled - rate).abs() < 0.01, "{free} {pulled} {rate}");
        assert!(narrow < 0.1 * wide);
    }
}
