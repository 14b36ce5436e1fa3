//! How well-timed hand-overs are: GT-T, "golden transfer within tolerance".
//!
//! From Liu et al., "Time to Transfer: Predicting and Evaluating Machine-Human Chatting Handoff" (AAAI 2021). A
//! hand-over one turn away from the right one is worth more than none, and how much more is set by the tolerance.
//! Knows positions of turns only.

/// The score of one conversation, 0 to 1: 1 for every hand-over at a right turn, or for none where none was right;
/// 0 where only one of both sides is empty.
///
/// Each predicted turn p is worth its best match among the right turns q, `exp(-(p - q)² / (2 T² (1 - λ sign(p -
/// q))))`, and the score is their mean. `tolerance` is T, in turns, 1 or more. `lateness` is λ, from 0 up to but not
/// including 1: above 0 a late turn costs more than an early one.
#[must_use]
pub fn golden_transfer(predicted: &[usize], right: &[usize], tolerance: f64, lateness: f64) -> f64 {
    if predicted.is_empty() || right.is_empty() {
        return if predicted.is_empty() && right.is_empty() { 1.0 } else { 0.0 };
    }
    let worth = |turn: usize, golden: usize| {
        let late = match turn.cmp(&golden) {
            std::cmp::Ordering::Less => -lateness,
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => lateness,
        };
        let apart = turn.abs_diff(golden) as f64;
        (-apart.powi(2) / (2.0 * tolerance.powi(2) * (1.0 - late))).exp()
    };
    let best = |turn: &usize| right.iter().map(|golden| worth(*turn, *golden)).fold(0.0, f64::max);
    predicted.iter().map(best).sum::<f64>() / predicted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::golden_transfer;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    #[test]
    fn the_formula_by_hand() {
        near(golden_transfer(&[], &[], 1.0, 0.0), 1.0);
        near(golden_transfer(&[2], &[], 1.0, 0.0), 0.0);
        near(golden_transfer(&[], &[2], 1.0, 0.0), 0.0);
        near(golden_transfer(&[2], &[2], 1.0, 0.0), 1.0);
        near(golden_transfer(&[3], &[2], 1.0, 0.0), (-0.5_f64).exp());
        near(golden_transfer(&[3], &[2], 2.0, 0.0), (-0.125_f64).exp());
        near(golden_transfer(&[3, 5], &[2, 5], 1.0, 0.0), f64::midpoint((-0.5_f64).exp(), 1.0));
    }

    #[test]
    fn lateness_can_cost_more_than_haste() {
        let (early, late) = (golden_transfer(&[1], &[2], 1.0, 0.5), golden_transfer(&[3], &[2], 1.0, 0.5));
        near(late, (-1.0_f64).exp());
        assert!(early > late, "{early} {late}");
    }
}
