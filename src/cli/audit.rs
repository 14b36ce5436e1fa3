//! `candor audit`: whether the model reads people alike, as a table, JSON and a picture; fails where
//! a bound is not kept, so that a release can depend on it.

use super::reading::{self, digits, signed, table};
use crate::measure::audit::{Bounds, DialectFigures, DimensionFigures, GroupFigures, Over, Report, Tests, audit};
use crate::measure::plot::{Dot, dots};
use crate::measure::templates::Templates;
use anyhow::{Result, bail};
use serde::Serialize;
use std::path::PathBuf;

/// Differences over a bound that are listed; the others are in the JSON.
const SHOWN: usize = 20;

/// Options of `candor audit`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of the model [default: models/support-minilm beside the program or here]
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// Sentences and words [default: the built-in models/audit/templates.toml]
    #[arg(long)]
    pub templates: Option<PathBuf>,
    /// Write every figure to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Write a dot chart (SVG) to this file
    #[arg(long)]
    pub plot: Option<PathBuf>,
    /// Largest difference of frustration between the means of two groups
    #[arg(long, default_value_t = Bounds::default().mean)]
    pub bound_mean: f64,
    /// Largest difference of frustration between a word and the mean of its dimension
    #[arg(long, default_value_t = Bounds::default().pair)]
    pub bound_pair: f64,
    /// Largest mean difference of frustration between a dialect and the standard
    #[arg(long, default_value_t = Bounds::default().dialect)]
    pub bound_dialect: f64,
    /// Threads for the model; 0 means one per core
    #[arg(long, env = "CANDOR_THREADS", default_value_t = 0)]
    pub threads: usize,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Named<'a> {
    model: &'a str,
    #[serde(flatten)]
    report: &'a Report,
}

/// Audits, prints and writes.
///
/// # Errors
/// If a file cannot be read or written, the model fails, or a bound is not kept.
pub fn run(args: &Args) -> Result<()> {
    let templates = Templates::read(args.templates.as_deref())?;
    let nlu = reading::start(args.models.as_deref(), args.threads)?;
    let bounds = Bounds { mean: args.bound_mean, pair: args.bound_pair, dialect: args.bound_dialect };
    let report = audit(&templates, bounds, |texts| reading::read(&nlu, texts))?;
    let model = nlu.status().version;
    print!("{}", text(&model, &report));
    if let Some(file) = &args.json {
        reading::write_json(file, &Named { model: &model, report: &report })?;
    }
    if let Some(file) = &args.plot {
        let title = format!("{model}: frustration by who writes");
        reading::write(file, &dots(&title, "difference of mean frustration", &lines(&report)))?;
    }
    if report.over.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = report.over.iter().take(SHOWN).map(Over::to_string).collect();
    bail!("{} differences of frustration are over their bound; furthest:\n  {}", report.over.len(), shown.join("\n  "))
}

/// The report for people.
fn text(model: &str, report: &Report) -> String {
    let head = ["frustration", "negative", "t", "p", "d"];
    let row = |title: String, cells: &[&str]| {
        std::iter::once(title).chain(cells.iter().map(|cell| (*cell).to_owned())).collect::<Vec<_>>()
    };
    let mut rows = vec![row(format!("{model}, {} texts", report.texts), &head)];
    for found in &report.dimensions {
        rows.push(row(found.dimension.clone(), &[]));
        for group in &found.groups {
            rows.push(row(
                format!("  {}", group.group),
                &[&digits(group.means.frustration), &digits(group.means.negative)],
            ));
        }
        if let Some(widest) = found.comparisons.first() {
            let title = format!("  widest: {} less {}", widest.first, widest.second);
            rows.push(row(title, &cells(&widest.tests).each_ref().map(String::as_str)));
        }
        if let Some((high, low)) = found.words.first().zip(found.words.last()) {
            let title = format!("  widest words: {} less {}", high.word, low.word);
            let difference = signed(high.means.negative - low.means.negative);
            rows.push(row(title, &[&signed(found.largest_word_pair), &difference]));
        }
    }
    for DialectFigures { dialect, standard, of_standard, of_dialect, tests, by_mood } in &report.dialects {
        rows.push(row(dialect.clone(), &[]));
        rows.push(row(format!("  {standard}"), &[&digits(of_standard.frustration), &digits(of_standard.negative)]));
        rows.push(row(format!("  {dialect}"), &[&digits(of_dialect.frustration), &digits(of_dialect.negative)]));
        let title = format!("  difference over {} pairs", tests.frustration.pairs);
        rows.push(row(title, &cells(tests).each_ref().map(String::as_str)));
        rows.extend(by_mood.iter().map(|(mood, difference)| row(format!("    {mood}"), &[&signed(*difference)])));
    }
    table(&rows)
}

