//! `candor analyze`: reads texts from a file and writes one JSON line each. Streams in batches, so
//! memory does not grow with the file.

use crate::config::find_models;
use crate::dialogue::understand;
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, IntentScore, Sentiment, Source};
use crate::nlu::{Engine, Options, Reader};
use crate::prompt_files;
use crate::serve::intent_examples;
use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Serialize, Serializer};
use std::io::{BufRead, BufReader, BufWriter, Cursor, ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

/// Texts that the model gets at once.
const BATCH: usize = 64;
/// Name of the column that is read.
const COLUMN: &str = "text";

/// Options of `candor analyze`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A file with one text a line (empty lines are skipped), or CSV with a `text` column; - for standard input
    pub file: PathBuf,
    /// Folder of the model [default: models/support-minilm beside the program or here]
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// Folder with the bot's prompts, for the intents, instead of the built-in demo shop's
    #[arg(long, env = "CANDOR_PROMPTS")]
    pub prompts: Option<PathBuf>,
    /// Threads for the model; 0 means one per core
    #[arg(long, env = "CANDOR_THREADS", default_value_t = 0)]
    pub threads: usize,
}

/// Reads every text of the file and prints what it says.
///
/// # Errors
/// If the file cannot be read, is not UTF-8 or has no `text` column, with the place.
pub fn run(args: &Args) -> Result<()> {
    let input = open(&args.file)?;
    let prompts = prompt_files::load(args.prompts.as_deref())?;
    let models = find_models(args.models.as_deref());
    let options = Options { models, queue: 1, threads: args.threads, engine: Engine::default() };
    let nlu = Reader::start(options, &intent_examples(&prompts))?;
    let status = nlu.status();
    if status.source == Source::Rules {
        eprintln!("candor: keyword rules read the texts ({})", status.reason.unwrap_or_default());
    }
    let policy = prompts.policy();
    let accept = |analysis: &Analysis| {
        let understanding = understand(analysis, policy);
        let name = understanding.known()?;
        analysis.intents.iter().find(|intent| intent.name == name).cloned()
    };
    let progress = show_progress(&args.file)?;
    let texts = texts(progress.wrap_read(input), &args.file)?;
    let output = BufWriter::new(std::io::stdout().lock());
    let outcome = analyze(texts, output, |texts| Ok(nlu.analyze_batch_blocking(texts)?), accept);
    progress.finish_and_clear();
    outcome
}

/// The accepted intent, as printed.
#[derive(Serialize)]
struct Intent {
    name: String,
    probability: f64,
}

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    sentiment: Polarity,
    #[serde(serialize_with = "by_name")]
    emotions: Vec<f32>,
    frustration: f64,
    language: Option<String>,
    intent: Option<Intent>,
}

#[derive(Serialize)]
struct Polarity {
    negative: f64,
    neutral: f64,
    positive: f64,
}

/// Four digits: more would only be noise.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}

fn by_name<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(EMOTIONS.iter().zip(values.iter().map(|value| rounded(*value))))
}

/// Reads the texts in batches and writes a line for each. Ends quietly if the reader of the output
/// went away, as `head` does.
fn analyze(
    texts: impl Iterator<Item = Result<String>>,
    mut output: impl Write,
    mut read: impl FnMut(&[String]) -> Result<Vec<Analysis>>,
    accept: impl Fn(&Analysis) -> Option<IntentScore>,
) -> Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut texts = texts.peekable();
    while let Some(text) = texts.next() {
        batch.push(text?);
        if batch.len() < BATCH && texts.peek().is_some() {
            continue;
        }
        for (text, analysis) in batch.iter().zip(read(&batch)?) {
            let intent = accept(&analysis);
            let Sentiment { negative, neutral, positive } = analysis.sentiment;
            let line = Line {
                text,
                sentiment: Polarity {
                    negative: rounded(negative),
                    neutral: rounded(neutral),
                    positive: rounded(positive),
                },
                emotions: analysis.emotions,
                frustration: rounded(analysis.frustration),
                language: analysis.language,
                intent: intent.map(|best| Intent { name: best.name, probability: rounded(best.probability) }),
            };
            match writeln!(output, "{}", serde_json::to_string(&line)?) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                outcome => outcome.context("cannot write")?,
            }
        }
        batch.clear();
    }
    match output.flush() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write"),
    }
}

fn open(file: &Path) -> Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let opened = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(opened))
}

/// The texts of plain lines, or of the `text` column if the name or the first line says CSV.
fn texts(input: impl Read + 'static, file: &Path) -> Result<Box<dyn Iterator<Item = Result<String>>>> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let mut input = BufReader::new(input);
    let mut first = Vec::new();
    input.read_until(b'\n', &mut first).with_context(|| format!("cannot read {name}"))?;
    if first.starts_with(b"\xEF\xBB\xBF") {
        first.drain(..3);
    }
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let header = csv::ReaderBuilder::new().has_headers(false).from_reader(first.as_slice()).records().next();
    let column = header.and_then(Result::ok).and_then(|row| row.iter().position(|field| field.trim() == COLUMN));
    let input = Cursor::new(first).chain(input);
    match column {
        Some(column) => Ok(Box::new(column_texts(input, column, name))),
        None if is_csv => Err(anyhow!("{name}: its first line names no column `{COLUMN}`")),
        None => Ok(Box::new(line_texts(input, name))),
    }
}

