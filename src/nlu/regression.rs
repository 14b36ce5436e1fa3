//! The two regressions behind intents: a multinomial one over thousands of phrases, on candle, with a hidden layer
//! below it where there are enough of them, and a logistic one over a few numbers. Knows vectors and classes, not texts.

use super::heads::{dot, sigmoid};
use super::hidden;
use candle_core::{D, DType, Device, Error, Result, Tensor};
use encoder::Table;

/// Weight of the squared weights against the mean loss. Chosen on the training splits of banking77
/// and CLINC150, ten phrases an intent; accuracy is flat from a third to the double.
const PENALTY: f64 = 3e-5;
/// Steps of the accelerated descent; twice as many change accuracy by less than chance does.
const STEPS: usize = 50;
/// Value of the column that carries the bias, about as large as an embedding's own values.
const BIAS: f32 = 0.1;
/// Steps of the power iteration that finds the loss's curvature.
const CURVATURE_STEPS: usize = 15;

/// Weights of inputs and biases, ready to be multiplied.
struct Rows {
    weights: Table,
    bias: Vec<f32>,
}

impl Rows {
    fn new(layer: &Layer) -> Option<Self> {
        let width = layer.weights.len().checked_div(layer.bias.len())?;
        let sound = layer.weights.len() == layer.bias.len() * width
            && layer.weights.iter().chain(&layer.bias).all(|number| number.is_finite());
        let weights = Table::new(&layer.weights, width).ok().filter(|_| sound)?;
        Some(Self { weights, bias: layer.bias.clone() })
    }

    fn apply(&self, input: &[f32]) -> impl Iterator<Item = f32> {
        self.weights.products(input).into_iter().zip(&self.bias).map(|(product, bias)| product + bias)
    }

    fn layer(&self) -> Layer {
        Layer { weights: self.weights.rows().flatten().copied().collect(), bias: self.bias.clone() }
    }
}

/// Scores of classes, with or without a hidden layer.
#[derive(Default)]
pub(crate) struct Regression {
    hidden: Option<Rows>,
    classes: Option<Rows>,
    /// Deviation of a row's scores, by which scores are divided.
    deviation: f32,
}

/// A row of weights and a bias for each output.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layer {
    /// The rows, one after the other.
    pub(crate) weights: Vec<f32>,
    /// One per output.
    pub(crate) bias: Vec<f32>,
}

/// A fitted regression as plain numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fitted {
    /// The hidden layer; without outputs there is none.
    pub(crate) hidden: Layer,
    /// The classes.
    pub(crate) classes: Layer,
    /// Deviation of a row's scores.
    pub(crate) deviation: f32,
}

impl Fitted {
    /// Inputs and classes.
    pub(crate) fn shape(&self) -> (usize, usize) {
        let bottom = if self.hidden.bias.is_empty() { &self.classes } else { &self.hidden };
        (bottom.weights.len().checked_div(bottom.bias.len()).unwrap_or(0), self.classes.bias.len())
    }
}

impl Regression {
    /// Fits the chosen rows, with a hidden layer if they are enough.
    pub(crate) fn fit(inputs: &[Vec<f32>], owners: &[usize], chosen: &[usize], classes: usize) -> Result<Self> {
        let fitted = if hidden::is_enough(chosen.len(), classes) {
            hidden::fit(inputs, owners, chosen, classes)?
        } else {
            Self::fit_linear(inputs, owners, chosen, classes)?
        };
        Self::restore(&fitted).ok_or_else(|| Error::msg("the fit has no sound numbers"))
    }

