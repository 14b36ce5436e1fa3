//! The mistakes that a reader was surest of: where labels or model are worth another look.
//!
//! Knows rows and predictions. Its output holds texts, so it is made only when asked for.

use super::figures::Prediction;
use super::labels::POLARITIES;
use super::rows::Row;
use serde::Serialize;

/// One row that was read wrongly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// `sentiment` or `frustration`.
    pub task: &'static str,
    /// The file's name.
    pub file: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// What the file calls the row.
    pub id: Option<String>,
    /// What it is labelled.
    pub label: &'static str,
    /// What it was read as.
    pub read: &'static str,
    /// How sure the reader was, 0 to 1: the probability of the class that it took, or of
    /// frustration where it saw some, or of none where it saw none.
    pub confidence: f32,
    /// The text.
    pub text: String,
}

/// The `most` surest mistakes of each task, surest first. `threshold` is the frustration's.
#[must_use]
pub fn worst(rows: &[(&Row, &Prediction)], threshold: f32, most: usize) -> Vec<Mistake> {
    let mut found = surest(rows.iter().filter_map(|(row, said)| of_sentiment(row, said)).collect(), most);
    found.extend(surest(rows.iter().filter_map(|(row, said)| of_frustration(row, said, threshold)).collect(), most));
    found
}

fn surest(mut found: Vec<Mistake>, most: usize) -> Vec<Mistake> {
    found.sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
    found.truncate(most);
    found
}

fn of_sentiment(row: &Row, said: &Prediction) -> Option<Mistake> {
    let (truth, read) = (row.sentiment?, said.class(row.two_way)?);
    // A reader that names classes without scores is taken to be sure.
    let confidence = said.shares().map_or(1.0, |shares| shares[read]);
    (truth != read).then(|| mistake(row, "sentiment", POLARITIES[truth], POLARITIES[read], confidence))
}

fn of_frustration(row: &Row, said: &Prediction, threshold: f32) -> Option<Mistake> {
    let (truth, score) = (row.frustration?, said.frustration?);
    let (read, confidence) = if score >= threshold { ("frustrated", score) } else { ("calm", 1.0 - score) };
    (truth.is_frustrated() != (score >= threshold)).then(|| mistake(row, "frustration", truth.name(), read, confidence))
}

fn mistake(row: &Row, task: &'static str, label: &'static str, read: &'static str, confidence: f32) -> Mistake {
    let (file, id, text) = (row.file.clone(), row.id.clone(), row.text.clone());
    Mistake { task, file, line: row.line, id, label, read, confidence, text }
}

#[cfg(test)]
mod tests {
    use super::super::labels::{Level, NEGATIVE};
    use super::*;

    #[test]
    fn the_surest_mistake_comes_first_and_what_is_right_is_left_out() {
        let row = |line| Row {
            file: "a.csv".to_owned(),
            line,
            id: None,
            text: format!("text {line}"),
            sentiment: Some(NEGATIVE),
            frustration: Some(Level::None),
            domain: None,
            channel: None,
            two_way: false,
            earlier: Vec::new(),
            heard: Vec::new(),
        };
        let said = |negative, frustration| Prediction {
            negative: Some(negative),
            positive: Some(0.0),
            frustration: Some(frustration),
            ..Prediction::default()
        };
        let rows = [(row(2), said(0.4, 0.7)), (row(3), said(0.1, 0.9)), (row(4), said(0.9, 0.1))];
        let rows: Vec<(&Row, &Prediction)> = rows.iter().map(|(row, said)| (row, said)).collect();
        let found = worst(&rows, 0.6, 5);
        let lines: Vec<(&str, usize)> = found.iter().map(|mistake| (mistake.task, mistake.line)).collect();
        assert_eq!(lines, [("sentiment", 3), ("sentiment", 2), ("frustration", 3), ("frustration", 2)]);
        assert_eq!((found[2].label, found[2].read, found[2].confidence), ("none", "frustrated", 0.9));
        assert_eq!(worst(&rows, 0.6, 1).len(), 2);
    }
}
