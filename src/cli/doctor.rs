//! `candor doctor`: looks a whole set of prompts over before customers do.
//!
//! What [`Prompts::load`] refuses comes first, all of it. A set that can be loaded is then asked questions by a list of
//! checks; each gives findings with file and line. Changes nothing.

mod files;
mod finding;
mod phrases;
mod subject;

use super::reading::table;
use crate::config::find_models;
use crate::dialogue::Prompts;
use crate::nlu::{Engine, Nlu, Options};
use crate::prompt_files::{self, Error};
use anyhow::{Result, bail};
use finding::{Finding, Level, Overlap};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use subject::{Subject, Tally};

/// Options of `candor doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder with the bot's prompts instead of the built-in demo shop's
    #[arg(long, env = "CANDOR_PROMPTS")]
    pub prompts: Option<PathBuf>,
    /// Folder of the model [default: models/support-minilm beside the program or here]
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Threads for the model; 0 means one per core
    #[arg(long, env = "CANDOR_THREADS", default_value_t = 0)]
    pub threads: usize,
}

/// One thing that is looked at.
struct Check {
    /// Name of its findings.
    name: &'static str,
    /// What it looks for, for people.
    about: &'static str,
    run: fn(&Subject) -> Vec<Finding>,
}

/// Everything that is looked at once a set can be loaded, in this order.
const CHECKS: [Check; 11] = [
    Check { name: "model", about: "phrases are read by the model", run: phrases::model },
    Check { name: "unreachable", about: "every intent is reached by a phrase of its own", run: phrases::unreachable },
    Check { name: "rule", about: "no rule takes a phrase away from its intent", run: phrases::taken_by_rules },
    Check { name: "held_out", about: "a phrase is read as its intent without knowing it", run: phrases::wrong },
    Check { name: "language", about: "phrases are in a language that is read", run: phrases::foreign },
    Check { name: "overlap", about: "intents do not take phrases from one another", run: phrases::overlapping },
    Check { name: "duplicate", about: "two intents do not share a phrase in other words", run: phrases::duplicates },
    Check { name: "few", about: "fifteen phrases or more for each intent", run: phrases::few },
    Check { name: "unused", about: "variables and fields of look-ups are used", run: files::unused },
    Check { name: "policy", about: "thresholds stand in an order that makes sense", run: files::policy },
    Check {
        name: "languages",
        about: "a wish for a person is understood in every language that the bot can say no in",
        run: files::languages,
    },
];

/// All that was found; what `--json` prints.
#[derive(Serialize)]
struct Report {
    /// Version of the prompts; none if they cannot be loaded.
    version: Option<String>,
    /// Who read the phrases.
    model: Option<String>,
    /// Parts into which each intent's phrases were dealt; each part was read without knowing it.
    folds: usize,
    errors: usize,
    warnings: usize,
    findings: Vec<Finding>,
    intents: Vec<Tally>,
    overlaps: Vec<Overlap>,
}

/// Looks, prints, and fails where there is an error.
///
/// # Errors
/// If a file cannot be read, the model folder is damaged, or an error was found.
pub fn run(args: &Args) -> Result<()> {
    let report = examine(args)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    match report.errors {
        0 => Ok(()),
        1 => bail!("1 error in the prompts"),
        errors => bail!("{errors} errors in the prompts"),
    }
}

fn examine(args: &Args) -> Result<Report> {
    let files = prompt_files::read(args.prompts.as_deref())?;
    let prompts = match Prompts::load(&files).map_err(Error::from) {
        Ok(prompts) => prompts,
        Err(Error::Wrong(errors)) => return Ok(refused(errors.0.into_iter().map(Finding::from).collect())),
        Err(unreadable) => return Err(unreadable.into()),
    };
    let models = find_models(args.models.as_deref());
    let nlu = Nlu::start(Options { models, queue: 8, threads: args.threads, engine: Engine::default() })?;
    let subject = Subject::new(files, prompts, &nlu)?;
    nlu.stop();
    let mut findings: Vec<Finding> = Vec::new();
    for check in &CHECKS {
        findings.extend((check.run)(&subject).into_iter().map(|finding| finding.of(check.name)));
    }
    Ok(Report {
        version: Some(subject.prompts.version().to_owned()),
        model: Some(subject.status.version.clone()),
        folds: subject::folds(&subject.prompts),
        intents: subject.tallies(),
        overlaps: phrases::overlaps(&subject),
        ..refused(findings)
    })
}

/// A report of findings alone, sorted by place.
fn refused(mut findings: Vec<Finding>) -> Report {
    findings.sort_by(|left, right| left.place().cmp(&right.place()));
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    Report {
        version: None,
        model: None,
        folds: 0,
        errors: count(Level::Error),
        warnings: count(Level::Warning),
        findings,
        intents: Vec::new(),
        overlaps: Vec::new(),
    }
}

