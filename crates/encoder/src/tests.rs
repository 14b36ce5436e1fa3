//! The kernels of every tier against plain formulas: products exactly, the rest closely.
//!
//! Knows nothing about whole models; `tests/encoder.rs` does that.

use crate::attention::{self, Attend};
use crate::packed::{Packed, Places, padded};
use crate::product::{Add, Product, Store, StoreGelu};
use crate::rows::{Levels, Normalise, PackedNorm, Quantise, Scale, gelu};
#[cfg(all(target_arch = "x86_64", not(miri)))]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Kernel, Portable, Simd};
use crate::table::Products;
use crate::weights::{Linear, Matrix, Norm};
use proptest::prelude::*;

/// Runs a generic test on every tier of this machine.
macro_rules! on_every_tier {
    ($test:ident($($argument:expr),*)) => {{
        $test(Portable, $($argument),*);
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            if let Some(simd) = Avx2::detect() {
                $test(simd, $($argument),*);
            }
            if let Some(simd) = Avx512::detect() {
                $test(simd, $($argument),*);
            }
        }
    }};
}

/// Whole numbers of -127 to 127, the same for the same seed.
fn numbers(count: usize, seed: u64) -> Vec<i8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(|_| ((next() >> 20) % 255) as i16 - 127).map(|value| value as i8).collect()
}

fn floats(count: usize, seed: u64) -> Vec<f32> {
    let fine = numbers(count, seed ^ 0xABCD);
    numbers(count, seed).iter().zip(fine).map(|(a, b)| f32::from(*a) / 40.0 + f32::from(b) / 9000.0).collect()
}

/// Rows of `width` values, each padded.
fn pad(values: &[f32], width: usize) -> Vec<f32> {
    let pad = padded(width) - width;
    values.chunks_exact(width).flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, pad))).collect()
}

/// e^(-x^2) times a series of positive terms (Abramowitz and Stegun, 7.1.6).
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..400 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    if x.abs() > 6.0 { x.signum() } else { sum * (-x * x).exp() * 2.0 / std::f64::consts::PI.sqrt() }
}

fn exact_gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))
}

/// How far below 0 a row of values one apart starts: its level of zero.
const ZEROS: [i32; 6] = [0, 255, 128, 1, 254, 77];

/// Whole numbers from -zero to 255 - zero, from numbers of -127 to 127.
fn shifted(numbers: &[i8], zero: i32) -> Vec<i32> {
    numbers.iter().map(|number| i32::from(*number) + 127 + i32::from(*number > 0) - zero).collect()
}

/// Levels in a tier's own form of rows of whole numbers, each with its lowest and its highest 255 apart and 0 within,
/// so that nothing is rounded.
fn levels<S: Simd>(simd: S, rows: &[i32], width: usize) -> Levels {
    let values = pad(&rows.iter().map(|value| *value as f32).collect::<Vec<_>>(), width);
    let mut all = Levels::default();
    let (levels, scales) = all.take::<S>(rows.len() / width, padded(width));
    simd.vectorize(Quantise { rows: &values, smoothing: &vec![1.0; padded(width)], levels, scales });
    all
}