    /// Minimises the class-balanced logistic loss over the chosen rows by Nesterov's accelerated
    /// descent on inputs with their mean taken off. What all rows share would otherwise dwarf what
    /// tells them apart, and the step, which follows the largest curvature, would be far too small.
    fn fit_linear(inputs: &[Vec<f32>], owners: &[usize], chosen: &[usize], classes: usize) -> Result<Fitted> {
        let width = inputs.first().map_or(0, Vec::len);
        let mut sizes = vec![0_usize; classes];
        let mut mean = vec![0.0_f32; width];
        for index in chosen {
            sizes[owners[*index]] += 1;
            mean.iter_mut().zip(&inputs[*index]).for_each(|(sum, value)| *sum += value / chosen.len() as f32);
        }
        let present = sizes.iter().filter(|size| **size > 0).count();
        let mut rows = Vec::with_capacity(chosen.len() * (width + 1));
        let mut truth = vec![0.0_f32; chosen.len() * classes];
        let mut shares = Vec::with_capacity(chosen.len());
        for (row, index) in chosen.iter().enumerate() {
            let owner = owners[*index];
            rows.extend(inputs[*index].iter().zip(&mean).map(|(value, mean)| value - mean));
            rows.push(BIAS);
            truth[row * classes + owner] = 1.0;
            shares.push(1.0 / (present * sizes[owner]) as f32);
        }
        let device = &Device::Cpu;
        let rows = Tensor::from_vec(rows, (chosen.len(), width + 1), device)?;
        let truth = Tensor::from_vec(truth, (chosen.len(), classes), device)?;
        let shares = Tensor::from_vec(shares, (chosen.len(), 1), device)?;
        let transposed = rows.broadcast_mul(&shares)?.t()?.contiguous()?;

        // Softmax curves by at most 1/2; the margin covers what the iteration has not found yet.
        let step = 1.0 / (0.55 * largest_curvature(&rows, &transposed)? + PENALTY);
        let mut weights = Tensor::zeros((width + 1, classes), DType::F32, device)?;
        let mut ahead = weights.clone();
        let mut pace = 1.0_f64;
        for _ in 0..STEPS {
            let error = (candle_nn::ops::softmax(&rows.matmul(&ahead)?, D::Minus1)? - &truth)?;
            let slope = (transposed.matmul(&error)? + (&ahead * PENALTY)?)?;
            let next = (&ahead - (slope * step)?)?;
            let quicker = (1.0 + (1.0 + 4.0 * pace * pace).sqrt()) / 2.0;
            ahead = (&next + ((&next - &weights)? * ((pace - 1.0) / quicker))?)?;
            (weights, pace) = (next, quicker);
        }
        let scores = rows.matmul(&weights)?;
        let spread = scores.broadcast_sub(&scores.mean_keepdim(1)?)?.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt();
        let offset: Vec<f32> = weights.get(width)?.to_vec1()?;
        let weights: Vec<Vec<f32>> = weights.narrow(0, 0, width)?.t()?.to_vec2()?;
        let bias = weights.iter().zip(offset).map(|(row, offset)| offset * BIAS - dot(row, &mean)).collect();
        let classes = Layer { weights: weights.concat(), bias };
        Ok(Fitted { hidden: Layer::default(), classes, deviation: spread.max(1e-6) })
    }

    /// A regression that was fitted before; none if the numbers do not fit one another.
    pub(crate) fn restore(fitted: &Fitted) -> Option<Self> {
        let hidden = if fitted.hidden.bias.is_empty() { None } else { Some(Rows::new(&fitted.hidden)?) };
        let classes = Rows::new(&fitted.classes)?;
        let above = fitted.classes.weights.len() / fitted.classes.bias.len();
        let sound = fitted.deviation > 0.0
            && fitted.deviation.is_finite()
            && hidden.as_ref().is_none_or(|hidden| hidden.bias.len() == above);
        sound.then_some(Self { hidden, classes: Some(classes), deviation: fitted.deviation })
    }

    /// The numbers that [`Regression::restore`] makes the same regression from.
    pub(crate) fn fitted(&self) -> Fitted {
        let layer = |rows: &Option<Rows>| rows.as_ref().map(Rows::layer).unwrap_or_default();
        Fitted { hidden: layer(&self.hidden), classes: layer(&self.classes), deviation: self.deviation }
    }

    /// Scores of an input, one per class.
    pub(crate) fn scores(&self, input: &[f32]) -> Vec<f32> {
        let Some(classes) = &self.classes else { return Vec::new() };
        let scale = |score: f32| score / self.deviation;
        match &self.hidden {
            Some(hidden) => {
                let inner: Vec<f32> = hidden.apply(input).map(|value| value.max(0.0)).collect();
                classes.apply(&inner).map(scale).collect()
            }
            None => classes.apply(input).map(scale).collect(),
        }
    }
}