fn line_texts(mut input: impl BufRead, name: String) -> impl Iterator<Item = Result<String>> {
    let mut number = 0_u64;
    std::iter::from_fn(move || {
        loop {
            number += 1;
            let mut line = Vec::new();
            match input.read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(anyhow!(error).context(format!("cannot read {name}")))),
                Ok(0) => return None,
                Ok(_) => {}
            }
            match String::from_utf8(line) {
                Err(_) => return Some(Err(anyhow!("{name}: line {number} is not UTF-8"))),
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => return Some(Ok(text.trim_end_matches(['\r', '\n']).to_owned())),
            }
        }
    })
}

fn column_texts(input: impl Read, column: usize, name: String) -> impl Iterator<Item = Result<String>> {
    let rows = csv::ReaderBuilder::new().flexible(true).from_reader(input).into_byte_records();
    rows.map(move |row| {
        let row = row.with_context(|| format!("{name} is not readable as CSV"))?;
        let place = row.position().map_or(0, csv::Position::line);
        let field = row.get(column).ok_or_else(|| anyhow!("{name}: line {place} has no column `{COLUMN}`"))?;
        let text = std::str::from_utf8(field).map_err(|_| anyhow!("{name}: line {place} is not UTF-8"))?;
        Ok(text.to_owned())
    })
}

/// A bar over the bytes of the file, on a terminal that does not show the lines themselves.
fn show_progress(file: &Path) -> Result<ProgressBar> {
    let bar = match std::fs::metadata(file) {
        Ok(data) => ProgressBar::new(data.len())
            .with_style(ProgressStyle::with_template("{elapsed_precise} {wide_bar} {bytes}/{total_bytes} {eta}")?),
        Err(_) => ProgressBar::new_spinner(),
    };
    if std::io::stdout().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::IntentExamples;

    const RULES: Options = Options { models: None, queue: 1, threads: 1, engine: Engine::Fastest };

    fn read_texts(content: &[u8], file: &str) -> Result<Vec<String>> {
        texts(Cursor::new(content.to_vec()), Path::new(file))?.collect()
    }

    #[test]
    fn plain_lines_keep_their_text_and_empty_ones_are_skipped() {
        let found = read_texts(b"\xEF\xBB\xBFhello, there\r\n\n  \nplease text me, ok\nlast", "-").unwrap();
        assert_eq!(found, ["hello, there", "please text me, ok", "last"]);
        assert!(read_texts(b"", "-").unwrap().is_empty());
    }

    #[test]
    fn a_text_column_is_found_by_the_header_and_may_hold_lines_and_commas() {
        let content = b"id,text,when\n1,\"one, two\nthree\",now\n2,,then\n";
        assert_eq!(read_texts(content, "-").unwrap(), ["one, two\nthree", ""]);
        assert_eq!(read_texts(content, "a.csv").unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let error = |content: &[u8], file: &str| read_texts(content, file).unwrap_err().to_string();
        assert_eq!(error(b"fine\n\xFF\xFE bad\n", "-"), "standard input: line 2 is not UTF-8");
        assert_eq!(error(b"id,body\n1,x\n", "a.csv"), "a.csv: its first line names no column `text`");
        assert_eq!(error(b"text,id\n\xFF,1\n", "a.csv"), "a.csv: line 2 is not UTF-8");
        assert_eq!(error(b"id,text\n1\n", "a.csv"), "a.csv: line 2 has no column `text`");
        let missing = open(Path::new("/no/such/file")).err().unwrap();
        assert!(missing.to_string().contains("cannot read /no/such/file"));
    }

    #[test]
    fn each_text_gives_one_line_in_order() {
        let phrases = vec!["when are you open".to_owned()];
        let intents = [IntentExamples { name: "hours".to_owned(), phrases, heard: Vec::new() }];
        let nlu = Reader::start(RULES, &intents).unwrap();
        let input: Vec<Result<String>> = (0..150).map(|at| Ok(format!("when are you open, number {at}"))).collect();
        let mut output = Vec::new();
        let accept = |analysis: &Analysis| analysis.intents.first().cloned();
        analyze(input.into_iter(), &mut output, |texts| Ok(nlu.analyze_batch_blocking(texts)?), accept).unwrap();
        let lines: Vec<serde_json::Value> =
            String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 150);
        for (at, line) in lines.iter().enumerate() {
            assert_eq!(line["text"], format!("when are you open, number {at}"));
            assert_eq!(line["emotions"].as_object().unwrap().len(), EMOTIONS.len());
            assert_eq!(line["intent"]["name"], "hours");
            assert!(line["frustration"].is_number() && line["sentiment"]["negative"].is_number());
            assert!(line.get("language").is_some());
        }
    }

    #[test]
    fn a_reader_that_left_ends_the_run_quietly() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let nlu = Reader::start(RULES, &[]).unwrap();
        let texts = std::iter::once(Ok("hello".to_owned()));
        analyze(texts, Gone, |texts| Ok(nlu.analyze_batch_blocking(texts)?), |_| None).unwrap();
    }
}
