//! Every figure of one reader on labelled rows: sentiment, negative, frustration.
//!
//! Knows rows and predictions; must not know who made the predictions.

use super::calibration::{Bin, brier, expected_error, reliability};
use super::labels::{Level, NEGATIVE, POLARITIES, POSITIVE};
use super::rows::Row;
use super::statistics::{Scale, alpha};
use super::{metrics, ratio};
use serde::Serialize;
use std::collections::BTreeMap;

/// The probability from which a text counts as negative where a yes or no is needed.
const NEGATIVE_THRESHOLD: f32 = 0.5;

/// What a reader says of one text; what it does not say is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prediction {
    /// The class, where the reader names one itself.
    pub sentiment: Option<usize>,
    /// Score of negative; a probability for the calibration figures to mean anything.
    pub negative: Option<f32>,
    /// Score of neutral.
    pub neutral: Option<f32>,
    /// Score of positive.
    pub positive: Option<f32>,
    /// Score of frustration.
    pub frustration: Option<f32>,
}

impl Prediction {
    /// The class. Where the truth knows negative and positive only, the larger of the two scores;
    /// else the named class or the largest of the three.
    #[must_use]
    pub fn class(&self, two_way: bool) -> Option<usize> {
        let scores = self.shares();
        match scores {
            Some([negative, _, positive]) if two_way => Some(if positive > negative { POSITIVE } else { NEGATIVE }),
            _ => self.sentiment.or_else(|| {
                let scores = scores?;
                (0..scores.len()).max_by(|left, right| scores[*left].total_cmp(&scores[*right]))
            }),
        }
    }

    /// Scores by class; the neutral one is what the others leave where it is not given.
    #[must_use]
    pub fn shares(&self) -> Option<[f32; 3]> {
        let (negative, positive) = (self.negative?, self.positive?);
        Some([negative, self.neutral.unwrap_or(1.0 - negative - positive), positive])
    }
}

/// A count and the share that it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// `count / of`, 0 to 1; not a number of nothing.
    pub share: f64,
    /// Rows counted.
    pub count: usize,
    /// Rows looked at.
    pub of: usize,
}

impl Share {
    fn of(values: impl Iterator<Item = bool>) -> Self {
        let (count, of) = values.fold((0, 0), |(count, of), is| (count + usize::from(is), of + 1));
        Self { share: ratio(count, of), count, of }
    }
}

/// One class of the sentiment.
#[derive(Clone, Debug, Serialize)]
pub struct ClassLine {
    /// Its name.
    pub class: &'static str,
    /// Rows that are of it.
    pub rows: usize,
    /// See [`metrics::ClassFigures`].
    pub precision: f64,
    /// See [`metrics::ClassFigures`].
    pub recall: f64,
    /// See [`metrics::ClassFigures`].
    pub f1: f64,
}

/// Sentiment as a choice of one class.
#[derive(Clone, Debug, Serialize)]
pub struct SentimentFigures {
    /// Rows with a label.
    pub rows: usize,
    /// Share of right classes.
    pub accuracy: f64,
    /// Mean F1 of the classes that occur.
    pub macro_f1: f64,
    /// Mean recall of the classes that have rows.
    pub macro_recall: f64,
    /// Krippendorff's alpha between reader and label, ordinal: comparable with that of two people.
    pub alpha: f64,
    /// By class.
    pub classes: Vec<ClassLine>,
    /// Rows by `[truth][predicted]`, classes in the order negative, neutral, positive.
    pub confusion: Vec<Vec<usize>>,
}

/// A yes or no with a score.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreFigures {
    /// Rows with a label.
    pub rows: usize,
    /// Rows that are positive.
    pub positives: usize,
    /// See [`metrics::auroc`].
    pub auroc: f64,
    /// See [`metrics::average_precision`].
    pub average_precision: f64,
    /// The threshold of the next four.
    pub threshold: f32,
    /// Share of flagged rows that are positive.
    pub precision: f64,
    /// Share of positive rows that are flagged.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Rows at or above the threshold.
    pub flagged: Share,
    /// Krippendorff's alpha between flag and label, nominal.
    pub alpha: f64,
    /// See [`super::calibration::brier`].
    pub brier: f64,
    /// See [`super::calibration::expected_error`].
    pub ece: f64,
    /// See [`super::calibration::reliability`].
    pub reliability: Vec<Bin>,
}

