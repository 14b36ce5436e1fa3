//! Fits the hidden layer that intents are told apart by where hundreds of phrases of each are known.
//!
//! One linear step from a meaning to an intent is the best that ten phrases can teach. Where people have put one
//! thing in a hundred ways, an intent is several groups of meanings, and a layer between (Rosenblatt's oldest cure)
//! gets a tenth to a quarter of the wrong ones right. Knows vectors and classes, not texts.

use super::regression::{Fitted, Layer};
use crate::random::Random;
use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::ops::log_softmax;
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

/// Phrases of a class, on average, from which a hidden layer tells more than none. On ten (banking77) it gets a
/// hundredth less right, on a hundred (our own, by writers left out) two hundredths more.
const ENOUGH: usize = 60;
/// Numbers between the inputs and the classes. With half as many it reads a hundredth less, with twice as many the same.
const WIDTH: usize = 512;
/// Passes over the phrases; twice as many gain nothing.
const PASSES: usize = 10;
/// Phrases of a step.
const BATCH: usize = 256;
/// Largest step size, reached after [`WARM_UP`] of the steps; it falls to zero at the end.
const RATE: f64 = 4e-3;
const WARM_UP: f64 = 0.3;
/// Pull of the weights to zero.
const DECAY: f64 = 0.05;
/// Share of the inputs and of the layer's numbers that a step leaves out.
const DROPPED: [f32; 2] = [0.1, 0.4];
/// Share of a phrase's weight that is dealt to all classes: some labels are wrong.
const SMOOTHING: f32 = 0.1;
/// Where the order of the phrases begins.
const SEED: u64 = 7;

/// Whether so many phrases are enough for so many classes.
pub(crate) fn is_enough(phrases: usize, classes: usize) -> bool {
    phrases >= ENOUGH * classes
}

