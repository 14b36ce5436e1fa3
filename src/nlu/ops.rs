//! Three operations of a transformer layer with their gradients: GELU, softmax over the last
//! dimension, and layer normalisation.
//!
//! candle's own fused versions of the last two have no gradient and stop training silently, and its
//! exact GELU calls the C library once per element, which is a tenth of a forward pass. These
//! serve and train alike, so that what was trained is what is served. f32 on the CPU, contiguous
//! inputs. Knows nothing about layers or weights.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// GELU in its exact form, x * Phi(x) (Hendrycks and Gimpel, 2016).
pub(crate) fn gelu(input: &Tensor) -> Result<Tensor> {
    input.contiguous()?.apply_op1(Gelu)
}

/// Softmax over the last dimension.
pub(crate) fn softmax(input: &Tensor) -> Result<Tensor> {
    input.contiguous()?.apply_op1(Softmax)
}

/// Normalises the last dimension to mean 0 and deviation 1, then scales and shifts it (Ba et al., 2016).
pub(crate) fn layer_norm(input: &Tensor, scale: &Tensor, shift: &Tensor, epsilon: f32) -> Result<Tensor> {
    input.contiguous()?.apply_op3(scale, shift, LayerNorm { epsilon })
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("the operation needs a contiguous tensor") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn all(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// e^x for x <= 0, relative error below 3e-7: 2^n times a polynomial of the rest, without a branch
/// or a call, so that the compiler can take several at a time.
#[inline]
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0) * std::f32::consts::LOG2_E;
    let shifted = x + ROUND;
    let rest = (x - (shifted - ROUND)) * std::f32::consts::LN_2;
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    // The first terms of e^rest for |rest| <= ln 2 / 2.
    let series = 1.0
        + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest * (1.0 / 120.0 + rest / 720.0)))));
    power * series
}

/// The normal distribution's cumulative share and density at x. Share: formula 7.1.26 of Abramowitz
/// and Stegun (1964), absolute error below 1e-6.
#[inline]
fn normal(x: f32) -> (f32, f32) {
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let tail =
        t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4)))) * bell * 0.5;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * 0.398_942_3)
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let output = values(storage, layout)?.iter().map(|x| x * normal(*x).0).collect();
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, slope: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(input.contiguous()?.apply_op2_no_bwd(&slope.contiguous()?, &GeluSlope)?))
    }
}

/// (Phi(x) + x phi(x)) times the slope behind it.
struct GeluSlope;

impl CustomOp2 for GeluSlope {
    fn name(&self) -> &'static str {
        "gelu-slope"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        slope: &CpuStorage,
        slope_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let pairs = values(input, layout)?.iter().zip(values(slope, slope_layout)?);
        let output = pairs.map(|(x, slope)| {
            let (share, density) = normal(*x);
            (share + x * density) * slope
        });
        Ok((CpuStorage::F32(output.collect()), layout.shape().clone()))
    }
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut output = values(storage, layout)?.to_vec();
        for row in output.chunks_exact_mut(layout.dims().last().copied().unwrap_or(1).max(1)) {
            let highest = row.iter().fold(f32::MIN, |highest, value| highest.max(*value));
            row.iter_mut().for_each(|value| *value = exp(*value - highest));
            let total = 1.0 / row.iter().sum::<f32>();
            row.iter_mut().for_each(|value| *value *= total);
        }
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(&self, _input: &Tensor, output: &Tensor, slope: &Tensor) -> Result<Option<Tensor>> {
        let width = output.dims().last().copied().unwrap_or(1).max(1);
        let (output_values, mut slopes) = (all(output)?, all(slope)?);
        for (row, shares) in slopes.chunks_exact_mut(width).zip(output_values.chunks_exact(width)) {
            let mean: f32 = row.iter().zip(shares).map(|(slope, share)| slope * share).sum();
            row.iter_mut().zip(shares).for_each(|(slope, share)| *slope = share * (*slope - mean));
        }
        Ok(Some(Tensor::from_vec(slopes, output.shape(), output.device())?))
    }
}

struct LayerNorm {
    epsilon: f32,
}