/// Everything about one set of rows.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Rows, labelled or not.
    pub rows: usize,
    /// Sentiment by class.
    pub sentiment: Option<SentimentFigures>,
    /// Negative against the rest, by its score.
    pub negative: Option<ScoreFigures>,
    /// Frustrated against the rest.
    pub frustration: Option<ScoreFigures>,
    /// Rows at or above the frustration threshold by labelled level.
    pub levels: BTreeMap<&'static str, Share>,
    /// Calm but negative rows that are flagged as frustrated: the mistake that annoys most.
    pub calm_negative: Option<Share>,
    /// All rows that are flagged as frustrated, labelled or not.
    pub flagged: Option<Share>,
}

/// Figures of these rows with their predictions. `threshold` is the frustration's.
#[must_use]
pub fn figures(rows: &[(&Row, &Prediction)], threshold: f32) -> Figures {
    let negative = rows.iter().filter_map(|(row, said)| Some((said.negative?, row.sentiment? == NEGATIVE)));
    let frustration = rows.iter().filter_map(|(row, said)| Some((said.frustration?, row.frustration?.is_frustrated())));
    let level =
        |(row, said): &(&Row, &Prediction)| Some((row.frustration?, said.frustration? >= threshold, row.sentiment));
    let found: Vec<(Level, bool, Option<usize>)> = rows.iter().filter_map(level).collect();
    let mut names: Vec<Level> = found.iter().map(|(level, ..)| *level).collect();
    names.sort_unstable();
    names.dedup();
    let of_level = |name: Level| found.iter().filter(move |(level, ..)| *level == name).map(|(_, flagged, _)| *flagged);
    let calm = |(level, _, sentiment): &&(Level, bool, Option<usize>)| {
        matches!(level, Level::None | Level::No) && *sentiment == Some(NEGATIVE)
    };
    let calm_negative = Share::of(found.iter().filter(calm).map(|(_, flagged, _)| *flagged));
    let flagged = Share::of(rows.iter().filter_map(|(_, said)| Some(said.frustration? >= threshold)));
    Figures {
        rows: rows.len(),
        sentiment: sentiment(rows),
        negative: score(negative, NEGATIVE_THRESHOLD),
        frustration: score(frustration, threshold),
        levels: names.into_iter().map(|level| (level.name(), Share::of(of_level(level)))).collect(),
        calm_negative: Some(calm_negative).filter(|share| share.of > 0),
        flagged: Some(flagged).filter(|share| share.of > 0),
    }
}

fn sentiment(rows: &[(&Row, &Prediction)]) -> Option<SentimentFigures> {
    let classes = rows.iter().filter_map(|(row, said)| Some((said.class(row.two_way)?, row.sentiment?)));
    let (found, truth): (Vec<usize>, Vec<usize>) = classes.unzip();
    let count = POLARITIES.len();
    let line = |(class, figures): (&'static str, metrics::ClassFigures)| ClassLine {
        class,
        rows: figures.rows,
        precision: figures.precision,
        recall: figures.recall,
        f1: figures.f1,
    };
    (!truth.is_empty()).then(|| SentimentFigures {
        rows: truth.len(),
        accuracy: metrics::accuracy(&found, &truth),
        macro_f1: metrics::macro_f1(&found, &truth, count),
        macro_recall: metrics::macro_recall(&found, &truth, count),
        alpha: alpha(&found, &truth, count, Scale::Ordinal),
        classes: POLARITIES.into_iter().zip(metrics::per_class(&found, &truth, count)).map(line).collect(),
        confusion: metrics::confusion(&found, &truth, count),
    })
}

fn score(scored: impl Iterator<Item = (f32, bool)>, threshold: f32) -> Option<ScoreFigures> {
    let (scores, truth): (Vec<f32>, Vec<bool>) = scored.unzip();
    let (precision, recall) = metrics::precision_recall(&scores, &truth, threshold);
    let flags: Vec<usize> = scores.iter().map(|score| usize::from(*score >= threshold)).collect();
    let labels: Vec<usize> = truth.iter().map(|is| usize::from(*is)).collect();
    let bins = reliability(&scores, &truth);
    (!scores.is_empty()).then(|| ScoreFigures {
        rows: scores.len(),
        positives: labels.iter().sum(),
        auroc: metrics::auroc(&scores, &truth),
        average_precision: metrics::average_precision(&scores, &truth),
        threshold,
        precision,
        recall,
        f1: metrics::f1(&scores, &truth, threshold),
        flagged: Share::of(flags.iter().map(|flag| *flag == 1)),
        alpha: alpha(&flags, &labels, 2, Scale::Nominal),
        brier: brier(&scores, &truth),
        ece: expected_error(&bins),
        reliability: bins,
    })
}

