//! Statistics of paired measurements and of two raters.
//!
//! Knows numbers only.

use serde::Serialize;

/// Mean; not a number without values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation of a sample (n - 1); not a number below two values.
#[must_use]
pub fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    (values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

/// What differences of pairs say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// Pairs.
    pub pairs: usize,
    /// Mean difference.
    pub mean: f64,
    /// Student's t for pairs: mean over standard error.
    pub t: f64,
    /// Chance of a t at least this far from 0 if there is no difference, two-sided.
    pub p: f64,
    /// Cohen's d for pairs (d_z): mean over deviation of the differences.
    pub d: f64,
}

/// The paired t test of differences (Student, 1908) with Cohen's d_z (Cohen, 1988). Not a number
/// below two pairs; if all differences are the same, p is 1 where they are 0 and else 0.
#[must_use]
pub fn paired(differences: &[f64]) -> Paired {
    let (pairs, mean, spread) = (differences.len(), mean(differences), deviation(differences));
    let count = pairs as f64;
    let (t, d) =
        if mean == 0.0 && spread == 0.0 { (0.0, 0.0) } else { (mean / (spread / count.sqrt()), mean / spread) };
    let freedom = count - 1.0;
    let p = if t.is_infinite() { 0.0 } else { incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5) };
    Paired { pairs, mean, t, p, d }
}

/// How differing values count in [`alpha`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Different is different.
    Nominal,
    /// Values have an order, and the further apart, the worse.
    Ordinal,
}

/// Krippendorff's alpha of two raters without gaps (Krippendorff, 2011): 1 is agreement, 0 what
/// chance gives. Values are below `values`, in their order. Not a number without rows or if only
/// one value occurs.
#[must_use]
pub fn alpha(first: &[usize], second: &[usize], values: usize, scale: Scale) -> f64 {
    let mut together = vec![vec![0.0_f64; values]; values];
    for (left, right) in first.iter().zip(second) {
        together[*left][*right] += 1.0;
        together[*right][*left] += 1.0;
    }
    let totals: Vec<f64> = together.iter().map(|row| row.iter().sum()).collect();
    let all: f64 = totals.iter().sum();
    let distance = |left: usize, right: usize| match scale {
        Scale::Nominal => f64::from(u8::from(left != right)),
        Scale::Ordinal => {
            let between: f64 = totals[left.min(right)..=left.max(right)].iter().sum();
            (between - (totals[left] + totals[right]) / 2.0).powi(2)
        }
    };
    let (mut observed, mut expected) = (0.0, 0.0);
    for left in 0..values {
        for right in 0..values {
            observed += together[left][right] * distance(left, right) / all;
            expected += totals[left] * totals[right] * distance(left, right) / (all * (all - 1.0));
        }
    }
    1.0 - observed / expected
}

/// Logarithm of the gamma function of a number above 0, by Lanczos' approximation with g = 7 and
/// nine coefficients.
fn ln_gamma(number: f64) -> f64 {
    const FIRST: f64 = 0.999_999_999_999_809_9;
    const REST: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if number < 0.5 {
        // Reflection: the series holds from 0.5 on.
        return (std::f64::consts::PI / (std::f64::consts::PI * number).sin()).ln() - ln_gamma(1.0 - number);
    }
    let number = number - 1.0;
    let terms = REST.iter().enumerate().map(|(at, factor)| factor / (number + at as f64 + 1.0));
    let sum = FIRST + terms.sum::<f64>();
    let shifted = number + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (number + 0.5) * shifted.ln() - shifted + sum.ln()
}

/// The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) evaluated
/// with Lentz' method. `at` is 0 to 1, `a` and `b` are above 0.
fn incomplete_beta(at: f64, a: f64, b: f64) -> f64 {
    if !(at > 0.0 && at < 1.0 && a > 0.0) {
        return if a > 0.0 { at } else { f64::NAN };
    }
    // The fraction converges quickly on this side only.
    if at > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - at, b, a);
    }
    const TINY: f64 = 1e-300;
    const STEPS: u32 = 300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * at.ln() + b * (1.0 - at).ln()).exp() / a;
    let mut lower = 1.0 / away(1.0 - (a + b) * at / (a + 1.0));
    let (mut upper, mut fraction) = (1.0, lower);
    for step in 1..STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * at / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * at / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            lower = 1.0 / away(1.0 + term * lower);
            upper = away(1.0 + term / upper);
            change = lower * upper;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn the_paired_test_agrees_with_the_closed_forms() {
        // Mean 2, deviation 1; with two degrees of freedom p is 1 - t / sqrt(t^2 + 2).
        let found = paired(&[1.0, 2.0, 3.0]);
        assert!(near(found.t, 12.0_f64.sqrt()) && near(found.d, 2.0) && near(found.mean, 2.0));
        assert!(near(found.p, 1.0 - 12.0_f64.sqrt() / 14.0_f64.sqrt()));
        // With one degree of freedom p is 1 - 2 atan(t) / pi.
        let found = paired(&[0.0, 1.0]);
        assert!(near(found.t, 1.0) && near(found.p, 0.5));
        // The table's 5 % point for 10 degrees of freedom.
        assert!((incomplete_beta(10.0 / (10.0 + 2.228_138_852_f64.powi(2)), 5.0, 0.5) - 0.05).abs() < 1e-8);
    }

    #[test]
    fn differences_that_are_all_the_same_need_no_distribution() {
        assert_eq!(paired(&[0.0, 0.0, 0.0]).p, 1.0);
        assert_eq!(paired(&[0.5, 0.5, 0.5]).p, 0.0);
        assert!(paired(&[0.5]).p.is_nan());
    }

    #[test]
    fn alpha_agrees_with_krippendorff_and_with_counting_by_hand() {
        // Krippendorff (2011), section A: 4 disagreements, 14 zeros and 6 ones.
        let (meg, owen) = ([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]);
        assert!(near(alpha(&meg, &owen, 2, Scale::Nominal), 1.0 - 19.0 * 4.0 / (14.0 * 6.0)));
        // Totals 3, 3, 2 of 8; distances 9, 6.25 and 30.25: 1 - (18 / 8) / (600 / 56).
        assert!(near(alpha(&[0, 1, 2, 0], &[0, 1, 2, 1], 3, Scale::Ordinal), 0.79));
        assert!(near(alpha(&[0, 1, 2], &[0, 1, 2], 3, Scale::Ordinal), 1.0));
        assert!(alpha(&[1, 1], &[1, 1], 3, Scale::Nominal).is_nan());
    }

    #[test]
    fn the_gamma_function_at_known_points() {
        assert!(near(ln_gamma(5.0), 24.0_f64.ln()));
        assert!(near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln()));
        assert!(near(ln_gamma(0.25), 3.625_609_908_221_908_f64.ln()));
    }
}
