//! Predictions that another tool made on the same rows, so that it stands in the same table.
//!
//! Knows files of scores; must not know how they were made.

use super::figures::Prediction;
use super::labels::{Points, parse_sentiment};
use super::rows::Row;
use super::table::Table;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::path::Path;

/// Columns that are read; `id` orders them, the others are what was said.
const COLUMNS: [&str; 5] = ["sentiment", "negative", "neutral", "positive", "frustration"];

/// Reads the predictions for `rows`, in their order. With an `id` column, and ids in every row,
/// each row gets the line of its id; else line follows row. A tool that knows nothing of a column
/// leaves it out or empty.
///
/// # Errors
/// Names the file, and the line of a value that is not understood, or the row that has no line.
pub fn read(file: &Path, rows: &[Row], points: Option<Points>) -> Result<Vec<Prediction>> {
    read_table(&Table::read(file)?, rows, points).with_context(|| file.display().to_string())
}

fn read_table(table: &Table, rows: &[Row], points: Option<Points>) -> Result<Vec<Prediction>> {
    let places = COLUMNS.map(|name| table.position(&[name]));
    if places.iter().all(Option::is_none) {
        bail!("its first line names none of the columns `{}`", COLUMNS.join("`, `"));
    }
    let id = table.position(&["id"]).filter(|_| rows.iter().all(|row| row.id.is_some()));
    let (mut ids, mut found) = (HashMap::new(), Vec::new());
    for (line, record) in &table.rows {
        let said =
            prediction(places.map(|place| place.and_then(|at| record.get(at)).unwrap_or_default().trim()), points);
        if let Some(name) = id.and_then(|at| record.get(at))
            && ids.insert(name.trim().to_owned(), found.len()).is_some()
        {
            bail!("line {line}: the id {name:?} is there twice");
        }
        found.push(said.with_context(|| format!("line {line}"))?);
    }
    if id.is_none() {
        ensure!(
            found.len() == rows.len(),
            "it has {} rows for {} texts, and no ids to tell them",
            found.len(),
            rows.len()
        );
        return Ok(found);
    }
    let of_row = |row: &Row| {
        let place = row.id.as_ref().and_then(|id| ids.get(id));
        place.map(|at| found[*at]).with_context(|| format!("no row for {} line {}", row.file, row.line))
    };
    rows.iter().map(of_row).collect()
}

fn prediction(values: [&str; COLUMNS.len()], points: Option<Points>) -> Result<Prediction> {
    let number = |at: usize| -> Result<Option<f32>> {
        if values[at].is_empty() {
            return Ok(None);
        }
        let value: f32 =
            values[at].parse().with_context(|| format!("{}: {:?} is no number", COLUMNS[at], values[at]))?;
        ensure!(value.is_finite(), "{}: {value} is no number", COLUMNS[at]);
        Ok(Some(value))
    };
    Ok(Prediction {
        sentiment: parse_sentiment(values[0], points).map_err(anyhow::Error::msg)?,
        negative: number(1)?,
        neutral: number(2)?,
        positive: number(3)?,
        frustration: number(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::labels::NEGATIVE;
    use super::*;

    fn rows(ids: [Option<&str>; 2]) -> Vec<Row> {
        let row = |id: Option<&str>| Row {
            file: "a.csv".to_owned(),
            line: 2,
            id: id.map(str::to_owned),
            text: String::new(),
            sentiment: None,
            frustration: None,
            domain: None,
            channel: None,
            two_way: false,
            earlier: Vec::new(),
            heard: Vec::new(),
        };
        ids.map(row).to_vec()
    }

    fn read_as(content: &str, rows: &[Row]) -> Result<Vec<Prediction>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vader.csv");
        std::fs::write(&file, content).unwrap();
        read(&file, rows, None).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn lines_follow_ids_or_rows() {
        let known = rows([Some("a"), Some("b")]);
        let found = read_as("id,negative,sentiment\nb,0.25,neg\na,0.5,\n", &known).unwrap();
        assert_eq!((found[0].negative, found[1].negative), (Some(0.5), Some(0.25)));
        assert_eq!((found[0].sentiment, found[1].sentiment), (None, Some(NEGATIVE)));
        let found = read_as("id,frustration\nb,0.25\na,0.5\n", &rows([None, None])).unwrap();
        assert_eq!(found[0].frustration, Some(0.25), "rows without ids follow the order");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let known = rows([Some("a"), Some("b")]);
        let error = |content: &str| read_as(content, &known).unwrap_err();
        assert!(error("negative\n0.1\n").contains("1 rows for 2 texts"));
        assert!(error("id,negative\na,0.1\nc,0.1\n").contains("no row for a.csv line 2"));
        assert!(error("id,negative\na,0.1\na,0.1\n").contains("twice"));
        assert!(error("negative\n0.1\nNaN\n").contains("line 3: negative"));
        assert!(error("score\n0.1\n").contains("names none of the columns"));
    }
}