/// Fits a hidden layer and the classes on top of it over the chosen rows.
pub(crate) fn fit(inputs: &[Vec<f32>], owners: &[usize], chosen: &[usize], classes: usize) -> Result<Fitted> {
    let width = inputs.first().map_or(0, Vec::len);
    let (mean, scale) = spread(inputs, chosen, width);
    let mut random = Random::new(SEED);
    let first = Var::from_tensor(&spawn((width, WIDTH), &mut random)?)?;
    let second = Var::from_tensor(&spawn((WIDTH, classes), &mut random)?)?;
    let first_bias = Var::zeros(WIDTH, DType::F32, &Device::Cpu)?;
    let second_bias = Var::zeros(classes, DType::F32, &Device::Cpu)?;
    let variables = vec![first.clone(), second.clone(), first_bias.clone(), second_bias.clone()];
    let settings = ParamsAdamW { lr: RATE, weight_decay: DECAY, ..ParamsAdamW::default() };
    let mut optimiser = AdamW::new(variables, settings)?;

    let weights = weigh(owners, chosen, classes);
    let batch = |rows: &[usize]| -> Result<Tensor> {
        let values =
            rows.iter().flat_map(|row| inputs[*row].iter().zip(&mean).map(|(value, mean)| (value - mean) * scale));
        Tensor::from_vec(values.collect::<Vec<f32>>(), (rows.len(), width), &Device::Cpu)
    };
    let hidden = |input: &Tensor| input.matmul(&first)?.broadcast_add(&first_bias)?.relu();
    let scores = |hidden: &Tensor| hidden.matmul(&second)?.broadcast_add(&second_bias);
    let steps = (PASSES * chosen.len().div_ceil(BATCH)) as f64;
    let mut step = 0.0;
    for _ in 0..PASSES {
        let order: Vec<usize> = random.order(chosen.len()).into_iter().map(|at| chosen[at]).collect();
        for rows in order.chunks(BATCH) {
            let mut truth = Vec::with_capacity(rows.len() * classes);
            for row in rows {
                let share =
                    |class| SMOOTHING / classes as f32 + if class == owners[*row] { 1.0 - SMOOTHING } else { 0.0 };
                truth.extend((0..classes).map(|class| weights[owners[*row]] * share(class)));
            }
            let truth = Tensor::from_vec(truth, (rows.len(), classes), &Device::Cpu)?;
            let input = drop_out(&batch(rows)?, DROPPED[0], &mut random)?;
            let found = scores(&drop_out(&hidden(&input)?, DROPPED[1], &mut random)?)?;
            let loss = (log_softmax(&found, D::Minus1)? * truth)?.sum_all()?.neg()? / rows.len() as f64;
            let done: f64 = step / steps;
            let height = (done / WARM_UP).min((1.0 - done) / (1.0 - WARM_UP));
            optimiser.set_learning_rate(RATE * height.max(1e-3));
            optimiser.backward_step(&loss?)?;
            step += 1.0;
        }
    }

    let mut squares = 0.0_f64;
    for rows in chosen.chunks(BATCH) {
        let found = scores(&hidden(&batch(rows)?)?)?;
        let centred = found.broadcast_sub(&found.mean_keepdim(1)?)?;
        squares += f64::from(centred.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    // What was done to the inputs goes into the layer, so that whoever reads need not know of it.
    let scaled = (first.as_tensor() * f64::from(scale))?;
    let shift = Tensor::from_vec(mean, (1, width), &Device::Cpu)?.matmul(&scaled)?.squeeze(0)?;
    let layer = |weights: &Tensor, bias: &Tensor| -> Result<Layer> {
        Ok(Layer { weights: weights.t()?.flatten_all()?.to_vec1()?, bias: bias.to_vec1()? })
    };
    Ok(Fitted {
        hidden: layer(&scaled, &(first_bias.as_tensor() - shift)?)?,
        classes: layer(&second, &second_bias)?,
        deviation: ((squares / (chosen.len() * classes) as f64).sqrt() as f32).max(1e-6),
    })
}

/// What a phrase of each class counts: a class of four times as many phrases counts twice as much as a whole, so that
/// the many that mean no intent neither drown the few of one nor count for nothing.
fn weigh(owners: &[usize], chosen: &[usize], classes: usize) -> Vec<f32> {
    let mut sizes = vec![0_usize; classes];
    chosen.iter().for_each(|row| sizes[owners[*row]] += 1);
    let mean = chosen.len() as f32 / classes as f32;
    sizes.into_iter().map(|size| (mean / size.max(1) as f32).sqrt()).collect()
}

/// Mean of the inputs by place, and the factor under which they deviate by 1.
fn spread(inputs: &[Vec<f32>], chosen: &[usize], width: usize) -> (Vec<f32>, f32) {
    let mut mean = vec![0.0_f32; width];
    for row in chosen {
        mean.iter_mut().zip(&inputs[*row]).for_each(|(sum, value)| *sum += value / chosen.len() as f32);
    }
    let square = |row: &usize| -> f64 {
        inputs[*row].iter().zip(&mean).map(|(value, mean)| f64::from((value - mean) * (value - mean))).sum()
    };
    let squares: f64 = chosen.iter().map(square).sum();
    let deviation = (squares / (chosen.len() * width).max(1) as f64).sqrt() as f32;
    (mean, 1.0 / deviation.max(1e-6))
}

/// Uniform starting weights (He and others, 2015): so wide that a layer neither swells nor fades.
fn spawn((from, to): (usize, usize), random: &mut Random) -> Result<Tensor> {
    let reach = (1.0 / from as f32).sqrt();
    let values = (0..from * to).map(|_| reach * (2.0 * random.unit() - 1.0)).collect();
    Tensor::from_vec(values, (from, to), &Device::Cpu)
}

fn drop_out(values: &Tensor, share: f32, random: &mut Random) -> Result<Tensor> {
    let keep = 1.0 / (1.0 - share);
    let mask: Vec<f32> = (0..values.elem_count()).map(|_| if random.unit() < share { 0.0 } else { keep }).collect();
    values * Tensor::from_vec(mask, values.shape(), &Device::Cpu)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::regression::Regression;

    /// Two classes that no line tells apart: points where two signs are the same, and where they are not.
    #[test]
    fn a_hidden_layer_tells_apart_what_a_line_cannot() {
        let point = |at: usize| {
            let sign = |bit: usize| if at >> bit & 1 == 1 { 1.0_f32 } else { -1.0 };
            let noise = |by: usize| ((at * by) % 17) as f32 / 40.0;
            vec![sign(0) + noise(7), sign(1) - noise(11)]
        };
        let inputs: Vec<Vec<f32>> = (0..800).map(point).collect();
        let owners: Vec<usize> = (0..800).map(|at| usize::from(at & 1 == at >> 1 & 1)).collect();
        let chosen: Vec<usize> = (0..800).collect();
        assert!(is_enough(chosen.len(), 2) && !is_enough(100, 2));
        let fitted = fit(&inputs, &owners, &chosen, 2).unwrap();
        let read = Regression::restore(&fitted).unwrap();
        let right = |at: &usize| {
            let scores = read.scores(&inputs[*at]);
            usize::from(scores[1] > scores[0]) == owners[*at]
        };
        assert!(chosen.iter().filter(|at| right(at)).count() > 790);
    }
}
