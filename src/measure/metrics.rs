//! Figures of merit of scores and classes against the truth.
//!
//! Scores are probabilities or anything that ranks; `positive` and `truth` are as long as the
//! scores. A figure without rows to stand on is not a number. Knows slices only.

/// Order of `scores`, lowest first.
fn ascending(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|left, right| scores[*left].total_cmp(&scores[*right]));
    order
}

/// Area under the ROC curve: the chance that a positive scores above a negative, ties half (the
/// Mann-Whitney statistic; Hanley and McNeil, 1982). Not a number if one of the two is missing.
#[must_use]
pub fn auroc(scores: &[f32], positive: &[bool]) -> f64 {
    let order = ascending(scores);
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

/// Average precision: the precision at each score that occurs, weighted by the recall gained
/// there, without interpolation (as scikit-learn does). Not a number without positives.
#[must_use]
pub fn average_precision(scores: &[f32], positive: &[bool]) -> f64 {
    let order = ascending(scores);
    let positives = positive.iter().filter(|is| **is).count();
    let (mut hits, mut taken, mut sum, mut end) = (0_usize, 0_usize, 0.0_f64, order.len());
    while end > 0 {
        let mut begin = end;
        while begin > 0 && scores[order[begin - 1]] == scores[order[end - 1]] {
            begin -= 1;
        }
        let gained = order[begin..end].iter().filter(|index| positive[**index]).count();
        hits += gained;
        taken += end - begin;
        sum += gained as f64 * hits as f64 / taken as f64;
        end = begin;
    }
    sum / positives as f64
}

/// Precision and recall of `scores >= threshold`.
#[must_use]
pub fn precision_recall(scores: &[f32], positive: &[bool], threshold: f32) -> (f64, f64) {
    let count = |test: &dyn Fn(f32, bool) -> bool| {
        scores.iter().zip(positive).filter(|(score, is)| test(**score, **is)).count() as f64
    };
    let hits = count(&|score, is| score >= threshold && is);
    (hits / count(&|score, _| score >= threshold), hits / count(&|_, is| is))
}

/// F1 of `scores >= threshold`; 0 if nothing is hit.
#[must_use]
pub fn f1(scores: &[f32], positive: &[bool], threshold: f32) -> f64 {
    let (precision, recall) = precision_recall(scores, positive, threshold);
    if precision > 0.0 && recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// The threshold with the highest F1 among 0.02, 0.04, ... 0.98.
#[must_use]
pub fn best_threshold(scores: &[f32], positive: &[bool]) -> f32 {
    let thresholds = (1..50).map(|step| step as f32 * 0.02);
    let rated = thresholds.map(|threshold| (f1(scores, positive, threshold), threshold));
    rated.max_by(|left, right| left.0.total_cmp(&right.0)).map_or(0.5, |best| best.1)
}

/// Share of equal entries.
#[must_use]
pub fn accuracy(predicted: &[usize], truth: &[usize]) -> f64 {
    predicted.iter().zip(truth).filter(|(left, right)| left == right).count() as f64 / truth.len() as f64
}

/// How one class was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassFigures {
    /// Rows that are of the class.
    pub rows: usize,
    /// Rows that were taken for the class.
    pub predicted: usize,
    /// Share of the rows taken for the class that are of it; 0 if none was taken.
    pub precision: f64,
    /// Share of the rows of the class that were found; not a number without rows.
    pub recall: f64,
    /// Harmonic mean of the two, 0 if nothing was found.
    pub f1: f64,
}

/// Counts by `[truth][predicted]`, both below `classes`.
#[must_use]
pub fn confusion(predicted: &[usize], truth: &[usize], classes: usize) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (predicted, truth) in predicted.iter().zip(truth) {
        counts[*truth][*predicted] += 1;
    }
    counts
}

/// Precision, recall and F1 of each class below `classes`.
#[must_use]
pub fn per_class(predicted: &[usize], truth: &[usize], classes: usize) -> Vec<ClassFigures> {
    let counts = confusion(predicted, truth, classes);
    let figures = |class: usize| {
        let hits = counts[class][class] as f64;
        let rows: usize = counts[class].iter().sum();
        let predicted: usize = counts.iter().map(|row| row[class]).sum();
        ClassFigures {
            rows,
            predicted,
            precision: if predicted == 0 { 0.0 } else { hits / predicted as f64 },
            recall: hits / rows as f64,
            // 2 PR / (P + R), written without the two divisions that can fail.
            f1: if rows + predicted == 0 { 0.0 } else { 2.0 * hits / (rows + predicted) as f64 },
        }
    };
    (0..classes).map(figures).collect()
}

