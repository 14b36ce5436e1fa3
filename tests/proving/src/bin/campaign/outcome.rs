//! What a campaign found, and how it is told. Knows no campaign.

use anyhow::{Context as _, Result};
use proving::checker::Verdict;
use proving::random::Random;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Between these lines of a document stand the results.
const BEGIN: &str = "<!-- results: begin -->";
const END: &str = "<!-- results: end -->";

/// What a campaign has to work with.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The program under test.
    pub(crate) program: PathBuf,
    /// Where files go.
    pub(crate) folder: PathBuf,
    /// The long form.
    pub(crate) long: bool,
    /// Seed of everything.
    pub(crate) seed: u64,
    size: Option<usize>,
}

impl Stage {
    /// A stage for one campaign.
    pub(crate) fn new(program: &Path, folder: &Path, long: bool, seed: u64, size: Option<usize>) -> Result<Self> {
        let (program, folder) = (program.canonicalize()?, folder.canonicalize()?);
        Ok(Self { program, folder, long, seed, size })
    }

    /// How much of it: the short form's, the long form's, or what the command line says.
    pub(crate) fn size(&self, short: usize, long: usize) -> usize {
        self.size.unwrap_or(if self.long { long } else { short })
    }

    /// The generator of all that is random.
    pub(crate) fn random(&self) -> Random {
        Random::new(self.seed)
    }
}

/// What a campaign found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Why it was not run, if it was not.
    pub(crate) not_run: Option<String>,
    /// What the checker said.
    pub(crate) verdict: Verdict,
    /// Promises that were broken beside those of the checker.
    pub(crate) broken: Vec<String>,
    /// Everything that was measured, in the order in which it is told.
    #[serde(serialize_with = "as_object")]
    pub(crate) figures: Vec<(String, Value)>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Files that show what went wrong.
    pub(crate) kept: Vec<String>,
}

impl Outcome {
    /// Could not be run, and that is no fault.
    pub(crate) fn not_run(reason: &str) -> Self {
        Self { not_run: Some(reason.to_owned()), ..Self::default() }
    }

    /// Ended with an error.
    pub(crate) fn broken(reason: String) -> Self {
        Self { broken: vec![reason], ..Self::default() }
    }

    /// No promise was broken.
    pub(crate) fn is_sound(&self) -> bool {
        self.verdict.is_sound() && self.broken.is_empty()
    }

    /// Adds a figure.
    pub(crate) fn tell(&mut self, name: &str, value: impl Serialize) {
        self.figures.push((name.to_owned(), json!(value)));
    }

    /// A figure that is a count.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.figures.iter().find(|(other, _)| other == name).and_then(|(_, value)| value.as_u64())
    }

    /// Notes a broken promise unless `holds`.
    pub(crate) fn require(&mut self, holds: bool, promise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(promise());
        }
    }

    fn result(&self) -> String {
        match &self.not_run {
            Some(reason) => format!("not run: {reason}"),
            None if self.is_sound() => "held".to_owned(),
            None => "**broken**".to_owned(),
        }
    }

    fn words(&self) -> String {
        let mut words = Vec::new();
        let verdict = &self.verdict;
        if verdict.sent > 0 {
            words.push(format!("{} acked, {} violations", verdict.acked, verdict.violations.len()));
        }
        words.extend(self.figures.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            Value::Object(spread) => {
                let part = |name: &str| spread.get(name).map(ToString::to_string).unwrap_or_default();
                format!("{name} p50 {} p99 {} ms", part("p50"), part("p99"))
            }
            other => format!("{name} {other}"),
        }));
        words.join("; ")
    }
}

fn as_object<S: Serializer>(figures: &[(String, Value)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|(name, value)| (name, value)))
}

/// Where results are told.
#[derive(Debug)]
pub(crate) struct Report {
    document: Option<PathBuf>,
    lines: Option<PathBuf>,
    commit: String,
    machine: String,
    date: String,
}

impl Report {
    /// To standard output, and to these files.
    pub(crate) fn new(document: Option<PathBuf>, lines: Option<PathBuf>) -> Result<Self> {
        let say = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
            output.map_or("?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cores = processor.lines().filter(|line| line.starts_with("processor")).count();
        Ok(Self {
            document,
            lines,
            commit: say("git", &["rev-parse", "--short", "HEAD"]),
            machine: format!("{cores} cores, {}", model.map_or("?", |(_, name)| name)),
            date: say("date", &["-u", "+%F"]),
        })
    }

    /// Tells one result.
    pub(crate) fn add(&self, name: &str, stage: &Stage, outcome: &Outcome) -> Result<()> {
        let form = if stage.long { "long" } else { "short" };
        println!(
            "{name} ({form}, seed {}): {} in {:.0} s; {}",
            stage.seed,
            outcome.result(),
            outcome.seconds,
            outcome.words()
        );
        outcome.broken.iter().for_each(|promise| println!("  broken: {promise}"));
        for (fault, times) in outcome.verdict.by_fault() {
            println!("  {fault:?}: {times} times");
        }
        outcome.verdict.violations.iter().take(5).for_each(|violation| println!("  {}", violation.detail));
        outcome.kept.iter().for_each(|file| println!("  kept: {file}"));
        if let Some(file) = &self.lines {
            let mut whole = json!({
                "campaign": name, "form": form, "seed": stage.seed, "commit": self.commit, "machine": self.machine,
                "date": self.date, "held": outcome.is_sound(), "outcome": outcome,
            });
            // A broken server may violate by the thousand; the kept history has them all.
            if let Some(violations) = whole["outcome"]["verdict"]["violations"].as_array_mut() {
                violations.truncate(20);
            }
            writeln!(OpenOptions::new().create(true).append(true).open(file)?, "{whole}")?;
        }
        self.document.as_ref().map_or(Ok(()), |file| self.write_row(file, name, form, stage, outcome))
    }

    /// Replaces the campaign's row of the document's table, or adds it.
    fn write_row(&self, file: &Path, name: &str, form: &str, stage: &Stage, outcome: &Outcome) -> Result<()> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let (before, rest) = text.split_once(BEGIN).with_context(|| format!("no line {BEGIN}"))?;
        let (table, after) = rest.split_once(END).with_context(|| format!("no line {END}"))?;
        let key = format!("| `{name}` | {form} |");
        let row = format!(
            "{key} {} | {} | {:.0} s | {} | {} | {} | {} |",
            outcome.result(),
            outcome.words().replace('|', "/"),
            outcome.seconds,
            stage.seed,
            self.commit,
            self.machine,
            self.date
        );
        let mut rows: Vec<&str> = table.trim().lines().filter(|line| !line.starts_with(&key)).collect();
        rows.push(&row);
        Ok(std::fs::write(file, format!("{before}{BEGIN}\n{}\n{END}{after}", rows.join("\n")))?)
    }
}
