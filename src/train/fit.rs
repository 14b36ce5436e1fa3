//! Fits one head on cached features: AdamW over shuffled batches, a linear layer or one small
//! hidden layer, inputs brought to mean 0 and deviation 1 while training and the scaling folded
//! into the weights afterwards.

use super::random::Random;
use crate::nlu::heads::{Dense, Head};
use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, ops};

/// How the scores are compared with the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Each score on its own, through the logistic function.
    Sigmoid,
    /// Scores against one another.
    Softmax,
}

/// Settings of one fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Comparison.
    pub(crate) loss: Loss,
    /// Width of the hidden layer; 0 for none.
    pub(crate) hidden: usize,
    /// Passes over the rows.
    pub(crate) epochs: usize,
    /// Rows of a step.
    pub(crate) batch: usize,
    /// First step size; it falls to zero along a straight line.
    pub(crate) rate: f64,
    /// Pull of the weights to zero.
    pub(crate) decay: f64,
    /// Share of the inputs (and of the hidden values) that each step leaves out.
    pub(crate) dropout: f32,
    /// Seed of weights, order and dropout.
    pub(crate) seed: u64,
}

/// Rows to learn from.
pub(crate) struct Rows<'a> {
    /// `[rows, inputs]`.
    pub(crate) inputs: &'a Tensor,
    /// `[rows, outputs]`, each 0 to 1.
    pub(crate) targets: &'a Tensor,
    /// One per row: how much it counts.
    pub(crate) weights: &'a [f32],
}

/// Fits a head; `advance` is called after each epoch.
pub(crate) fn fit(rows: &Rows<'_>, settings: &Settings, advance: impl Fn()) -> Result<Head> {
    let (count, width) = rows.inputs.dims2()?;
    let outputs = rows.targets.dim(1)?;
    let mut random = Random::new(settings.seed);
    let mean = rows.inputs.mean_keepdim(0)?;
    let spread = rows.inputs.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?.sqrt()?;
    let spread = (spread + 1e-4)?;
    let inputs = rows.inputs.broadcast_sub(&mean)?.broadcast_div(&spread)?;

    let mut layer = |from: usize, to: usize, scale: f32| -> Result<(Var, Var)> {
        let values: Vec<f32> = (0..from * to).map(|_| (random.unit() * 2.0 - 1.0) * scale).collect();
        let weight = Var::from_tensor(&Tensor::from_vec(values, (from, to), &Device::Cpu)?)?;
        Ok((weight, Var::zeros(to, DType::F32, &Device::Cpu)?))
    };
    let layers = if settings.hidden == 0 {
        vec![layer(width, outputs, 0.0)?]
    } else {
        vec![
            layer(width, settings.hidden, (6.0 / width as f32).sqrt())?,
            layer(settings.hidden, outputs, (3.0 / settings.hidden as f32).sqrt())?,
        ]
    };
    let variables = layers.iter().flat_map(|(weight, bias)| [weight.clone(), bias.clone()]).collect();
    let parameters = ParamsAdamW { lr: settings.rate, weight_decay: settings.decay, ..ParamsAdamW::default() };
    let mut optimiser = AdamW::new(variables, parameters)?;

    // Divided by the mean, not by each batch's own sum: a batch of unimportant rows stays unimportant.
    let mean_weight = rows.weights.iter().sum::<f32>() / count as f32;
    let steps = settings.epochs * count.div_ceil(settings.batch);
    let mut step = 0;
    for _ in 0..settings.epochs {
        for chunk in random.order(count).chunks(settings.batch) {
            let index: Vec<u32> = chunk.iter().map(|row| *row as u32).collect();
            let index = Tensor::from_vec(index, chunk.len(), &Device::Cpu)?;
            let weights: Vec<f32> = chunk.iter().map(|row| rows.weights[*row] / mean_weight).collect();
            let weights = Tensor::from_vec(weights, (chunk.len(), 1), &Device::Cpu)?;
            let mut state = drop_out(&inputs.index_select(&index, 0)?, settings.dropout, &mut random)?;
            for (depth, (weight, bias)) in layers.iter().enumerate() {
                if depth > 0 {
                    state = drop_out(&state.relu()?, settings.dropout, &mut random)?;
                }
                state = state.matmul(weight)?.broadcast_add(bias)?;
            }
            let losses = compare(&state, &rows.targets.index_select(&index, 0)?, settings.loss)?;
            let loss = (losses.broadcast_mul(&weights)?.sum_all()? / chunk.len() as f64)?;
            optimiser.set_learning_rate(settings.rate * (1.0 - step as f64 / steps as f64));
            optimiser.backward_step(&loss)?;
            step += 1;
        }
        advance();
    }
    let mut folded = layers.iter().enumerate().map(|(depth, (weight, bias))| match depth {
        0 => fold(weight, bias, &mean, &spread),
        _ => dense(weight, bias),
    });
    let first = folded.next().context("a head has a layer")??;
    Ok(match folded.next() {
        None => Head { hidden: None, output: first },
        Some(output) => Head { hidden: Some(first), output: output? },
    })
}

