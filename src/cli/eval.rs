//! `candor eval`: figures of the model, and of other tools' predictions, on labelled texts.

use super::reading::{self, digits, table};
use crate::domain::{Analysis, Context, EarlierTurn, Gist, Source};
use crate::measure::figures::{Figures, Prediction, ScoreFigures, Share, figures, groups};
use crate::measure::labels::{POLARITIES, Points};
use crate::measure::mistakes::{Mistake, worst};
use crate::measure::rows::{self, Columns, Row};
use crate::measure::{plot, predictions};
use crate::nlu::{self, says_the_same};
use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Options of `candor eval`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Labelled texts: CSV or TSV with a header, or JSON lines with plain rows or dialogues
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Folder of the model [default: models/support-minilm beside the program or here]
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// Write every figure to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Write reliability diagrams (SVG) into this folder
    #[arg(long)]
    pub plots: Option<PathBuf>,
    /// List so many of the surest mistakes of each task, with their texts
    #[arg(long, default_value_t = 0)]
    pub errors: usize,
    /// Probability from which a turn counts as frustrated [default: the model's]
    #[arg(long)]
    pub threshold: Option<f32>,
    /// Column of the text [default: text]
    #[arg(long)]
    pub text_column: Option<String>,
    /// Column of the sentiment, - for none [default: sentiment, label or category]
    #[arg(long)]
    pub sentiment_column: Option<String>,
    /// Column of the frustration, - for none [default: frustration]
    #[arg(long)]
    pub frustration_column: Option<String>,
    /// What numbers in the sentiment column mean: 2 for 0, 1 (negative, positive), 3 for 0, 1, 2
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=3))]
    pub scale: Option<u8>,
    /// Another tool's predictions for the same rows, as a further column of the table (repeatable): CSV
    /// with sentiment, negative, neutral, positive, frustration, as far as it has them, in the order of
    /// the rows or with their id
    #[arg(long)]
    pub predictions: Vec<PathBuf>,
    /// Threads for the model; 0 means one per core
    #[arg(long, env = "CANDOR_THREADS", default_value_t = 0)]
    pub threads: usize,
}

/// One column of the table: a model or another tool.
#[derive(Serialize)]
struct Reader {
    name: String,
    #[serde(flatten)]
    all: Figures,
    groups: BTreeMap<&'static str, BTreeMap<String, Figures>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake>,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Report {
    files: Vec<String>,
    rows: usize,
    threshold: f32,
    readers: Vec<Reader>,
}

/// Reads the rows, lets the model read their texts, and prints and writes the figures.
///
/// # Errors
/// If a file cannot be read, a label is not understood (with file and line), or the model fails.
pub fn run(args: &Args) -> Result<()> {
    let points = args.scale.map(|scale| if scale == 2 { Points::Two } else { Points::Three });
    let columns = Columns {
        text: args.text_column.clone(),
        sentiment: args.sentiment_column.clone(),
        frustration: args.frustration_column.clone(),
        points,
    };
    let mut rows = Vec::new();
    for file in &args.files {
        let first = rows.len();
        let mut own = rows::read(file, &columns)?;
        own.iter_mut().flat_map(|row| &mut row.earlier).for_each(|index| *index += first);
        rows.extend(own);
    }
    ensure!(!rows.is_empty(), "there are no rows to measure on");
    let mut said: Vec<(String, Vec<Prediction>)> = Vec::new();
    for file in &args.predictions {
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        said.push((name, predictions::read(file, &rows, points)?));
    }
    // Last, so that a fault in a file shows before minutes of reading.
    let nlu = reading::start(args.models.as_deref(), args.threads)?;
    said.insert(0, read_by_model(&nlu, &rows)?);
    let threshold = args.threshold.unwrap_or_else(|| nlu.frustration_threshold());
    let readers = said.into_iter().map(|(name, said)| {
        let pairs: Vec<(&Row, &Prediction)> = rows.iter().zip(&said).collect();
        let errors = worst(&pairs, threshold, args.errors);
        Reader { name, all: figures(&pairs, threshold), groups: groups(&pairs, threshold), errors }
    });
    let files = args.files.iter().map(|file| file.display().to_string()).collect();
    let report = Report { files, rows: rows.len(), threshold, readers: readers.collect() };
    print!("{}", text(&report));
    if let Some(folder) = &args.plots {
        write_plots(folder, &report.readers)?;
    }
    args.json.as_ref().map_or(Ok(()), |file| reading::write_json(file, &report))
}

