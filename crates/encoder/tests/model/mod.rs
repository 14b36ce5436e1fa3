//! Random models, and the same formulas in plain f64 without any rounding to levels.

use encoder::{Config, EmbeddingWeights, LayerWeights, Linear, Matrix, Norm, Part, Tap, Text, Weights};

/// Uniform values around 0, the same for the same seed.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// About normally distributed.
    pub(crate) fn value(&mut self) -> f32 {
        let mut uniform = || self.draw() as f32 / (1_u64 << 30) as f32 - 1.0;
        uniform() + uniform() + uniform()
    }

    pub(crate) fn values(&mut self, count: usize, size: f32) -> Vec<f32> {
        (0..count).map(|_| self.value() * size).collect()
    }

    pub(crate) fn matrix(&mut self, rows: usize, columns: usize, size: f32) -> Matrix {
        Matrix::from_f32(rows, columns, &self.values(rows * columns, size), &[])
    }

    fn linear(&mut self, outputs: usize, inputs: usize, size: f32) -> Linear {
        Linear {
            weight: self.matrix(outputs, inputs, size / (inputs as f32).sqrt()),
            bias: self.values(outputs, 0.1 * size),
        }
    }

    fn norm(&mut self, width: usize) -> Norm {
        Norm {
            scale: self.values(width, 0.1).iter().map(|value| 1.0 + value).collect(),
            shift: self.values(width, 0.1),
        }
    }

    fn layer(&mut self, config: &Config, size: f32) -> LayerWeights {
        let (width, wide) = (config.hidden, config.intermediate);
        LayerWeights {
            query: self.linear(width, width, size),
            key: self.linear(width, width, size),
            value: self.linear(width, width, size),
            attended: self.linear(width, width, size),
            attention_norm: self.norm(width),
            widen: self.linear(wide, width, size),
            narrow: self.linear(width, wide, size),
            norm: self.norm(width),
        }
    }

    /// A model with so many layers in its trunk and in each top.
    pub(crate) fn weights(&mut self, config: &Config, trunk: usize, tops: &[usize], size: f32) -> Weights {
        let embeddings = EmbeddingWeights {
            words: self.matrix(config.vocabulary, config.hidden, 1.0),
            positions: self.matrix(config.positions, config.hidden, 0.5),
            token_type: self.values(config.hidden, 0.1),
            norm: self.norm(config.hidden),
        };
        let trunk = (0..trunk).map(|_| self.layer(config, size)).collect();
        let tops = tops.iter().map(|depth| (0..*depth).map(|_| self.layer(config, size)).collect()).collect();
        Weights { embeddings, trunk, tops }
    }

    pub(crate) fn ids(&mut self, config: &Config, count: usize) -> Vec<u32> {
        (0..count).map(|_| (self.draw() % config.vocabulary as u64) as u32).collect()
    }
}

/// Every layer of a model as a tap.
pub(crate) fn all_taps(weights: &Weights) -> Vec<Tap> {
    let trunk = (0..weights.trunk.len()).map(|layer| Tap { part: Part::Trunk, layer });
    let tops = weights.tops.iter().enumerate();
    let tops = tops.flat_map(|(top, layers)| (0..layers.len()).map(move |layer| Tap { part: Part::Top(top), layer }));
    trunk.chain(tops).collect()
}

/// The means of a text after each tap, in f64.
pub(crate) fn reference(config: &Config, weights: &Weights, taps: &[Tap], text: Text<'_>) -> Vec<Vec<f64>> {
    let mut states = embed(config, &weights.embeddings, text.ids);
    let mut means = vec![Vec::new(); taps.len()];
    let mut through = |part: Part, layers: &[LayerWeights], states: &mut Vec<Vec<f64>>| {
        for (depth, layer) in layers.iter().enumerate() {
            forward(config, layer, states);
            for (tap, mean) in taps.iter().zip(&mut means) {
                if *tap == (Tap { part, layer: depth }) {
                    let sum = |at: usize| states.iter().map(|state| state[at]).sum::<f64>();
                    *mean = (0..config.hidden).map(|at| sum(at) / states.len() as f64).collect();
                }
            }
        }
    };
    through(Part::Trunk, &weights.trunk, &mut states);
    for (top, layers) in weights.tops.iter().enumerate().filter(|(top, _)| text.tops.contains(*top)) {
        through(Part::Top(top), layers, &mut states.clone());
    }
    means
}