impl LayerNorm {
    /// Mean and 1 / deviation of one row.
    fn measure(&self, row: &[f32]) -> (f32, f32) {
        let count = row.len() as f32;
        let mean = row.iter().sum::<f32>() / count;
        let variance = row.iter().map(|value| (value - mean) * (value - mean)).sum::<f32>() / count;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (scale, shift) = (values(scale, scale_layout)?, values(shift, shift_layout)?);
        let mut output = values(input, layout)?.to_vec();
        for row in output.chunks_exact_mut(scale.len()) {
            let (mean, inverse) = self.measure(row);
            for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
                *value = (*value - mean) * inverse * scale + shift;
            }
        }
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(
        &self,
        input: &Tensor,
        scale: &Tensor,
        _shift: &Tensor,
        _output: &Tensor,
        slope: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (mut rows, scales, slopes) = (all(input)?, all(scale)?, all(slope)?);
        let width = scales.len();
        let (mut of_scale, mut of_shift) = (vec![0.0_f32; width], vec![0.0_f32; width]);
        for (row, slope) in rows.chunks_exact_mut(width).zip(slopes.chunks_exact(width)) {
            let (mean, inverse) = self.measure(row);
            let (mut sum, mut product) = (0.0_f32, 0.0_f32);
            for (at, value) in row.iter_mut().enumerate() {
                *value = (*value - mean) * inverse;
                of_scale[at] += slope[at] * *value;
                of_shift[at] += slope[at];
                sum += slope[at] * scales[at];
                product += slope[at] * scales[at] * *value;
            }
            let (sum, product) = (sum / width as f32, product / width as f32);
            for (at, value) in row.iter_mut().enumerate() {
                *value = inverse * (slope[at] * scales[at] - sum - *value * product);
            }
        }
        let device = input.device();
        Ok((
            Some(Tensor::from_vec(rows, input.shape(), device)?),
            Some(Tensor::from_vec(of_scale, width, device)?),
            Some(Tensor::from_vec(of_shift, width, device)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn ramp(count: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 37 + 11) % 29) as f32 / 7.0 - 2.0).collect()
    }

    /// The largest difference between a gradient and the slope of a small step, for each input.
    fn gradient_error(inputs: &[Vec<f32>], shapes: &[&[usize]], run: impl Fn(&[Tensor]) -> Tensor) -> f32 {
        let tensors = |inputs: &[Vec<f32>]| -> Vec<Var> {
            let made = inputs.iter().zip(shapes);
            made.map(|(values, shape)| {
                Var::from_tensor(&Tensor::from_slice(values, *shape, &Device::Cpu).unwrap()).unwrap()
            })
            .collect()
        };
        // Uneven weights, so that errors in single places cannot cancel.
        let loss = |variables: &[Var]| {
            let output = run(&variables.iter().map(|variable| variable.as_tensor().clone()).collect::<Vec<_>>());
            let weights = Tensor::from_vec(ramp(output.elem_count()), output.shape(), &Device::Cpu).unwrap();
            (output * weights).unwrap().sum_all().unwrap()
        };
        let variables = tensors(inputs);
        let slopes = loss(&variables).backward().unwrap();
        let mut worst = 0.0_f32;
        for (which, variable) in variables.iter().enumerate() {
            let found = all(slopes.get(variable).unwrap()).unwrap();
            for at in 0..found.len() {
                let moved = |step: f32| {
                    let mut inputs = inputs.to_vec();
                    inputs[which][at] += step;
                    loss(&tensors(&inputs)).to_scalar::<f32>().unwrap()
                };
                let expected = (moved(0.01) - moved(-0.01)) / 0.02;
                worst = worst.max((found[at] - expected).abs() / (1.0 + expected.abs()));
            }
        }
        worst
    }

    #[test]
    fn gelu_is_the_librarys_exact_one_and_its_gradient_right() {
        let values: Vec<f32> = (-1200..=1200).map(|at| at as f32 / 100.0).collect();
        let input = Tensor::from_slice(&values, values.len(), &Device::Cpu).unwrap();
        let (ours, theirs) = (all(&gelu(&input).unwrap()).unwrap(), all(&input.gelu_erf().unwrap()).unwrap());
        for ((x, ours), theirs) in values.iter().zip(ours).zip(theirs) {
            assert!((ours - theirs).abs() < 5e-6, "at {x}: {ours} and {theirs}");
        }
        assert!(gradient_error(&[ramp(12)], &[&[3, 4]], |inputs| gelu(&inputs[0]).unwrap()) < 2e-3);
    }

    #[test]
    fn softmax_is_the_librarys_and_its_gradient_right() {
        let input = Tensor::from_vec(ramp(24), (2, 3, 4), &Device::Cpu).unwrap();
        let theirs = candle_nn::ops::softmax_last_dim(&input).unwrap();
        for (ours, theirs) in all(&softmax(&input).unwrap()).unwrap().iter().zip(all(&theirs).unwrap()) {
            assert!((ours - theirs).abs() < 1e-6);
        }
        assert!(gradient_error(&[ramp(24)], &[&[2, 3, 4]], |inputs| softmax(&inputs[0]).unwrap()) < 2e-3);
    }

    #[test]
    fn a_masked_place_gets_nothing() {
        let input = Tensor::new(&[[1.0_f32, f32::MIN, 3.0]], &Device::Cpu).unwrap();
        let shares = all(&softmax(&input).unwrap()).unwrap();
        assert!(shares[1] < 1e-30);
        assert!((shares[0] + shares[2] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn layer_norm_is_the_librarys_and_all_its_gradients_are_right() {
        let inputs = [ramp(12), vec![0.5, 1.5, -1.0, 2.0], vec![0.1, -0.2, 0.3, 0.0]];
        let shapes: [&[usize]; 3] = [&[3, 4], &[4], &[4]];
        let tensor = |at: usize| Tensor::from_slice(&inputs[at], shapes[at], &Device::Cpu).unwrap();
        let theirs = candle_nn::ops::layer_norm_slow(&tensor(0), &tensor(1), &tensor(2), 1e-12).unwrap();
        let ours = layer_norm(&tensor(0), &tensor(1), &tensor(2), 1e-12).unwrap();
        for (ours, theirs) in all(&ours).unwrap().iter().zip(all(&theirs).unwrap()) {
            assert!((ours - theirs).abs() < 1e-4);
        }
        let run = |inputs: &[Tensor]| layer_norm(&inputs[0], &inputs[1], &inputs[2], 1e-12).unwrap();
        assert!(gradient_error(&inputs, &shapes, run) < 5e-3);
    }
}
