//! Whether the model reads people alike: the same sentence with another name, relative or group in
//! it, and the same meaning in another dialect, must get the same frustration.
//!
//! After Kiritchenko and Mohammad (2018, the Equity Evaluation Corpus) and Sap et al. (2019, on
//! African American English). Knows sentences and a reader; must not know models or files.

use super::statistics::{Paired, mean, paired};
use super::templates::{Dialect, Dimension, Templates, fill};
use crate::domain::Analysis;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::collections::BTreeMap;

/// The largest differences of frustration that pass, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Between the means of any two groups of a dimension.
    pub mean: f64,
    /// Between the mean of any single word and the mean of its dimension.
    pub pair: f64,
    /// Mean over the pairs of a dialect, to either side.
    pub dialect: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { mean: 0.01, pair: 0.03, dialect: 0.05 }
    }
}

/// The two scores that are audited, as means, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Means {
    /// Of frustration; the bounds hold for this one.
    pub frustration: f64,
    /// Of negative.
    pub negative: f64,
}

/// The same for tests of differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tests {
    /// Of frustration.
    pub frustration: Paired,
    /// Of negative.
    pub negative: Paired,
}

/// One group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupFigures {
    /// Its name.
    pub group: String,
    /// Means over its words and templates.
    #[serde(flatten)]
    pub means: Means,
}

/// One word.
#[derive(Clone, Debug, Serialize)]
pub struct WordFigures {
    /// The word.
    pub word: String,
    /// Its group.
    pub group: String,
    /// Means over the templates.
    #[serde(flatten)]
    pub means: Means,
}

/// Two groups, paired by template.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The group whose scores are taken.
    pub first: String,
    /// The group whose scores are taken off.
    pub second: String,
    /// Tests of the difference; p values are not corrected for the number of comparisons.
    #[serde(flatten)]
    pub tests: Tests,
}

/// One dimension.
#[derive(Clone, Debug, Serialize)]
pub struct DimensionFigures {
    /// Its name.
    pub dimension: String,
    /// Templates that it was put into.
    pub templates: usize,
    /// Means over the groups' means.
    #[serde(flatten)]
    pub means: Means,
    /// Its groups.
    pub groups: Vec<GroupFigures>,
    /// Every two groups, the largest difference of frustration first.
    pub comparisons: Vec<Comparison>,
    /// Its words, the highest frustration first.
    pub words: Vec<WordFigures>,
    /// Largest difference of frustration between two words.
    pub largest_word_pair: f64,
}

/// One dialect.
#[derive(Clone, Debug, Serialize)]
pub struct DialectFigures {
    /// Its name.
    pub dialect: String,
    /// What it is compared with.
    pub standard: String,
    /// Means of the standard sentences.
    pub of_standard: Means,
    /// Means of the dialect's sentences.
    pub of_dialect: Means,
    /// Tests of dialect less standard: above 0, the dialect is read as more frustrated.
    #[serde(flatten)]
    pub tests: Tests,
    /// Mean difference of frustration by mood.
    pub by_mood: BTreeMap<String, f64>,
}

/// A difference of frustration that is over its bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Over {
    /// What differs from what.
    pub what: String,
    /// The difference, -1 to 1.
    pub difference: f64,
    /// Its bound, to either side.
    pub bound: f64,
}

impl Over {
    /// The difference, if it is over the bound.
    fn find(what: String, difference: f64, bound: f64) -> Option<Self> {
        (difference.abs() > bound).then_some(Self { what, difference, bound })
    }
}

impl std::fmt::Display for Over {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {:+.4}, bound {}", self.what, self.difference, self.bound)
    }
}

/// The whole audit.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What had to be kept.
    pub bounds: Bounds,
    /// Texts that were read.
    pub texts: usize,
    /// By dimension.
    pub dimensions: Vec<DimensionFigures>,
    /// By dialect.
    pub dialects: Vec<DialectFigures>,
    /// What was not kept, the furthest over its bound first; empty if the audit is passed.
    pub over: Vec<Over>,
}

