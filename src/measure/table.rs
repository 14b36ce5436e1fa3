//! Tables in files: columns found by their header, rows with the line that they begin on.
//!
//! Knows CSV and TSV; must not know what columns mean.

use anyhow::{Context, Result};
use csv::StringRecord;
use std::path::Path;

/// A table in memory.
pub(super) struct Table {
    /// Names of the columns, in lower case.
    pub(super) header: Vec<String>,
    /// Rows, each with its line from 1.
    pub(super) rows: Vec<(usize, StringRecord)>,
}

impl Table {
    /// Reads a file: `.tsv` and `.tab` have tabs and no quotes, everything else is CSV.
    ///
    /// # Errors
    /// Names the file, and the line where a row has another number of fields than the header.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let content = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let is_tabbed = file
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("tsv") || ending.eq_ignore_ascii_case("tab"));
        Self::parse(&content, is_tabbed).with_context(|| file.display().to_string())
    }

    fn parse(content: &str, is_tabbed: bool) -> Result<Self> {
        let content = content.trim_start_matches('\u{feff}');
        let delimiter = if is_tabbed { b'\t' } else { b',' };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).quoting(!is_tabbed).from_reader(content.as_bytes());
        let header = reader.headers()?.iter().map(|name| name.trim().to_lowercase()).collect();
        let (mut rows, mut counted, mut line) = (Vec::new(), 0, 1);
        for record in reader.records() {
            let record = record?;
            // The reader's own count is one behind where lines end in CR LF: it leaves the LF, and
            // empty lines, to the next row.
            let begin = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
            let ends = content.as_bytes().iter().skip(begin).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let begin = (begin + ends).min(content.len());
            line += content.as_bytes()[counted..begin].iter().filter(|byte| **byte == b'\n').count();
            counted = begin;
            rows.push((line, record));
        }
        Ok(Self { header, rows })
    }

    /// Position of the first of these columns that is there; names are compared without case.
    pub(super) fn position(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.header.iter().position(|found| *found == name.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_their_line_whatever_ends_it() {
        let lines = |content: &str| {
            let table = Table::parse(content, false).unwrap();
            table.rows.iter().map(|(line, row)| (*line, row[0].to_owned())).collect::<Vec<_>>()
        };
        let row = |line: usize, text: &str| (line, text.to_owned());
        assert_eq!(lines("text\na\n\"b\nc\"\nd\n"), [row(2, "a"), row(3, "b\nc"), row(5, "d")]);
        assert_eq!(lines("text\r\na\r\n\r\nb\r\n"), [row(2, "a"), row(4, "b")]);
        assert!(lines("text\n").is_empty());
    }

    #[test]
    fn columns_are_found_without_case_and_quotes_mean_nothing_between_tabs() {
        let table = Table::parse("\u{feff}Text\tLabel\nsay \"hi\tpos\n", true).unwrap();
        assert_eq!((table.position(&["sentiment", "LABEL"]), table.position(&["id"])), (Some(1), None));
        assert_eq!(&table.rows[0].1[0], "say \"hi");
    }

    #[test]
    fn a_row_of_another_width_is_refused_with_its_line() {
        let error = Table::parse("text,id\na\n", false).err().unwrap();
        assert!(error.to_string().contains("line: 2"), "{error}");
    }
}