/// Loss of each score, `[rows, outputs]`.
fn compare(scores: &Tensor, targets: &Tensor, loss: Loss) -> Result<Tensor> {
    Ok(match loss {
        Loss::Softmax => (ops::log_softmax(scores, D::Minus1)? * targets)?.neg()?,
        // max(s, 0) - s t + ln(1 + e^-|s|): exact for large scores of either sign.
        Loss::Sigmoid => ((scores.relu()? - (scores * targets)?)? + (scores.abs()?.neg()?.exp()? + 1.0)?.log()?)?,
    })
}

fn drop_out(values: &Tensor, share: f32, random: &mut Random) -> Result<Tensor> {
    if share == 0.0 {
        return Ok(values.clone());
    }
    let keep = 1.0 / (1.0 - share);
    let mask: Vec<f32> = (0..values.elem_count()).map(|_| if random.unit() < share { 0.0 } else { keep }).collect();
    Ok((values * Tensor::from_vec(mask, values.shape(), &Device::Cpu)?)?)
}

/// The layer for inputs as they are: w' = w / spread, b' = b - mean w'.
fn fold(weight: &Tensor, bias: &Tensor, mean: &Tensor, spread: &Tensor) -> Result<Dense> {
    let scaled = weight.broadcast_div(&spread.t()?)?;
    let shifted = (bias - mean.matmul(&scaled)?.squeeze(0)?)?;
    dense(&scaled, &shifted)
}

fn dense(weight: &Tensor, bias: &Tensor) -> Result<Dense> {
    Ok(Dense { weight: weight.t()?.flatten_all()?.to_vec1()?, bias: bias.to_vec1()? })
}

/// Scores of many rows at once: `[rows, outputs]` as one vector per row.
pub(crate) fn scores(head: &Head, inputs: &Tensor) -> Result<Vec<Vec<f32>>> {
    let apply = |layer: &Dense, inputs: &Tensor| -> Result<Tensor> {
        let weight = Tensor::from_slice(&layer.weight, (layer.bias.len(), layer.inputs()), &Device::Cpu)?;
        let bias = Tensor::from_slice(&layer.bias, layer.bias.len(), &Device::Cpu)?;
        Ok(inputs.matmul(&weight.t()?)?.broadcast_add(&bias)?)
    };
    let middle = match &head.hidden {
        Some(hidden) => apply(hidden, inputs)?.relu()?,
        None => inputs.clone(),
    };
    Ok(apply(&head.output, &middle)?.to_vec2()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        loss: Loss::Sigmoid,
        hidden: 0,
        epochs: 60,
        batch: 16,
        rate: 0.05,
        decay: 0.0,
        dropout: 0.0,
        seed: 3,
    };

    /// 80 points far from the origin; the target is 1 where the two coordinates' shifts agree.
    fn points(exclusive: bool) -> (Tensor, Tensor) {
        let mut random = Random::new(5);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..80 {
            let (x, y) = (random.unit() - 0.5, random.unit() - 0.5);
            inputs.extend([100.0 + x, 0.01 * y]);
            targets.push(f32::from(u8::from(if exclusive { (x > 0.0) == (y > 0.0) } else { x + y > 0.0 })));
        }
        let tensor = |values, width| Tensor::from_vec(values, (80, width), &Device::Cpu).unwrap();
        (tensor(inputs, 2), tensor(targets, 1))
    }

    fn share_right(exclusive: bool, settings: &Settings) -> f64 {
        let (inputs, targets) = points(exclusive);
        let head = fit(&Rows { inputs: &inputs, targets: &targets, weights: &[1.0; 80] }, settings, || ()).unwrap();
        let truth = targets.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // Through the served path too: folding must not change what was learnt.
        let rows = inputs.to_vec2::<f32>().unwrap();
        let right = rows.iter().zip(&truth).filter(|(row, truth)| (head.apply(row)[0] > 0.0) == (**truth > 0.5));
        right.count() as f64 / 80.0
    }

    #[test]
    fn a_line_is_learnt_whatever_the_scale_of_the_inputs() {
        assert!(share_right(false, &SETTINGS) > 0.95);
    }

    #[test]
    fn what_no_line_separates_needs_the_hidden_layer() {
        assert!(share_right(true, &SETTINGS) < 0.75);
        assert!(share_right(true, &Settings { hidden: 16, epochs: 300, ..SETTINGS }) > 0.9);
    }

    #[test]
    fn a_seed_repeats_a_fit_exactly() {
        let (inputs, targets) = points(false);
        let settings = Settings { hidden: 4, dropout: 0.2, epochs: 3, ..SETTINGS };
        let once = || fit(&Rows { inputs: &inputs, targets: &targets, weights: &[1.0; 80] }, &settings, || ()).unwrap();
        assert_eq!(once(), once());
    }
}