/// Reads every sentence and compares. `read` gives one analysis per text, in order.
///
/// # Errors
/// If `read` fails or gives another number of analyses than texts.
pub fn audit(
    templates: &Templates,
    bounds: Bounds,
    read: impl FnOnce(&[String]) -> Result<Vec<Analysis>>,
) -> Result<Report> {
    let texts = texts(templates);
    let analyses = read(&texts)?;
    ensure!(analyses.len() == texts.len(), "{} readings for {} texts", analyses.len(), texts.len());
    let scores = analyses.iter().map(|analysis| Means {
        frustration: f64::from(analysis.frustration),
        negative: f64::from(analysis.sentiment.negative),
    });
    let mut scores = scores.collect::<Vec<_>>().into_iter();
    let mut take = |count: usize| scores.by_ref().take(count).collect::<Vec<Means>>();
    let dimensions = templates.dimensions.iter().map(|dimension| {
        let count = templates.of_slot(&dimension.slot).len();
        measure_dimension(dimension, count, &mut take)
    });
    let dimensions: Vec<DimensionFigures> = dimensions.collect();
    let dialects: Vec<DialectFigures> =
        templates.dialects.iter().map(|dialect| measure_dialect(dialect, &mut take)).collect();
    let of_dialect = |found: &DialectFigures| {
        let what = format!("{} less {}", found.dialect, found.standard);
        Over::find(what, found.tests.frustration.mean, bounds.dialect)
    };
    let over = dimensions.iter().flat_map(|found| over_dimension(found, bounds));
    let mut over: Vec<Over> = over.chain(dialects.iter().filter_map(of_dialect)).collect();
    let excess = |over: &Over| over.difference.abs() / over.bound;
    over.sort_by(|left, right| excess(right).total_cmp(&excess(left)));
    Ok(Report { bounds, texts: texts.len(), dimensions, dialects, over })
}

/// Every text, in the order in which the scores are taken apart again: by dimension, group, word
/// and template, then by dialect and pair.
fn texts(templates: &Templates) -> Vec<String> {
    let mut texts = Vec::new();
    for dimension in &templates.dimensions {
        let sentences = templates.of_slot(&dimension.slot);
        for word in dimension.groups.values().flatten() {
            texts.extend(sentences.iter().map(|sentence| fill(sentence, &dimension.slot, word)));
        }
    }
    texts.extend(templates.dialects.iter().flat_map(|dialect| dialect.pairs.values().flatten().flatten().cloned()));
    texts
}

fn means(scores: &[Means]) -> Means {
    let of = |score: fn(&Means) -> f64| mean(&scores.iter().map(score).collect::<Vec<_>>());
    Means { frustration: of(|score| score.frustration), negative: of(|score| score.negative) }
}

fn tests(first: &[Means], second: &[Means]) -> Tests {
    let of = |score: fn(&Means) -> f64| {
        paired(&first.iter().zip(second).map(|(first, second)| score(first) - score(second)).collect::<Vec<_>>())
    };
    Tests { frustration: of(|score| score.frustration), negative: of(|score| score.negative) }
}

fn measure_dimension(
    dimension: &Dimension,
    templates: usize,
    take: &mut impl FnMut(usize) -> Vec<Means>,
) -> DimensionFigures {
    // By group: means over its words, for each template.
    let mut rows: Vec<(&String, Vec<Means>)> = Vec::new();
    let mut words = Vec::new();
    for (group, named) in &dimension.groups {
        let scores: Vec<Vec<Means>> = named.iter().map(|_| take(templates)).collect();
        words.extend(named.iter().zip(&scores).map(|(word, scores)| WordFigures {
            word: word.clone(),
            group: group.clone(),
            means: means(scores),
        }));
        let column = |at: usize| means(&scores.iter().map(|word| word[at]).collect::<Vec<_>>());
        rows.push((group, (0..templates).map(column).collect()));
    }
    let groups: Vec<GroupFigures> =
        rows.iter().map(|(group, row)| GroupFigures { group: (*group).clone(), means: means(row) }).collect();
    let mut comparisons = Vec::new();
    for (at, (first, left)) in rows.iter().enumerate() {
        for (second, right) in &rows[at + 1..] {
            comparisons.push(Comparison {
                first: (*first).clone(),
                second: (*second).clone(),
                tests: tests(left, right),
            });
        }
    }
    comparisons.sort_by(|left, right| right.tests.frustration.mean.abs().total_cmp(&left.tests.frustration.mean.abs()));
    words.sort_by(|left, right| right.means.frustration.total_cmp(&left.means.frustration));
    let ends = words.first().zip(words.last());
    DimensionFigures {
        dimension: dimension.name.clone(),
        templates,
        means: means(&groups.iter().map(|group| group.means).collect::<Vec<_>>()),
        largest_word_pair: ends.map_or(0.0, |(high, low)| high.means.frustration - low.means.frustration),
        groups,
        comparisons,
        words,
    }
}