/// The report for people: findings by file, then figures by intent.
fn text(report: &Report) -> String {
    let mut by_file: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        by_file.entry(finding.file.as_deref().unwrap_or("(no file)")).or_default().push(finding);
    }
    let mut text = String::new();
    if let (Some(version), Some(model)) = (&report.version, &report.model) {
        text.push_str(&format!("Prompts {version}, read by {model}.\n"));
        for check in &CHECKS {
            let count = report.findings.iter().filter(|finding| finding.check == check.name).count();
            text.push_str(&format!("  {:<12} {} ({count})\n", check.name, check.about));
        }
    } else {
        text.push_str("The prompts cannot be loaded; phrases are looked at once they can.\n");
    }
    for (file, findings) in by_file {
        text.push_str(&format!("\n{file}\n"));
        for finding in findings {
            let line = finding.line.map(|line| line.to_string()).unwrap_or_default();
            let level = if finding.level == Level::Error { "error  " } else { "warning" };
            text.push_str(&format!("{line:>6}  {level}  {}: {}\n", finding.check, finding.message));
            for detail in &finding.details {
                text.push_str(&format!("{:>19}{detail}\n", ""));
            }
        }
    }
    if !report.intents.is_empty() {
        text.push_str(&format!(
            "\nEach phrase read without knowing it (one {}th of an intent's phrases held out at a time), in percent:\n\
             best is the intent that is ranked first, reached is the one that is acted on.\n\n",
            report.folds
        ));
        let mut rows =
            vec![["intent", "phrases", "best", "reached", "asked back", "other", "none"].map(str::to_owned).to_vec()];
        rows.extend(report.intents.iter().map(Tally::row));
        text.push_str(&table(&rows));
    }
    text.push_str(&format!("\n{} errors, {} warnings\n", report.errors, report.warnings));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut prompt_files::Files)) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let mut files = prompt_files::read(None).unwrap();
        change(&mut files);
        std::fs::create_dir(folder.path().join("intents")).unwrap();
        for (name, text) in files.into_iter().filter(|(name, _)| !name.starts_with("heard/")) {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        // Rules read the phrases: this is about the files.
        let models = Some(folder.path().join("none"));
        examine(&Args { prompts: Some(folder.path().to_owned()), models, json: false, threads: 1 }).unwrap()
    }

    fn of<'a>(report: &'a Report, name: &str) -> Vec<&'a Finding> {
        report.findings.iter().filter(|finding| finding.check == name).collect()
    }

    #[test]
    fn every_fault_that_a_start_would_refuse_is_an_error_with_its_place() {
        let report = check(|files| {
            files.insert("business.toml".to_owned(), "name = ".to_owned());
            files.insert("intents/more.toml".to_owned(), "\n[[intent]]\nname = \"x\"\n".to_owned());
        });
        assert_eq!((report.errors, report.warnings, report.version.as_ref()), (2, 0, None));
        let places: Vec<_> = report.findings.iter().map(Finding::place).collect();
        assert_eq!(places, [(Some("business.toml"), Some(1)), (Some("intents/more.toml"), Some(2))]);
        assert!(text(&report).contains("business.toml\n     1  error    load: "), "{}", text(&report));
    }

    #[test]
    fn what_nothing_uses_and_thresholds_out_of_order_are_named_with_their_line() {
        let report = check(|files| {
            let business = files.get_mut("business.toml").unwrap();
            *business = business.replace("[variables]", "[variables]\nnobody_says_this = \"1\"");
            let policy = files.get_mut("policy.toml").unwrap();
            *policy = policy.replace("hard_offer_probability = 0.55", "hard_offer_probability = 0.75");
        });
        let unused = of(&report, "unused");
        let [variable] =
            unused.iter().filter(|found| found.message.contains("nobody_says_this")).collect::<Vec<_>>()[..]
        else {
            panic!("{}", text(&report))
        };
        assert_eq!((variable.level, variable.file.as_deref()), (Level::Warning, Some("business.toml")));
        let files = prompt_files::read(None).unwrap();
        let line = 2 + files["business.toml"].lines().position(|line| line == "[variables]").unwrap();
        assert_eq!(variable.line, Some(line));
        let policy = of(&report, "policy");
        assert!(policy.iter().any(|found| found.level == Level::Error && found.message.contains("hard_offer")));
        let written = files["policy.toml"].lines().position(|line| line == "hard_offer_probability = 0.55");
        assert_eq!(policy[0].line, written.map(|line| line + 1));
        assert!(of(&check(|_| ()), "policy").is_empty(), "the committed thresholds are in order");
    }

    #[test]
    fn without_a_model_that_is_said_and_phrases_are_left_alone() {
        let report = check(|_| ());
        assert_eq!(of(&report, "model").len(), 1);
        assert!(of(&report, "held_out").is_empty() && report.intents.is_empty());
    }
}