/// Figures of the rows that share a domain, a channel or a file, by that kind and then by its name.
/// A kind that has fewer than two names says nothing beyond the whole and is left out.
#[must_use]
pub fn groups(rows: &[(&Row, &Prediction)], threshold: f32) -> BTreeMap<&'static str, BTreeMap<String, Figures>> {
    type Key = fn(&Row) -> Option<&str>;
    let kinds: [(&'static str, Key); 3] = [
        ("domain", |row| row.domain.as_deref()),
        ("channel", |row| row.channel.as_deref()),
        ("file", |row| Some(&row.file)),
    ];
    let mut found = BTreeMap::new();
    for (kind, key) in kinds {
        let mut parts: BTreeMap<String, Vec<(&Row, &Prediction)>> = BTreeMap::new();
        for (row, said) in rows {
            if let Some(name) = key(row) {
                parts.entry(name.to_owned()).or_default().push((row, said));
            }
        }
        if parts.len() > 1 {
            found.insert(kind, parts.into_iter().map(|(name, part)| (name, figures(&part, threshold))).collect());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::labels::NEUTRAL;
    use super::*;

    fn row(sentiment: usize, frustration: Level, domain: &str) -> Row {
        Row {
            file: "a.csv".to_owned(),
            line: 2,
            id: None,
            text: "text".to_owned(),
            sentiment: Some(sentiment),
            frustration: Some(frustration),
            domain: Some(domain.to_owned()),
            channel: None,
            two_way: false,
            earlier: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn said(negative: f32, positive: f32, frustration: f32) -> Prediction {
        Prediction {
            negative: Some(negative),
            positive: Some(positive),
            frustration: Some(frustration),
            ..Prediction::default()
        }
    }

    #[test]
    fn figures_agree_with_counting_by_hand() {
        let rows = [
            (row(NEGATIVE, Level::Severe, "bank"), said(0.9, 0.0, 0.8)),
            (row(NEGATIVE, Level::None, "bank"), said(0.8, 0.1, 0.7)),
            (row(NEGATIVE, Level::None, "shop"), said(0.2, 0.1, 0.2)),
            (row(POSITIVE, Level::Mild, "shop"), said(0.1, 0.9, 0.1)),
        ];
        let rows: Vec<(&Row, &Prediction)> = rows.iter().map(|(row, said)| (row, said)).collect();
        let found = figures(&rows, 0.6);
        let sentiment = found.sentiment.unwrap();
        assert_eq!((sentiment.accuracy, sentiment.confusion[NEGATIVE][NEUTRAL]), (0.75, 1));
        assert_eq!(found.calm_negative, Some(Share { share: 0.5, count: 1, of: 2 }));
        assert_eq!(found.levels["none"], Share { share: 0.5, count: 1, of: 2 });
        assert_eq!(found.levels["severe"].share, 1.0);
        let frustration = found.frustration.unwrap();
        assert_eq!((frustration.auroc, frustration.precision, frustration.recall), (1.0, 0.5, 1.0));
        assert_eq!((frustration.positives, frustration.flagged.count, found.flagged.unwrap().count), (1, 2, 2));
        assert_eq!(found.negative.unwrap().auroc, 1.0);
        let parts = groups(&rows, 0.6);
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), ["domain"], "one file and no channel say nothing more");
        assert_eq!(parts["domain"]["shop"].rows, 2);
    }

    #[test]
    fn two_classes_compare_the_two_scores() {
        let both = said(0.2, 0.3, 0.0);
        assert_eq!((both.class(true), both.class(false)), (Some(POSITIVE), Some(NEUTRAL)));
        let named = Prediction { sentiment: Some(NEUTRAL), ..Prediction::default() };
        assert_eq!((named.class(true), Prediction::default().class(false)), (Some(NEUTRAL), None));
    }

    #[test]
    fn rows_without_labels_give_the_share_that_is_flagged() {
        let bare = Row { sentiment: None, frustration: None, ..row(NEGATIVE, Level::None, "bank") };
        let found = figures(&[(&bare, &said(0.1, 0.1, 0.9))], 0.6);
        assert!(found.sentiment.is_none() && found.frustration.is_none() && found.calm_negative.is_none());
        assert_eq!(found.flagged.unwrap().share, 1.0);
    }
}