fn measure_dialect(dialect: &Dialect, take: &mut impl FnMut(usize) -> Vec<Means>) -> DialectFigures {
    let (mut standard, mut other, mut by_mood) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (mood, pairs) in &dialect.pairs {
        let scores = take(2 * pairs.len());
        let (first, second): (Vec<Means>, Vec<Means>) = scores.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        by_mood.insert(mood.clone(), tests(&second, &first).frustration.mean);
        standard.extend(first);
        other.extend(second);
    }
    DialectFigures {
        dialect: dialect.name.clone(),
        standard: dialect.standard.clone(),
        of_standard: means(&standard),
        of_dialect: means(&other),
        tests: tests(&other, &standard),
        by_mood,
    }
}

fn over_dimension(found: &DimensionFigures, bounds: Bounds) -> Vec<Over> {
    let name = &found.dimension;
    let groups = found.comparisons.iter().filter_map(|pair| {
        let what = format!("{name}: {} less {}", pair.first, pair.second);
        Over::find(what, pair.tests.frustration.mean, bounds.mean)
    });
    let words = found.words.iter().filter_map(|word| {
        let difference = word.means.frustration - found.means.frustration;
        Over::find(format!("{name}: {} less all", word.word), difference, bounds.pair)
    });
    groups.chain(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sentiment;

    fn templates() -> Templates {
        let pairs = |standard: &str, other: &str| [standard.to_owned(), other.to_owned()];
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Templates {
            templates: [("calm".to_owned(), words(&["{name} asks.", "Thanks, {name}.", "{group}."]))].into(),
            dimensions: vec![Dimension {
                name: "names".to_owned(),
                slot: "name".to_owned(),
                groups: [("a".to_owned(), words(&["Ada", "Ann"])), ("b".to_owned(), words(&["Bo", "Ben"]))].into(),
            }],
            dialects: vec![Dialect {
                name: "other".to_owned(),
                standard: "standard".to_owned(),
                pairs: [("calm".to_owned(), vec![pairs("one", "other one"), pairs("two", "other two")])].into(),
            }],
        }
    }

    fn run(score: impl Fn(&str) -> f32) -> Report {
        let read = |texts: &[String]| {
            let one = |text: &String| Analysis {
                frustration: score(text),
                sentiment: Sentiment { negative: 0.5, neutral: 0.5, positive: 0.0 },
                ..Analysis::unread()
            };
            Ok(texts.iter().map(one).collect())
        };
        audit(&templates(), Bounds::default(), read).unwrap()
    }

    #[test]
    fn a_reader_that_sees_no_groups_passes() {
        let report = run(|text| if text.contains("Thanks") { 0.1 } else { 0.5 });
        assert_eq!((report.texts, report.over.len()), (12, 0));
        let names = &report.dimensions[0];
        assert_eq!((names.templates, names.groups.len(), names.words.len()), (2, 2, 4));
        assert!((names.means.frustration - 0.3).abs() < 1e-6 && names.largest_word_pair < 1e-9);
        assert_eq!(names.comparisons[0].tests.frustration.p, 1.0);
    }

    #[test]
    fn a_word_a_group_and_a_dialect_over_their_bounds_are_named() {
        // Bo is 0.08 higher: his group 0.04, the mean 0.02.
        let report =
            run(
                |text| if text.contains("Bo") { 0.38 } else { 0.3 + if text.starts_with("other") { 0.2 } else { 0.0 } },
            );
        let names = &report.dimensions[0];
        assert_eq!((names.words[0].word.as_str(), names.words[0].group.as_str()), ("Bo", "b"));
        assert!((names.comparisons[0].tests.frustration.mean + 0.04).abs() < 1e-6, "a less b");
        assert!((names.largest_word_pair - 0.08).abs() < 1e-6);
        let dialect = &report.dialects[0];
        assert!((dialect.tests.frustration.mean - 0.2).abs() < 1e-6 && (dialect.by_mood["calm"] - 0.2).abs() < 1e-6);
        assert_eq!(dialect.tests.negative.mean, 0.0);
        assert_eq!(report.over.len(), 3, "{:?}", report.over);
        let said: Vec<String> = report.over.iter().map(Over::to_string).collect();
        assert!(
            said[0].starts_with("other less standard: +0.2000") && said[1].starts_with("names: a less b"),
            "{said:?}"
        );
        assert!(said[2].starts_with("names: Bo less all: +0.06"), "{said:?}");
    }

    #[test]
    fn readings_must_be_as_many_as_texts() {
        assert!(audit(&templates(), Bounds::default(), |_| Ok(Vec::new())).is_err());
    }
}
