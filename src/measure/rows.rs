//! Labelled texts from files of any origin: CSV, TSV, or JSON lines with plain rows or dialogues.
//!
//! Knows files and columns; must not know what the rows are used for.

use super::labels::{Level, NEUTRAL, Points, parse_frustration, parse_sentiment};
use super::table::Table;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use std::path::Path;

/// What stands for "no such column" on the command line.
const NO_COLUMN: &str = "-";

/// One labelled text.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The file's name, without its folder.
    pub file: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// What the file calls it; a turn of a dialogue is `id:position`.
    pub id: Option<String>,
    /// The text.
    pub text: String,
    /// Class of the sentiment, if labelled.
    pub sentiment: Option<usize>,
    /// Frustration, if labelled.
    pub frustration: Option<Level>,
    /// Line of business, if given.
    pub domain: Option<String>,
    /// Chat, mail and so on, if given.
    pub channel: Option<String>,
    /// Whether its file labels negative and positive only.
    pub two_way: bool,
    /// Earlier turns of the same dialogue, as indices into the rows that were read with it.
    pub earlier: Vec<usize>,
    /// The two latest texts of the other side before it, oldest first.
    pub heard: Vec<String>,
}

/// Which columns hold what.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The text [default: `text`].
    pub text: Option<String>,
    /// The sentiment [default: `sentiment`, else `label`, else `category`]; `-` for none.
    pub sentiment: Option<String>,
    /// The frustration [default: `frustration`]; `-` for none.
    pub frustration: Option<String>,
    /// What numbers in the sentiment column mean.
    pub points: Option<Points>,
}

impl Columns {
    /// The candidates for each field, best first.
    fn text(&self) -> Vec<&str> {
        named(self.text.as_deref(), &["text"])
    }

    fn sentiment(&self) -> Vec<&str> {
        named(self.sentiment.as_deref(), &["sentiment", "label", "category"])
    }

    fn frustration(&self) -> Vec<&str> {
        named(self.frustration.as_deref(), &["frustration"])
    }
}

fn named<'a>(asked: Option<&'a str>, usual: &[&'a str]) -> Vec<&'a str> {
    match asked {
        Some(NO_COLUMN) => Vec::new(),
        Some(name) => vec![name],
        None => usual.to_vec(),
    }
}

/// Reads every row of a file. What it is follows from the name: `.jsonl`, `.ndjson` and `.json`
/// hold one object a line, `.tsv` and `.tab` have tabs and no quotes, everything else is CSV.
///
/// # Errors
/// Names the file, and the line of a text that is missing or a label that is not understood.
pub fn read(file: &Path, columns: &Columns) -> Result<Vec<Row>> {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut rows = if ["jsonl", "ndjson", "json"].contains(&ending.as_str()) {
        let content = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        read_lines(content.trim_start_matches('\u{feff}'), &name, columns)
            .with_context(|| file.display().to_string())?
    } else {
        read_table(&Table::read(file)?, &name, columns).with_context(|| file.display().to_string())?
    };
    let labelled = rows.iter().any(|row| row.sentiment.is_some());
    let two_way =
        labelled && (columns.points == Some(Points::Two) || rows.iter().all(|row| row.sentiment != Some(NEUTRAL)));
    rows.iter_mut().for_each(|row| row.two_way = two_way);
    Ok(rows)
}

/// A row from its fields by name; `field` gives the first of these columns that is there.
fn row<'a>(file: &str, line: usize, columns: &Columns, field: impl Fn(&[&str]) -> Option<&'a str>) -> Result<Row> {
    let place = || format!("line {line}");
    let names = columns.text();
    let text = field(&names).with_context(|| format!("line {line} has no `{}`", names.join("`, `")))?;
    let sentiment = field(&columns.sentiment()).unwrap_or_default();
    let frustration = field(&columns.frustration()).unwrap_or_default();
    let help = "(--sentiment-column names another column, - none)";
    let sentiment = parse_sentiment(sentiment, columns.points).map_err(|reason| anyhow::anyhow!("{reason} {help}"));
    let owned = |name: &str| field(&[name]).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
    Ok(Row {
        file: file.to_owned(),
        line,
        id: owned("id"),
        text: text.to_owned(),
        sentiment: sentiment.context("sentiment").with_context(place)?,
        frustration: parse_frustration(frustration)
            .map_err(anyhow::Error::msg)
            .context("frustration")
            .with_context(place)?,
        domain: owned("domain"),
        channel: owned("channel"),
        two_way: false,
        earlier: Vec::new(),
        heard: Vec::new(),
    })
}

fn read_table(table: &Table, file: &str, columns: &Columns) -> Result<Vec<Row>> {
    let header = table.header.join("`, `");
    for asked in [&columns.text, &columns.sentiment, &columns.frustration].into_iter().flatten() {
        if asked != NO_COLUMN && table.position(&[asked]).is_none() {
            bail!("its first line names no column `{asked}`, only `{header}`");
        }
    }
    if table.position(&columns.text()).is_none() {
        bail!("its first line names no column `text`, only `{header}` (--text-column names another)");
    }
    let rows = table
        .rows
        .iter()
        .map(|(line, record)| row(file, *line, columns, |names| table.position(names).and_then(|at| record.get(at))));
    rows.collect()
}

fn read_lines(content: &str, file: &str, columns: &Columns) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (at, line) in content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line_number = at + 1;
        let object: Map<String, Value> =
            serde_json::from_str(line).with_context(|| format!("line {line_number} is no JSON object"))?;
        let fields = simple_fields(&object);
        match object.get("turns").and_then(Value::as_array) {
            None => rows.push(row(file, line_number, columns, |names| first(&fields, names))?),
            Some(turns) => {
                let first = rows.len();
                let mut own = read_turns(turns, &fields, file, line_number, columns)?;
                own.iter_mut().flat_map(|row| &mut row.earlier).for_each(|index| *index += first);
                rows.extend(own);
            }
        }
    }
    Ok(rows)
}