/// Reads every row, a turn of a dialogue in what was before it.
fn read_by_model(nlu: &nlu::Reader, rows: &[Row]) -> Result<(String, Vec<Prediction>)> {
    let texts: Vec<String> = rows.iter().map(|row| row.text.clone()).collect();
    let mut analyses = reading::read(nlu, &texts)?;
    let pairs: Vec<(usize, &[String])> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| (at, row.heard.as_slice()))
        .filter(|(_, heard)| heard.len() == 2)
        .collect();
    let answers: Vec<String> = pairs.iter().flat_map(|(_, heard)| heard.iter().cloned()).collect();
    let missed: BTreeSet<usize> = pairs
        .iter()
        .zip(reading::read(nlu, &answers)?.chunks_exact(2))
        .filter(|(_, answers)| says_the_same(&answers[0], &answers[1]))
        .map(|((at, _), _)| *at)
        .collect();
    let earlier = |index: &usize| {
        let seen = analyses[*index].evidence.as_ref();
        let meaning = seen.map(|seen| Gist::new(&seen.meaning)).unwrap_or_default();
        EarlierTurn { frustration: seen.map_or(0.0, |seen| seen.alone), meaning }
    };
    let contexts = rows.iter().enumerate().map(|(at, row)| Context {
        earlier: row.earlier.iter().map(earlier).collect(),
        bot_missed: missed.contains(&at),
        turns: row.earlier.len(),
    });
    let contexts: Vec<Context> = contexts.collect();
    analyses.iter_mut().zip(&contexts).for_each(|(analysis, context)| nlu.read_in_context(analysis, context));
    let status = nlu.status();
    let name = if status.source == Source::Rules { format!("rules {}", status.version) } else { status.version };
    let prediction = |analysis: Analysis| Prediction {
        sentiment: None,
        negative: Some(analysis.sentiment.negative),
        neutral: Some(analysis.sentiment.neutral),
        positive: Some(analysis.sentiment.positive),
        frustration: Some(analysis.frustration),
    };
    Ok((name, analyses.into_iter().map(prediction).collect()))
}

fn write_plots(folder: &Path, readers: &[Reader]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for Reader { name, all, .. } in readers {
        for (task, found) in [("negative", &all.negative), ("frustration", &all.frustration)] {
            if let Some(found) = found {
                let plot =
                    plot::reliability(&format!("{name}: {task}"), &format!("score of {task}"), &found.reliability);
                let plain = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '-' };
                let file = format!("{}-{task}.svg", name.chars().map(plain).collect::<String>());
                reading::write(&folder.join(file), &plot)?;
            }
        }
    }
    Ok(())
}

