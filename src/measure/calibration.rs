//! Whether probabilities mean what they say: of the texts with a score of 0.7, seven in ten.
//!
//! Knows scores and truth; must not know where they come from.

use serde::Serialize;

/// Bins of equal width, as is usual for the expected calibration error.
pub const BINS: usize = 15;

/// The rows whose score lies in one span.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end of the span, part of it, 0 to 1.
    pub from: f64,
    /// Upper end of the span, 0 to 1; part of it in the last bin only.
    pub to: f64,
    /// Rows in it.
    pub rows: usize,
    /// Their mean score; not a number without rows.
    pub mean_score: f64,
    /// Share of them that are positive; not a number without rows.
    pub positive: f64,
}

/// The reliability table: [`BINS`] bins of equal width over 0 to 1 (DeGroot and Fienberg, 1983).
/// Scores outside 0 to 1 go into the nearest bin.
#[must_use]
pub fn reliability(scores: &[f32], positive: &[bool]) -> Vec<Bin> {
    let mut sums = [(0_usize, 0.0_f64, 0_usize); BINS];
    for (score, is) in scores.iter().zip(positive) {
        // The cast takes what is below 0 to 0.
        let bin = ((f64::from(*score) * BINS as f64) as usize).min(BINS - 1);
        let (rows, sum, hits) = &mut sums[bin];
        *rows += 1;
        *sum += f64::from(*score);
        *hits += usize::from(*is);
    }
    let bin = |(index, (rows, sum, hits)): (usize, (usize, f64, usize))| Bin {
        from: index as f64 / BINS as f64,
        to: (index + 1) as f64 / BINS as f64,
        rows,
        mean_score: sum / rows as f64,
        positive: hits as f64 / rows as f64,
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// Expected calibration error, 0 to 1: the gap between mean score and share of positives in each
/// bin, weighted by its rows (Naeini et al., 2015, for the positive class). Not a number without
/// rows.
#[must_use]
pub fn expected_error(bins: &[Bin]) -> f64 {
    let rows: usize = bins.iter().map(|bin| bin.rows).sum();
    let gaps = bins.iter().filter(|bin| bin.rows > 0);
    gaps.map(|bin| (bin.mean_score - bin.positive).abs() * bin.rows as f64).sum::<f64>() / rows as f64
}

/// Brier score: mean squared distance of the score from 1 or 0 (Brier, 1950). 0 is perfect, and
/// always saying 0.5 gives 0.25. Not a number without rows.
#[must_use]
pub fn brier(scores: &[f32], positive: &[bool]) -> f64 {
    let square = |(score, is): (&f32, &bool)| (f64::from(*score) - f64::from(u8::from(*is))).powi(2);
    scores.iter().zip(positive).map(square).sum::<f64>() / scores.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_and_their_error_agree_with_counting_by_hand() {
        let (scores, truth) = ([0.0, 0.02, 0.5, 0.52, 1.0], [false, true, true, false, true]);
        let bins = reliability(&scores, &truth);
        assert_eq!(bins.len(), BINS);
        // 0.5 and 0.52 lie in 7/15 to 8/15; 1 belongs to the last bin.
        assert_eq!((bins[0].rows, bins[7].rows, bins[14].rows), (2, 2, 1));
        assert!((bins[7].mean_score - 0.51).abs() < 1e-6 && bins[7].positive == 0.5);
        assert!(bins[3].mean_score.is_nan());
        // Gaps 0.49, 0.01 and 0 with weights 2, 2 and 1 of 5.
        assert!((expected_error(&bins) - (2.0 * 0.49 + 2.0 * 0.01) / 5.0).abs() < 1e-6);
    }

    #[test]
    fn brier_is_the_mean_square() {
        assert!((brier(&[1.0, 0.5, 0.2], &[true, true, false]) - (0.0 + 0.25 + 0.04) / 3.0).abs() < 1e-6);
        assert!(brier(&[], &[]).is_nan());
    }

    #[test]
    fn a_score_outside_is_counted_at_the_edge() {
        let bins = reliability(&[-0.3, 1.7], &[false, true]);
        assert_eq!((bins[0].rows, bins[BINS - 1].rows), (1, 1));
    }
}