/// The customer's turns of a dialogue, with its domain and channel.
fn read_turns(turns: &[Value], whole: &Fields, file: &str, line: usize, columns: &Columns) -> Result<Vec<Row>> {
    let dialogue = first(whole, &["id"]).map_or_else(|| line.to_string(), str::to_owned);
    let (mut rows, mut heard) = (Vec::new(), Vec::new());
    for (position, turn) in turns.iter().enumerate() {
        let place = || format!("line {line}, turn {position}");
        let fields = simple_fields(turn.as_object().with_context(place)?);
        if first(&fields, &["who"]).with_context(|| format!("{} has no `who`", place()))? != "customer" {
            heard.extend(first(&fields, &["text"]).map(str::to_owned));
            continue;
        }
        let field = |names: &[&str]| match names {
            ["domain" | "channel"] => first(&fields, names).or_else(|| first(whole, names)),
            names => first(&fields, names),
        };
        let read = row(file, line, columns, field).with_context(|| format!("turn {position}"))?;
        let earlier = (0..rows.len()).collect();
        let heard = heard[heard.len().saturating_sub(2)..].to_vec();
        rows.push(Row { id: Some(format!("{dialogue}:{position}")), earlier, heard, ..read });
    }
    Ok(rows)
}

/// Texts, numbers and truth values of an object as text, by lower-case name.
type Fields = Vec<(String, String)>;

fn simple_fields(object: &Map<String, Value>) -> Fields {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    object.iter().filter_map(|(name, value)| Some((name.to_lowercase(), text(value)?))).collect()
}

fn first<'a>(fields: &'a Fields, names: &[&str]) -> Option<&'a str> {
    let find = |name: &&str| fields.iter().find(|(found, _)| *found == name.to_lowercase());
    names.iter().find_map(find).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::labels::{NEGATIVE, POSITIVE};
    use super::*;

    fn read_as(name: &str, content: &str, columns: &Columns) -> Result<Vec<Row>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        read(&file, columns)
    }

    #[test]
    fn tables_are_read_by_their_header() {
        let content = "\u{feff}ID,Text,Label,Frustration,domain\n7,\"a, b\",neg,severe,bank\n8,c,pos,,\n";
        let rows = read_as("a.csv", content, &Columns::default()).unwrap();
        assert_eq!((rows[0].text.as_str(), rows[0].sentiment), ("a, b", Some(NEGATIVE)));
        assert_eq!((rows[0].id.as_deref(), rows[0].frustration), (Some("7"), Some(Level::Severe)));
        assert_eq!((rows[0].domain.as_deref(), rows[0].file.as_str(), rows[1].line), (Some("bank"), "a.csv", 3));
        assert_eq!((rows[1].sentiment, rows[1].frustration, rows[1].two_way), (Some(POSITIVE), None, true));
        let columns = Columns { points: Some(Points::Three), ..Columns::default() };
        let rows = read_as("a.tsv", "text\tsentiment\nsay \"hi\t1\n", &columns).unwrap();
        assert_eq!((rows[0].text.as_str(), rows[0].sentiment, rows[0].two_way), ("say \"hi", Some(NEUTRAL), false));
    }

    #[test]
    fn dialogues_give_the_customers_turns() {
        let content = r#"{"domain":"shop","channel":"chat","turns":[{"who":"customer","text":"Hi"},{"who":"bot","text":"Hello"},{"who":"customer","text":"Again?","sentiment":"negative","frustration":"clear","target":"bot"}]}
{"text":"thanks","sentiment":"positive","frustration":false}"#;
        let rows = read_as("a.jsonl", content, &Columns::default()).unwrap();
        assert_eq!((rows.len(), rows[1].id.as_deref(), rows[1].text.as_str()), (3, Some("1:2"), "Again?"));
        assert_eq!((rows[1].channel.as_deref(), rows[1].frustration), (Some("chat"), Some(Level::Clear)));
        assert_eq!((rows[1].earlier.as_slice(), rows[1].heard.as_slice()), (&[0][..], &["Hello".to_owned()][..]));
        assert_eq!((rows[2].frustration, rows[2].line, rows[2].earlier.len()), (Some(Level::No), 2, 0));
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_place() {
        let error =
            |name: &str, content: &str| format!("{:#}", read_as(name, content, &Columns::default()).unwrap_err());
        let found = error("a.csv", "text,category\nhow,card_arrival\n");
        assert!(found.contains("a.csv: line 2: sentiment") && found.contains("--sentiment-column"), "{found}");
        assert!(error("a.csv", "body\nx\n").contains("no column `text`"));
        assert!(error("a.csv", "text,frustration\nx,rather\n").contains("line 2: frustration"));
        assert!(error("a.jsonl", "{\"sentiment\":\"pos\"}").contains("line 1 has no `text`"));
        assert!(error("a.jsonl", "[1]").contains("line 1 is no JSON object"));
        let none = Columns { sentiment: Some("-".to_owned()), ..Columns::default() };
        assert_eq!(read_as("a.csv", "text,category\nhow,card_arrival\n", &none).unwrap()[0].sentiment, None);
        let other =
            Columns { text: Some("body".to_owned()), frustration: Some("cross".to_owned()), ..Columns::default() };
        assert!(format!("{:#}", read_as("a.csv", "body\nx\n", &other).unwrap_err()).contains("`cross`"));
    }
}