/// The report for people.
fn text(report: &Report) -> String {
    let names = report.readers.iter().map(|reader| reader.name.clone());
    let head = std::iter::once(format!("{} rows", report.rows)).chain(names).collect();
    let mut rows: Vec<Vec<String>> = vec![head];
    let mut line = |label: &str, figure: &dyn Fn(&Figures) -> Option<String>| {
        let cells: Vec<Option<String>> = report.readers.iter().map(|reader| figure(&reader.all)).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            rows.push(std::iter::once(label.to_owned()).chain(cells).collect());
        }
    };
    line("sentiment: labelled rows", &|all| Some(all.sentiment.as_ref()?.rows.to_string()));
    line("  accuracy", &|all| Some(digits(all.sentiment.as_ref()?.accuracy)));
    line("  macro F1", &|all| Some(digits(all.sentiment.as_ref()?.macro_f1)));
    line("  macro recall", &|all| Some(digits(all.sentiment.as_ref()?.macro_recall)));
    line("  Krippendorff's alpha", &|all| Some(digits(all.sentiment.as_ref()?.alpha)));
    for (class, name) in POLARITIES.iter().enumerate() {
        line(&format!("  {name}: precision, recall, F1"), &|all| {
            let class = all.sentiment.as_ref()?.classes.get(class).filter(|class| class.rows > 0)?;
            Some(format!("{} {} {}", digits(class.precision), digits(class.recall), digits(class.f1)))
        });
        line(&format!("  {name}, read as neg neu pos"), &|all| {
            let counts = all.sentiment.as_ref()?.confusion.get(class).filter(|row| row.iter().sum::<usize>() > 0)?;
            Some(counts.iter().map(usize::to_string).collect::<Vec<_>>().join(" "))
        });
    }
    type Pick = fn(&Figures) -> Option<&ScoreFigures>;
    let tasks: [(&str, Pick); 2] =
        [("negative", |all| all.negative.as_ref()), ("frustration", |all| all.frustration.as_ref())];
    for (task, pick) in tasks {
        line(&format!("{task}: positive of rows"), &|all| {
            pick(all).map(|found| format!("{} of {}", found.positives, found.rows))
        });
        line("  AUROC", &|all| Some(digits(pick(all)?.auroc)));
        line("  average precision", &|all| Some(digits(pick(all)?.average_precision)));
        line("  precision, recall, F1", &|all| {
            let found = pick(all)?;
            Some(format!("{} {} {}", digits(found.precision), digits(found.recall), digits(found.f1)))
        });
        line("  at threshold", &|all| Some(format!("{:.2}", pick(all)?.threshold)));
        line("  ECE, Brier", &|all| Some(format!("{} {}", digits(pick(all)?.ece), digits(pick(all)?.brier))));
    }
    line(&format!("flagged as frustrated at {:.2}", report.threshold), &|all| all.flagged.map(share));
    for level in ["no", "none", "mild", "clear", "severe", "yes"] {
        line(&format!("  labelled {level}"), &|all| all.levels.get(level).copied().map(share));
    }
    line("  calm but negative", &|all| all.calm_negative.map(share));
    let mut text = table(&rows);
    for reader in &report.readers {
        text.push_str(&group_tables(reader));
        for mistake in &reader.errors {
            let Mistake { task, file, line, label, read, confidence, text: said, .. } = mistake;
            text.push_str(&format!("{task} {file}:{line} {label} read as {read} ({confidence:.2}): {said}\n"));
        }
    }
    text
}

fn share(share: Share) -> String {
    format!("{} ({} of {})", digits(share.share), share.count, share.of)
}

fn group_tables(reader: &Reader) -> String {
    let mut text = String::new();
    for (kind, groups) in &reader.groups {
        let head = ["rows", "accuracy", "macro F1", "neg. AUROC", "fru. AUROC", "precision", "recall", "flagged"];
        let title = format!("{}, by {kind}", reader.name);
        let mut rows = vec![std::iter::once(title).chain(head.map(str::to_owned)).collect::<Vec<_>>()];
        for (name, found) in groups {
            let (sentiment, frustration) = (found.sentiment.as_ref(), found.frustration.as_ref());
            let cells = [
                sentiment.map(|found| found.accuracy),
                sentiment.map(|found| found.macro_f1),
                found.negative.as_ref().map(|found| found.auroc),
                frustration.map(|found| found.auroc),
                frustration.map(|found| found.precision),
                frustration.map(|found| found.recall),
                found.flagged.map(|found| found.share),
            ];
            let cells = cells.into_iter().map(|cell| digits(cell.unwrap_or(f64::NAN)));
            rows.push([name.clone(), found.rows.to_string()].into_iter().chain(cells).collect());
        }
        text.push('\n');
        text.push_str(&table(&rows));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_file_gives_figures_plots_and_a_column_for_each_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let rows = "text,sentiment,frustration,domain\nThis is terrible!,neg,clear,bank\nThank you,pos,none,shop\n";
        std::fs::write(path("rows.csv"), rows).unwrap();
        std::fs::write(path("other.csv"), "negative,positive\n0.9,0.1\n0.2,0.8\n").unwrap();
        let (rows, other, json, plots) = (path("rows.csv"), path("other.csv"), path("out.json"), path("plots"));
        // No model folder: the rules read, which is quick.
        let line = ["candor", &rows, "--models", "/nonexistent", "--predictions", &other, "--json", &json];
        let args = Line::parse_from(line.into_iter().chain(["--plots", &plots, "--errors", "5"])).args;
        run(&args).unwrap();
        let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        assert_eq!((&report["rows"], &report["readers"][1]["name"]), (&2.into(), &"other".into()));
        assert_eq!(report["readers"][1]["sentiment"]["accuracy"], 1.0);
        assert_eq!(report["readers"][1]["frustration"], serde_json::Value::Null);
        assert_eq!(report["readers"][0]["groups"]["domain"]["bank"]["rows"], 1);
        assert!(Path::new(&plots).join("other-negative.svg").is_file());
        assert_eq!(std::fs::read_dir(&plots).unwrap().count(), 3);
    }
}
