//! What the measuring sub-commands share: a reader that is started as the server's is, a bar while
//! it reads, and columns of figures.

use super::replay::start_reader;
use crate::config::find_models;
use crate::domain::{Analysis, Source};
use crate::nlu::Reader;
use crate::prompt_files;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Texts that the model gets at once.
const BATCH: usize = 256;

/// Starts the reader with the built-in prompts, as the server would, and says where rules stand in.
pub(super) fn start(models: Option<&Path>, threads: usize) -> Result<Reader> {
    let nlu = start_reader(&prompt_files::load(None)?, find_models(models), threads)?;
    let status = nlu.status();
    if status.source == Source::Rules {
        eprintln!("candor: keyword rules read the texts ({})", status.reason.unwrap_or_default());
    }
    Ok(nlu)
}

/// The model folder, for commands that rules cannot serve.
pub(super) fn model_folder(models: Option<&Path>) -> Result<PathBuf> {
    find_models(models).context("there is no model folder: name one with --models")
}

/// A bar over a number of texts; hidden where nobody sees it.
pub(super) fn bar(texts: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {per_sec} {eta}")?;
    Ok(ProgressBar::new(texts as u64).with_style(style))
}

/// Reads every text, in order.
pub(super) fn read(nlu: &Reader, texts: &[String]) -> Result<Vec<Analysis>> {
    let progress = bar(texts.len())?;
    // Batches of similar length waste no padding; the order is put back afterwards.
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|index| texts[*index].len());
    let mut found = Vec::with_capacity(texts.len());
    for chunk in order.chunks(BATCH) {
        let selected: Vec<String> = chunk.iter().map(|index| texts[*index].clone()).collect();
        found.extend(chunk.iter().copied().zip(nlu.analyze_batch_blocking(&selected)?));
        progress.inc(chunk.len() as u64);
    }
    progress.finish_and_clear();
    found.sort_by_key(|(index, _)| *index);
    Ok(found.into_iter().map(|(_, analysis)| analysis).collect())
}

/// Writes indented JSON with a line end.
pub(super) fn write_json(file: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    write(file, &text)
}

/// Writes a file.
pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Three digits, or a dash for what is not a number.
pub(super) fn digits(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.3}") }
}

/// Four digits with a sign, for differences.
pub(super) fn signed(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:+.4}") }
}

/// Rows of cells as aligned columns, the first to the left and the others to the right, two spaces
/// between them and no space at the end.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let wide = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| wide(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cell = |(column, cell): (usize, &String)| match column {
            0 => format!("{cell:<width$}", width = widths[0]),
            _ => format!("{cell:>width$}", width = widths[column]),
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [vec!["é".to_owned(), "1.000".to_owned()], vec!["name".to_owned(), "-".to_owned()]];
        assert_eq!(table(&rows), "é     1.000\nname      -\n");
        assert_eq!((digits(f64::NAN).as_str(), signed(0.01).as_str()), ("-", "+0.0100"));
    }
}