fn row(matrix: &Matrix, row: usize) -> Vec<f64> {
    let values = &matrix.values[row * matrix.columns..][..matrix.columns];
    let factors = matrix.factors.iter().copied().chain(std::iter::repeat(1.0));
    let scale = f64::from(matrix.scales[row]);
    values.iter().zip(factors).map(|(value, factor)| f64::from(*value) * scale * f64::from(factor)).collect()
}

fn embed(config: &Config, weights: &EmbeddingWeights, ids: &[u32]) -> Vec<Vec<f64>> {
    let one = |(place, id): (usize, &u32)| {
        let (word, position) =
            (row(&weights.words, *id as usize), row(&weights.positions, place + config.position_offset));
        let sums = word.iter().zip(position).zip(&weights.token_type);
        let sums: Vec<f64> = sums.map(|((word, position), kind)| word + position + f64::from(*kind)).collect();
        normalise(config, &weights.norm, &sums)
    };
    ids.iter().enumerate().map(one).collect()
}

fn normalise(config: &Config, norm: &Norm, values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let inverse = 1.0 / (variance + f64::from(config.epsilon)).sqrt();
    let weights = norm.scale.iter().zip(&norm.shift);
    let one = |(value, (scale, shift)): (&f64, (&f32, &f32))| {
        (value - mean) * inverse * f64::from(*scale) + f64::from(*shift)
    };
    values.iter().zip(weights).map(one).collect()
}

fn apply(linear: &Linear, values: &[f64]) -> Vec<f64> {
    let one = |output: usize| {
        let products = row(&linear.weight, output);
        let sum: f64 = products.iter().zip(values).map(|(weight, value)| weight * value).sum();
        sum + f64::from(linear.bias[output])
    };
    (0..linear.weight.rows).map(one).collect()
}

/// Numerical form of the error function (Abramowitz and Stegun, 7.1.6).
fn gelu(x: f64) -> f64 {
    let z = x / std::f64::consts::SQRT_2;
    if z.abs() > 6.0 {
        return x.max(0.0);
    }
    let (mut term, mut sum) = (z, z);
    for n in 1..150 {
        term *= 2.0 * z * z / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 * x * (1.0 + sum * (-z * z).exp() * 2.0 / std::f64::consts::PI.sqrt())
}

fn forward(config: &Config, layer: &LayerWeights, states: &mut [Vec<f64>]) {
    let part = |linear: &Linear| states.iter().map(|state| apply(linear, state)).collect::<Vec<_>>();
    let (queries, keys, values) = (part(&layer.query), part(&layer.key), part(&layer.value));
    let size = config.hidden / config.heads;
    for (at, state) in states.iter_mut().enumerate() {
        let mut found = vec![0.0; config.hidden];
        for head in 0..config.heads {
            let own = head * size..(head + 1) * size;
            let fit = |key: &Vec<f64>| {
                let products = queries[at][own.clone()].iter().zip(&key[own.clone()]).map(|(a, b)| a * b);
                products.sum::<f64>() / (size as f64).sqrt()
            };
            let fits: Vec<f64> = keys.iter().map(fit).collect();
            let highest = fits.iter().copied().fold(f64::MIN, f64::max);
            let shares: Vec<f64> = fits.iter().map(|fit| (fit - highest).exp()).collect();
            let sum: f64 = shares.iter().sum();
            for place in own {
                let weighted = shares.iter().zip(&values).map(|(share, value)| share * value[place]);
                found[place] = weighted.sum::<f64>() / sum;
            }
        }
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
        let attended = normalise(config, &layer.attention_norm, &add(&apply(&layer.attended, &found), state));
        let wide: Vec<f64> = apply(&layer.widen, &attended).into_iter().map(gelu).collect();
        *state = normalise(config, &layer.norm, &add(&apply(&layer.narrow, &wide), &attended));
    }
}

pub(crate) fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum();
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    dot / (length(&mut a.iter().map(|value| f64::from(*value))) * length(&mut b.iter().copied()))
}