/// Mean over the classes that have rows of the share of their rows that were found.
#[must_use]
pub fn macro_recall(predicted: &[usize], truth: &[usize], classes: usize) -> f64 {
    let figures = per_class(predicted, truth, classes);
    mean(figures.iter().filter(|class| class.rows > 0).map(|class| class.recall))
}

/// Mean F1 over the classes that occur in the truth or among the predictions.
#[must_use]
pub fn macro_f1(predicted: &[usize], truth: &[usize], classes: usize) -> f64 {
    let figures = per_class(predicted, truth, classes);
    mean(figures.iter().filter(|class| class.rows + class.predicted > 0).map(|class| class.f1))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / count as f64
}

/// Mean surprise of probabilities, in nats.
#[must_use]
pub fn log_loss(scores: &[f32], targets: &[f32]) -> f64 {
    let one = |(score, target): (&f32, &f32)| {
        let (score, target) = (f64::from(*score).clamp(1e-7, 1.0 - 1e-7), f64::from(*target));
        -target * score.ln() - (1.0 - target) * (1.0 - score).ln()
    };
    scores.iter().zip(targets).map(one).sum::<f64>() / scores.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-12
    }

    #[test]
    fn figures_agree_with_counting_by_hand() {
        let scores = [0.9, 0.8, 0.7, 0.4, 0.4, 0.1];
        let truth = [true, false, true, true, false, false];
        // Pairs won: 0.9 beats 3, 0.7 beats 2, 0.4 beats 1 and ties 1 = 6.5 of 9.
        assert!(near(auroc(&scores, &truth), 6.5 / 9.0));
        // Recall grows by a third at 0.9 (1 of 1), at 0.7 (2 of 3) and at the tie of 0.4 (3 of 5).
        assert!(near(average_precision(&scores, &truth), (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0));
        let (precision, recall) = precision_recall(&scores, &truth, 0.6);
        assert!(near(precision, 2.0 / 3.0) && near(recall, 2.0 / 3.0));
        assert!(near(f1(&scores, &truth, 0.6), 2.0 / 3.0));
        assert_eq!(f1(&scores, &truth, 0.95), 0.0);
        assert!(near(f1(&scores, &truth, best_threshold(&scores, &truth)), 0.75));
        assert!((log_loss(&[0.5, 0.5], &[1.0, 0.0]) - 2.0_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn classes_agree_with_counting_by_hand() {
        let (predicted, truth) = ([0, 1, 2, 2], [0, 1, 1, 2]);
        assert_eq!(accuracy(&predicted, &truth), 0.75);
        assert!(near(macro_recall(&predicted, &truth, 3), (1.0 + 0.5 + 1.0) / 3.0));
        assert!(near(macro_f1(&predicted, &truth, 3), (1.0 + 2.0 / 3.0 + 2.0 / 3.0) / 3.0));
        assert_eq!(confusion(&predicted, &truth, 3), [[1, 0, 0], [0, 1, 1], [0, 0, 1]]);
        let figures = per_class(&predicted, &truth, 4);
        assert_eq!((figures[1].rows, figures[1].predicted), (2, 1));
        assert!(near(figures[1].precision, 1.0) && near(figures[1].recall, 0.5) && near(figures[1].f1, 2.0 / 3.0));
        assert!(figures[3].recall.is_nan() && figures[3].f1 == 0.0, "a class without rows");
        // The class that never occurs counts in neither mean.
        assert!(near(macro_f1(&predicted, &truth, 4), macro_f1(&predicted, &truth, 3)));
        assert!(near(macro_recall(&predicted, &truth, 4), macro_recall(&predicted, &truth, 3)));
    }

    #[test]
    fn what_has_no_rows_is_not_a_number() {
        assert!(auroc(&[0.5], &[true]).is_nan());
        assert!(average_precision(&[0.5], &[false]).is_nan());
        assert!(accuracy(&[], &[]).is_nan() && macro_f1(&[], &[], 3).is_nan());
        assert!(precision_recall(&[0.1], &[true], 0.5).0.is_nan(), "nothing was flagged");
    }
}
