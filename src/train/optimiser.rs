//! AdamW (Loshchilov and Hutter, 2019) over named variables, with state that can be written down
//! and taken up again: candle's own keeps its moments to itself, so a run could not be resumed.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor, Var};
use std::collections::{BTreeMap, HashMap};

/// Shares of the old that the two moments keep with each step.
const KEPT: (f32, f32) = (0.9, 0.999);
/// Keeps the division finite.
const EPSILON: f32 = 1e-8;

/// One variable with its moments.
struct Parameter {
    var: Var,
    first: Vec<f32>,
    second: Vec<f32>,
    rate: f32,
    decay: f32,
}

/// The variables that are trained.
pub(crate) struct AdamW {
    parameters: BTreeMap<String, Parameter>,
    steps: i32,
}

impl AdamW {
    /// Takes variables by name with the step size of each. `decay` pulls matrices, and only them, to zero.
    pub(crate) fn new(variables: BTreeMap<String, (Var, f32)>, decay: f32) -> Self {
        let parameter = |(name, (var, rate)): (String, (Var, f32))| {
            let count = var.elem_count();
            let decay = if var.dims().len() == 2 { decay } else { 0.0 };
            (name, Parameter { var, first: vec![0.0; count], second: vec![0.0; count], rate, decay })
        };
        Self { parameters: variables.into_iter().map(parameter).collect(), steps: 0 }
    }

    /// The variables, by name.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&String, &Var)> {
        self.parameters.iter().map(|(name, parameter)| (name, &parameter.var))
    }

    /// One step along gradients that have a value for every variable; the rates are multiplied by
    /// `share`, and gradients longer than `longest` altogether are shortened to it.
    pub(crate) fn step(&mut self, gradients: &HashMap<String, Vec<f32>>, share: f32, longest: f32) -> Result<()> {
        self.steps += 1;
        let square = |values: &Vec<f32>| values.iter().map(|value| f64::from(value * value)).sum::<f64>();
        let length = gradients.values().map(square).sum::<f64>().sqrt() as f32;
        let shorten = if length > longest { longest / length } else { 1.0 };
        let (first, second) = (1.0 - KEPT.0.powi(self.steps), 1.0 - KEPT.1.powi(self.steps));
        for (name, parameter) in &mut self.parameters {
            let gradient = gradients.get(name).with_context(|| format!("{name} has no gradient"))?;
            let mut values = parameter.var.flatten_all()?.to_vec1::<f32>()?;
            let rate = parameter.rate * share;
            let moments = parameter.first.iter_mut().zip(&mut parameter.second);
            for ((value, slope), (mean, square)) in values.iter_mut().zip(gradient).zip(moments) {
                let slope = slope * shorten;
                *mean = KEPT.0 * *mean + (1.0 - KEPT.0) * slope;
                *square = KEPT.1 * *square + (1.0 - KEPT.1) * slope * slope;
                let towards = *mean / first / ((*square / second).sqrt() + EPSILON);
                *value -= rate * (towards + parameter.decay * *value);
            }
            parameter.var.set(&Tensor::from_vec(values, parameter.var.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }

    /// Everything that a later run needs to go on, as tensors by name.
    pub(crate) fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for (name, parameter) in &self.parameters {
            let count = parameter.first.len();
            state.insert(format!("value {name}"), parameter.var.as_tensor().copy()?);
            state.insert(format!("first {name}"), Tensor::from_slice(&parameter.first, count, &Device::Cpu)?);
            state.insert(format!("second {name}"), Tensor::from_slice(&parameter.second, count, &Device::Cpu)?);
        }
        Ok(state)
    }

    /// Goes on from a written state after `steps` steps.
    pub(crate) fn restore(&mut self, state: &HashMap<String, Tensor>, steps: usize) -> Result<()> {
        self.steps = i32::try_from(steps)?;
        for (name, parameter) in &mut self.parameters {
            let take = |kind: &str| state.get(&format!("{kind} {name}")).with_context(|| format!("no {kind} {name}"));
            parameter.var.set(take("value")?)?;
            parameter.first = take("first")?.to_vec1()?;
            parameter.second = take("second")?.to_vec1()?;
        }
        Ok(())
    }
}