/// Rows with a level of zero each, of the levels that `left` gives, with the weights in `right`.
fn product_is_exact<S: Simd>(simd: S, rows: usize, inputs: usize, outputs: usize, left: &[i8], right: &[i8]) {
    let zeros: Vec<i32> = (0..rows).map(|row| ZEROS[row % ZEROS.len()]).collect();
    let mut values: Vec<i32> =
        left.chunks_exact(inputs).zip(&zeros).flat_map(|(row, zero)| shifted(row, *zero)).collect();
    for (row, zero) in values.chunks_exact_mut(inputs).zip(&zeros) {
        // The ends of the range; with a single input one of them is the 0 of the padding.
        row[inputs - 1] = -zero;
        row[0] = if inputs == 1 && *zero > 0 { -255 } else { 255 - zero };
    }
    let zeros = zeros.iter().map(|zero| if inputs == 1 && *zero > 0 { 255 } else { *zero });
    let weight = Matrix {
        rows: outputs,
        columns: inputs,
        values: right.to_vec(),
        scales: vec![1.0; outputs],
        factors: Vec::new(),
    };
    let linear = Linear { weight, bias: vec![0.0; outputs] };
    let packed = Packed::new::<S>(&[(&linear, 1.0)], Places::plain(outputs), Places::plain(inputs));
    let width = packed.outputs();
    let mut all = levels(simd, &values, inputs);
    let (levels, scales) = all.take::<S>(rows, padded(inputs));
    assert!(scales.iter().zip(zeros).all(|(scale, zero)| *scale == Scale { step: 1.0, zero }), "{scales:?}");
    let mut found = vec![f32::NAN; rows * width];
    let sink = Store { rows: &mut found, width };
    simd.vectorize(Product { levels: &*levels, scales: &*scales, packed: &packed, sink });
    for row in 0..rows {
        for column in 0..width {
            let expected: i64 = if column < outputs {
                let pairs = values[row * inputs..][..inputs].iter().zip(&right[column * inputs..]);
                pairs.map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
            } else {
                0
            };
            assert!(i32::try_from(expected).is_ok(), "the sum of row {row} and column {column} leaves i32");
            // Exact below 2^24; above, the one rounding from i32 to f32, which every tier shares.
            assert_eq!(found[row * width + column], expected as f32, "{simd:?} row {row} column {column}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "hours")]
fn products_are_exact_at_the_models_sizes() {
    for (rows, inputs, outputs) in [(1, 384, 384), (7, 384, 96), (16, 384, 144), (9, 1536, 48), (33, 64, 50)] {
        let (left, right) = (numbers(rows * inputs, 3), numbers(outputs * inputs, 4));
        on_every_tier!(product_is_exact(rows, inputs, outputs, &left, &right));
    }
}

#[test]
#[cfg_attr(miri, ignore = "hours")]
fn products_of_extreme_values_are_exact() {
    let (rows, outputs) = (ZEROS.len(), 17);
    // The widest there is comes within a 256th of the ends of i32.
    for inputs in [4096, 1 << 16] {
        for (left, right) in [(127_i8, 127_i8), (-127, 127), (127, -127), (-127, -128), (127, -128), (0, 127), (127, 0)]
        {
            let (left, right) = (vec![left; rows * inputs], vec![right; outputs * inputs]);
            on_every_tier!(product_is_exact(rows, inputs, outputs, &left, &right));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 128 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_of_any_shape_are_exact(rows in 1_usize..40, inputs in 1_usize..200, outputs in 1_usize..200, seed: u64) {
        let (rows, inputs, outputs) = if cfg!(miri) { (rows % 5 + 1, inputs % 40 + 1, outputs % 40 + 1) } else { (rows, inputs, outputs) };
        let (left, right) = (numbers(rows * inputs, seed), numbers(outputs * inputs, !seed));
        on_every_tier!(product_is_exact(rows, inputs, outputs, &left, &right));
    }

    #[test]
    fn rows_of_any_width_are_normalised(rows in 1_usize..6, width in 1_usize..100, seed: u64) {
        on_every_tier!(normalises(rows, width, seed));
    }

    #[test]
    fn attention_of_any_shape_is_the_plain_one(tokens in 1_usize..40, heads in 1_usize..4, size in 1_usize..70, seed: u64) {
        let (tokens, size) = if cfg!(miri) { (tokens % 9 + 1, size % 20 + 1) } else { (tokens, size) };
        on_every_tier!(attends(tokens, heads, size, seed));
    }
}

#[test]
fn attention_of_the_longest_text_is_the_plain_one() {
    let tokens = if cfg!(miri) { 20 } else { 512 };
    on_every_tier!(attends(tokens, 1, 32, 5));
}

fn attends<S: Simd>(simd: S, tokens: usize, heads: usize, size: usize, seed: u64) {
    let wide = padded(size);
    let width = heads * wide;
    let states = pad(&floats(tokens * 3 * heads * size, seed), size);
    let mut found = vec![f32::NAN; tokens * width];
    let mut scratch = vec![f32::NAN; attention::scratch(tokens, wide)];
    simd.vectorize(Attend { states: &states, found: &mut found, scratch: &mut scratch, heads, size: wide });
    for head in 0..heads {
        let part = |token: usize, part: usize| &states[token * 3 * width + part * width + head * wide..][..size];
        for query in 0..tokens {
            let fit = |key: usize| -> f64 {
                part(query, 0).iter().zip(part(key, 1)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let fits: Vec<f64> = (0..tokens).map(fit).collect();
            let highest = fits.iter().copied().fold(f64::MIN, f64::max);
            let shares: Vec<f64> = fits.iter().map(|fit| (fit - highest).exp()).collect();
            let sum: f64 = shares.iter().sum();
            for at in 0..wide {
                let value = |key: usize| if at < size { f64::from(part(key, 2)[at]) } else { 0.0 };
                let expected = (0..tokens).map(|key| shares[key] / sum * value(key)).sum::<f64>();
                let found = f64::from(found[query * width + head * wide + at]);
                assert!((found - expected).abs() < 2e-4, "{simd:?} {query} {at}: {found} for {expected}");
            }
        }
    }
}

fn normalises<S: Simd>(simd: S, rows: usize, width: usize, seed: u64) {
    let values = floats(rows * width, seed);
    let norm = Norm { scale: floats(width, seed ^ 1), shift: floats(width, seed ^ 2) };
    let packed = PackedNorm::new(&norm, 1e-6);
    let mut padded_rows = pad(&values, width);
    let mut all = Levels::default();
    let (levels, scales) = all.take::<S>(rows, padded(width));
    let smoothing = &pad(&floats(width, seed ^ 3), width);
    let rows = &mut padded_rows;
    simd.vectorize(Normalise { norm: &packed, rows, smoothing, levels: &mut *levels, scales: &mut *scales });
    let bytes = padded(width) * 4 / S::GROUP;
    for ((row, levels), scale) in padded_rows.chunks_exact(padded(width)).zip(levels.chunks_exact(bytes)).zip(&*scales)
    {
        let smoothed: Vec<f32> = row.iter().zip(smoothing).map(|(value, factor)| value * factor).collect();
        let expected = levels_of(simd, &smoothed);
        assert_eq!((whole::<S>(levels), *scale), expected, "{simd:?}: the levels of a normalised row");
        assert!(expected.0[width..].iter().all(|level| *level == scale.zero), "{simd:?}: the padding is not 0");
    }
    for (row, found) in values.chunks_exact(width).zip(padded_rows.chunks_exact(padded(width))) {
        let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / width as f64;
        let variance = row.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / width as f64;
        for (at, found) in found.iter().enumerate() {
            let expected = if at < width {
                (f64::from(row[at]) - mean) / (variance + 1e-6).sqrt() * f64::from(norm.scale[at])
                    + f64::from(norm.shift[at])
            } else {
                0.0
            };
            assert!((f64::from(*found) - expected).abs() < 1e-3, "{simd:?} {at}: {found} for {expected}");
        }
    }
}

struct GeluOf<'a>(&'a mut [f32]);

impl Kernel for GeluOf<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        for values in self.0.chunks_exact_mut(S::LANES) {
            simd.store(gelu(simd, simd.load(values)), values);
        }
    }
}

fn gelu_is_exact<S: Simd>(simd: S) {
    let step = if cfg!(miri) { 97 } else { 1 };
    let inputs: Vec<f32> = (-3000..3000).step_by(step).map(|at| at as f32 / 100.0).collect();
    let inputs = pad(&inputs, inputs.len());
    let mut found = inputs.clone();
    simd.vectorize(GeluOf(&mut found));
    for (x, found) in inputs.iter().zip(found) {
        let expected = exact_gelu(f64::from(*x));
        assert!((f64::from(found) - expected).abs() < 3e-6, "{simd:?} at {x}: {found} for {expected}");
    }
    let mut far = [-1e30_f32, -1e6, -100.0, 0.0, -0.0, 100.0, 1e6, 1e30, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let inputs = far;
    simd.vectorize(GeluOf(&mut far));
    for (x, found) in inputs.iter().zip(far) {
        assert!((found - x.max(0.0)).abs() <= x.abs() * 3e-7, "{simd:?} at {x}: {found}");
    }
}

#[test]
fn gelu_is_the_exact_one() {
    on_every_tier!(gelu_is_exact());
}

fn products_of_rows_are_those_of_the_formula<S: Simd>(simd: S, count: usize, width: usize) {
    let (rows, vector) = (floats(count * width, 4), floats(width, 5));
    let mut found = vec![f32::NAN; count];
    let (padded_rows, padded_vector) = (pad(&rows, width), pad(&vector, width));
    simd.vectorize(Products { rows: &padded_rows, vector: &padded_vector, found: &mut found });
    for (row, found) in rows.chunks_exact(width).zip(found) {
        let products = row.iter().zip(&vector).map(|(row, value)| f64::from(*row) * f64::from(*value));
        let (sum, size) = products.fold((0.0, 0.0), |(sum, size), product| (sum + product, size + product.abs()));
        assert!((f64::from(found) - sum).abs() <= 1e-6 * size, "{simd:?}: {found} for {sum}");
    }
}

#[test]
fn a_tables_products_are_those_of_the_formula() {
    for width in [1, 15, 16, 63, 64, 65, 384] {
        on_every_tier!(products_of_rows_are_those_of_the_formula(5, width));
    }
}

/// Levels in a tier's own form as whole numbers.
fn whole<S: Simd>(levels: &[u8]) -> Vec<i32> {
    let one = |bytes: &[u8]| match *bytes {
        [low, high] => i32::from(u16::from_le_bytes([low, high])),
        _ => i32::from(bytes[0]),
    };
    levels.chunks_exact(4 / S::GROUP).map(one).collect()
}

/// Levels of one row and what they stand for.
fn levels_of<S: Simd>(simd: S, row: &[f32]) -> (Vec<i32>, Scale) {
    let mut all = Levels::default();
    let (levels, scales) = all.take::<S>(1, row.len());
    let smoothing = &vec![1.0; row.len()];
    simd.vectorize(Quantise { rows: row, smoothing, levels: &mut *levels, scales: &mut *scales });
    (whole::<S>(levels), scales[0])
}

/// Checks a row's levels against the formulas in f64 and against those of the plain tier; gives them back.
fn formulas_hold<S: Simd>(simd: S, row: &[f32]) -> (Vec<i32>, Scale) {
    let (levels, scale) = levels_of(simd, row);
    assert_eq!((levels.clone(), scale), levels_of(Portable, row), "{simd:?}");
    let low = row.iter().fold(0.0_f64, |low, value| low.min(f64::from(*value)));
    let high = row.iter().fold(0.0_f64, |high, value| high.max(f64::from(*value)));
    let step = (high - low) / 255.0;
    assert!((f64::from(scale.step) - step).abs() <= 3e-7 * step, "{simd:?}: a step of {} for {step}", scale.step);
    assert!((f64::from(scale.zero) + low / step).abs() <= 0.5001, "{simd:?}: {scale:?} for {low} and {high}");
    assert!((0..=255).contains(&scale.zero), "{simd:?}: {scale:?}");
    for (value, level) in row.iter().zip(&levels) {
        let expected = (f64::from(*value) / step + f64::from(scale.zero)).clamp(0.0, 255.0);
        assert!((f64::from(*level) - expected).abs() <= 0.5001, "{simd:?}: {level} for {expected}");
    }
    (levels, scale)
}

fn levels_are_the_nearest<S: Simd>(simd: S) {
    for size in [1e-20_f32, 1e-3, 1.0, 1e5, 1e37] {
        let row: Vec<f32> = floats(48, 9).iter().map(|value| value * size).collect();
        formulas_hold(simd, &row);
        // On one side of 0 alone, which keeps the level at that end.
        let above: Vec<f32> = row.iter().map(|value| value.abs() + 0.5 * size).collect();
        let (levels, scale) = formulas_hold(simd, &above);
        assert!(scale.zero == 0 && levels.iter().max() == Some(&255), "{simd:?}: {scale:?}");
        let below: Vec<f32> = above.iter().map(|value| -value).collect();
        let (levels, scale) = formulas_hold(simd, &below);
        assert!(scale.zero == 255 && levels.iter().min() == Some(&0), "{simd:?}: {scale:?}");
        for (constant, level, zero) in [(size, 255, 0), (-size, 0, 255)] {
            let (levels, scale) = formulas_hold(simd, &[constant; 32]);
            assert!(levels.iter().all(|found| *found == level) && scale.zero == zero, "{simd:?}: {scale:?}");
        }
    }
    for row in [[0.0_f32; 16], [-0.0; 16], [1e-38; 16], [-1e-38; 16]] {
        let (levels, scale) = levels_of(simd, &row);
        assert!(levels.iter().all(|level| *level == 0) && scale == Scale::default(), "{simd:?}");
    }
    // Both ends lie between two levels and are rounded away from 0, the higher to a level that is not there.
    let mut row = [0.0_f32; 16];
    (row[0], row[1]) = (-101.5, 153.5);
    let (levels, scale) = levels_of(simd, &row);
    assert!(scale == Scale { step: 1.0, zero: 102 } && levels[..3] == [0, 255, 102], "{simd:?}: {levels:?}");
    // One value that dwarfs the others leaves them at that of zero, not at nonsense.
    for (outlier, zero) in [(3e38, 0), (-3e38, 255)] {
        let mut row = [0.5_f32; 32];
        row[31] = outlier;
        let (levels, scale) = formulas_hold(simd, &row);
        assert!(scale.zero == zero && levels[31] == 255 - zero && levels[..31].iter().all(|level| *level == zero));
        // A range beyond f32.
        row[30] = -outlier;
        let (levels, scale) = formulas_hold(simd, &row);
        assert!(scale.step.is_finite() && (levels[31] - levels[30]).abs() >= 254, "{simd:?}: {levels:?}");
    }
}

#[test]
fn a_rows_levels_are_the_nearest_to_its_values() {
    on_every_tier!(levels_are_the_nearest());
}

fn sinks_do_what_they_say<S: Simd>(simd: S) {
    let (inputs, outputs) = (20, 37);
    let weight = Matrix::from_f32(outputs, inputs, &floats(outputs * inputs, 1), &[]);
    let linear = Linear { weight, bias: floats(outputs, 2) };
    let packed = Packed::new::<S>(&[(&linear, 0.25)], Places::plain(outputs), Places::plain(inputs));
    let width = packed.outputs();
    let mut values = [[155; 20], [64; 20], [-3; 20]].concat();
    values.chunks_exact_mut(inputs).for_each(|row| (row[18], row[19]) = (-100, 155));
    let mut all = levels(simd, &values, inputs);
    let (levels, scales) = all.take::<S>(3, padded(inputs));
    let before = pad(&floats(3 * outputs, 3), outputs);
    let [mut plain, mut added, mut bent] = [before.clone(), before.clone(), before.clone()];
    let (levels, scales, packed) = (&*levels, &*scales, &packed);
    simd.vectorize(Product { levels, scales, packed, sink: Store { rows: &mut plain, width } });
    simd.vectorize(Product { levels, scales, packed, sink: Add(Store { rows: &mut added, width }) });
    simd.vectorize(Product { levels, scales, packed, sink: StoreGelu(Store { rows: &mut bent, width }) });
    for at in 0..before.len() {
        assert_eq!(added[at], plain[at] + before[at], "{simd:?} at {at}");
        let expected = exact_gelu(f64::from(plain[at]));
        let error = (f64::from(bent[at]) - expected).abs();
        assert!(error < 3e-6 * f64::from(plain[at]).abs().max(1.0), "{simd:?} at {at}: {} for {expected}", bent[at]);
    }
    let pairs = linear.weight.row(0).0.iter().zip(&values);
    let sum: f32 = pairs.map(|(weight, value)| f32::from(*weight) * *value as f32).sum();
    let expected = 0.25 * (sum * linear.weight.scales[0] + linear.bias[0]);
    assert!((plain[0] - expected).abs() < 1e-3 * expected.abs(), "{simd:?}: {} for {expected}", plain[0]);
}

#[test]
fn values_are_stored_added_or_bent() {
    on_every_tier!(sinks_do_what_they_say());
}
