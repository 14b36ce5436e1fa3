//! Figures of merit.

/// Area under the ROC curve: the chance that a positive scores above a negative, ties half.
/// Not a number if one of the two is missing.
pub(crate) fn auroc(scores: &[f32], positive: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|left, right| scores[*left].total_cmp(&scores[*right]));
    let (mut ranks, mut at) = (0.0_f64, 0);
    while at < order.len() {
        let mut end = at;
        while end < order.len() && scores[order[end]] == scores[order[at]] {
            end += 1;
        }
        // Ranks count from 1; ties share their mean.
        let shared = (at + 1 + end) as f64 / 2.0;
        ranks += shared * order[at..end].iter().filter(|index| positive[**index]).count() as f64;
        at = end;
    }
    let positives = positive.iter().filter(|is| **is).count() as f64;
    let negatives = positive.len() as f64 - positives;
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// Precision and recall of `scores >= threshold`.
pub(crate) fn precision_recall(scores: &[f32], positive: &[bool], threshold: f32) -> (f64, f64) {
    let count = |test: &dyn Fn(f32, bool) -> bool| {
        scores.iter().zip(positive).filter(|(score, is)| test(**score, **is)).count() as f64
    };
    let hits = count(&|score, is| score >= threshold && is);
    (hits / count(&|score, _| score >= threshold), hits / count(&|_, is| is))
}

/// F1 of `scores >= threshold`; 0 if nothing is hit.
pub(crate) fn f1(scores: &[f32], positive: &[bool], threshold: f32) -> f64 {
    let (precision, recall) = precision_recall(scores, positive, threshold);
    if precision > 0.0 && recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// The threshold with the highest F1 among 0.02, 0.04, ... 0.98.
pub(crate) fn best_threshold(scores: &[f32], positive: &[bool]) -> f32 {
    let thresholds = (1..50).map(|step| step as f32 * 0.02);
    let rated = thresholds.map(|threshold| (f1(scores, positive, threshold), threshold));
    rated.max_by(|left, right| left.0.total_cmp(&right.0)).map_or(0.5, |best| best.1)
}

/// Share of equal entries.
pub(crate) fn accuracy(predicted: &[usize], truth: &[usize]) -> f64 {
    predicted.iter().zip(truth).filter(|(left, right)| left == right).count() as f64 / truth.len() as f64
}

/// Mean over the classes of the share of their rows that were found.
pub(crate) fn macro_recall(predicted: &[usize], truth: &[usize], classes: usize) -> f64 {
    let recall = |class: usize| {
        let rows = predicted.iter().zip(truth).filter(|(_, truth)| **truth == class);
        let (mut all, mut found) = (0_u32, 0_u32);
        for (predicted, _) in rows {
            all += 1;
            found += u32::from(*predicted == class);
        }
        f64::from(found) / f64::from(all)
    };
    (0..classes).map(recall).sum::<f64>() / classes as f64
}

/// Mean surprise of probabilities, in nats.
pub(crate) fn log_loss(scores: &[f32], targets: &[f32]) -> f64 {
    let one = |(score, target): (&f32, &f32)| {
        let (score, target) = (f64::from(*score).clamp(1e-7, 1.0 - 1e-7), f64::from(*target));
        -target * score.ln() - (1.0 - target) * (1.0 - score).ln()
    };
    scores.iter().zip(targets).map(one).sum::<f64>() / scores.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_agree_with_counting_by_hand() {
        let scores = [0.9, 0.8, 0.7, 0.4, 0.4, 0.1];
        let truth = [true, false, true, true, false, false];
        // Pairs won: 0.9 beats 3, 0.7 beats 2, 0.4 beats 1 and ties 1 = 6.5 of 9.
        assert!((auroc(&scores, &truth) - 6.5 / 9.0).abs() < 1e-12);
        let (precision, recall) = precision_recall(&scores, &truth, 0.6);
        assert!((precision - 2.0 / 3.0).abs() < 1e-12 && (recall - 2.0 / 3.0).abs() < 1e-12);
        assert!((f1(&scores, &truth, 0.6) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(f1(&scores, &truth, 0.95), 0.0);
        assert!((f1(&scores, &truth, best_threshold(&scores, &truth)) - 0.75).abs() < 1e-12);
        assert_eq!(accuracy(&[0, 1, 2, 2], &[0, 1, 1, 2]), 0.75);
        assert!((macro_recall(&[0, 1, 2, 2], &[0, 1, 1, 2], 3) - (1.0 + 0.5 + 1.0) / 3.0).abs() < 1e-12);
        assert!((log_loss(&[0.5, 0.5], &[1.0, 0.0]) - 2.0_f64.ln()).abs() < 1e-6);
    }
}