/// Largest eigenvalue of `transposed * inputs`, nearly: the power iteration nears it from below.
pub(crate) fn largest_curvature(inputs: &Tensor, transposed: &Tensor) -> Result<f64> {
    let mut direction = Tensor::ones((inputs.dim(1)?, 1), DType::F32, &Device::Cpu)?;
    let mut largest = 1.0;
    for _ in 0..CURVATURE_STEPS {
        direction = transposed.matmul(&inputs.matmul(&direction)?)?;
        largest = f64::from(direction.sqr()?.sum_all()?.to_scalar::<f32>()?.sqrt()).max(1e-12);
        direction = (direction / largest)?;
    }
    Ok(largest)
}

/// Newton's steps; it converges in fewer.
const NEWTON: usize = 25;

/// Weights of a logistic regression over rows of a few numbers each, by Newton's method. A row is
/// its numbers, whether it is true, and how much it counts. `start` has for each number the weight
/// that it starts from and the pull back to that, above 0, against the summed loss.
pub(crate) fn fit_logistic(rows: &[(Vec<f32>, bool, f32)], start: &[(f32, f64)]) -> Vec<f32> {
    let width = start.len();
    let mut weights: Vec<f32> = start.iter().map(|(weight, _)| *weight).collect();
    for _ in 0..NEWTON {
        let pulled = weights.iter().zip(start);
        let mut slope: Vec<f64> = pulled.map(|(weight, (start, pull))| pull * f64::from(weight - start)).collect();
        let mut curvature = vec![vec![0.0_f64; width]; width];
        (0..width).for_each(|at| curvature[at][at] = start[at].1);
        for (row, truth, counts) in rows {
            let (share, counts) = (f64::from(sigmoid(dot(&weights, row))), f64::from(*counts));
            let error = counts * (share - f64::from(u8::from(*truth)));
            for (left, value) in row.iter().enumerate() {
                slope[left] += error * f64::from(*value);
                for (right, other) in row.iter().enumerate() {
                    curvature[left][right] += counts * share * (1.0 - share) * f64::from(*value) * f64::from(*other);
                }
            }
        }
        let step = solve(curvature, slope);
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight -= step as f32);
    }
    weights
}

/// Solves a small positive definite system by Gaussian elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for pivot in 0..size {
        let (above, below) = matrix.split_at_mut(pivot + 1);
        let chosen = &above[pivot];
        for (row, at) in below.iter_mut().zip(pivot + 1..) {
            let factor = row[pivot] / chosen[pivot];
            row.iter_mut().zip(chosen).for_each(|(value, chosen)| *value -= factor * chosen);
            right[at] -= factor * right[pivot];
        }
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newton_finds_the_weights_that_made_the_labels() {
        let row = |at: usize| vec![((at * 37) % 101) as f32 / 50.0 - 1.0, ((at * 53) % 89) as f32 / 44.0 - 1.0, 1.0];
        let share = |row: &[f32]| sigmoid(2.0 * row[0] - row[1] + 0.5);
        let labelled = |at: usize| {
            let row = row(at);
            let truth = ((at * 7919) % 1000) as f32 / 1000.0 < share(&row);
            (row, truth, 1.0)
        };
        let rows: Vec<_> = (0..4000).map(labelled).collect();
        let found = fit_logistic(&rows, &[(0.0, 0.5); 3]);
        for (found, made) in found.iter().zip([2.0, -1.0, 0.5]) {
            assert!((found - made).abs() < 0.25, "{found} and {made}");
        }
        let held = fit_logistic(&rows, &[(0.0, 0.5), (3.0, 1e6), (0.0, 0.5)]);
        assert!((held[1] - 3.0).abs() < 0.01, "a strong pull holds a weight where it starts: {held:?}");
    }

    #[test]
    fn a_system_is_solved() {
        let found = solve(vec![vec![4.0, 1.0], vec![1.0, 3.0]], vec![1.0, 2.0]);
        assert!((found[0] - 1.0 / 11.0).abs() < 1e-12 && (found[1] - 7.0 / 11.0).abs() < 1e-12);
    }
}