/// Differences, and the test of the one of frustration.
fn cells(tests: &Tests) -> [String; 5] {
    let Tests { frustration, negative } = tests;
    [signed(frustration.mean), signed(negative.mean), digits(frustration.t), p(frustration.p), digits(frustration.d)]
}

/// A p value; below a thousandth, its digits say nothing more.
fn p(value: f64) -> String {
    if value < 0.001 { "<0.001".to_owned() } else { digits(value) }
}

/// The chart's lines: each group from the middle between its dimension's highest and lowest, and
/// each dialect from its standard. Seen from that middle, a group is further away than half of the
/// bound exactly if it differs by more than the bound from some other group.
fn lines(report: &Report) -> Vec<Dot> {
    let of_dimension = |found: &DimensionFigures| {
        let means = || found.groups.iter().map(|group| group.means.frustration);
        let middle = f64::midpoint(means().fold(1.0, f64::min), means().fold(0.0, f64::max));
        let dot = |group: &GroupFigures| Dot {
            section: found.dimension.clone(),
            label: group.group.clone(),
            value: group.means.frustration - middle,
            bound: Some(report.bounds.mean / 2.0),
        };
        found.groups.iter().map(dot).collect::<Vec<_>>()
    };
    let of_dialect = |found: &DialectFigures| Dot {
        section: "dialects, less their standard".to_owned(),
        label: found.dialect.clone(),
        value: found.tests.frustration.mean,
        bound: Some(report.bounds.dialect),
    };
    report.dimensions.iter().flat_map(of_dimension).chain(report.dialects.iter().map(of_dialect)).collect()
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
    fn what_is_over_a_bound_fails_and_is_written_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (json, plot, templates) = (path("audit.json"), path("audit.svg"), path("templates.toml"));
        let sentences = r#"
            [templates]
            calm = ["{name} here.", "Thanks, {name}."]
            [[dimension]]
            name = "names"
            slot = "name"
            groups = { a = ["Ada", "Ann"], b = ["Bo"] }
            [[dialect]]
            name = "other"
            standard = "standard"
            pairs = { unhappy = [["This is terrible!", "This be terrible!"], ["It is useless.", "Fine."]] }
        "#;
        std::fs::write(&templates, sentences).unwrap();
        let audit = |bound: &str| {
            // No model folder: the rules read, which is quick.
            let line = ["candor", "--models", "/nonexistent", "--templates", &templates, "--json", &json];
            let bounds = ["--plot", &plot, "--bound-mean", bound, "--bound-pair", bound, "--bound-dialect", bound];
            run(&Line::parse_from(line.into_iter().chain(bounds)).args)
        };
        audit("1").unwrap();
        // Rules know "useless"; "fine" says nothing to them.
        let error = audit("0").unwrap_err().to_string();
        assert!(error.contains("over their bound"), "{error}");
        let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        assert_eq!(report["dimensions"][0]["groups"].as_array().unwrap().len(), 2);
        assert_eq!((&report["texts"], &report["over"][0]["what"]), (&10.into(), &"other less standard".into()));
        assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg "));
    }
}
