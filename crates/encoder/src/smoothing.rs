//! Smoothing: a few values of a layer's states are many times larger than the rest, and levels that have to reach them
//! are too far apart for the others. Such values are made smaller before they are rounded and their weights larger by
//! as much, which leaves the product what it was (`SmoothQuant`, Xiao et al., 2023, with an alpha of one half).
//!
//! Knows nothing about rows or panels.

/// Smaller magnitudes count as this one.
const LEAST: f32 = 1e-5;
/// Largest factor, and the inverse of the smallest.
const MOST: f32 = 1e4;

/// What each input of linear parts that read the same is to be multiplied with before it is rounded. `weights` are
/// theirs, outputs by inputs, and `peaks` the largest magnitude that each input has had.
#[must_use]
pub fn smoothing(weights: &[&[f32]], peaks: &[f32]) -> Vec<f32> {
    let mut largest = vec![LEAST; peaks.len()];
    for row in weights.iter().flat_map(|weights| weights.chunks_exact(peaks.len().max(1))) {
        largest.iter_mut().zip(row).for_each(|(largest, weight)| *largest = largest.max(weight.abs()));
    }
    let divisor = |(weight, peak): (&f32, &f32)| (peak.max(LEAST) / weight).sqrt();
    let divisors: Vec<f32> = largest.iter().zip(peaks).map(divisor).collect();
    let mean = divisors.iter().sum::<f32>() / divisors.len().max(1) as f32;
    divisors.iter().map(|divisor| (mean / divisor).clamp(MOST.recip(), MOST)).collect()
}
