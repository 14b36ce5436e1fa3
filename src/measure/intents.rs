//! Figures of the intent classifier on labelled questions: fitted on some, asked others, and asked
//! what it does not know.
//!
//! The classifier is the one that the server fits when it starts. Knows questions and the model
//! folder; must not know prompts or policies.

use super::disturb::disturb;
use super::neighbours::{AmbiguousPair, ambiguous_pairs};
use super::statistics::{deviation, mean};
use super::table::Table;
use super::{metrics, ratio};
use crate::nlu::bert::{embed, embedding, load_encoder, name_in_words};
use crate::nlu::bundle::Bundle;
use crate::nlu::encoder::{Encoder, Engine};
use crate::nlu::intent::{IntentMatcher, Phrase, TRUSTED};
use crate::nlu::spelling::Spelling;
use crate::random::Random;
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Texts handed to the encoder at once.
const CHUNK: usize = 512;
/// Seed of the typing mistakes: the same for every draw, so that the texts are embedded once.
const NOISE_SEED: u64 = 7;

/// A question with what it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The words.
    pub text: String,
    /// The intent's name; empty for a question that has none.
    pub intent: String,
    /// Line of its file, from 1.
    pub line: usize,
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Questions to fit on.
    pub train: Vec<Question>,
    /// Questions to ask; each intent must occur in `train`.
    pub test: Vec<Question>,
    /// Questions that have none of the intents.
    pub foreign: Vec<Question>,
    /// Examples drawn per intent; none to fit on all.
    pub per_class: Option<usize>,
    /// Draws, with the seeds 0, 1, and so on.
    pub seeds: u64,
    /// Share of letters to disturb, 0 to 1; none to leave them alone.
    pub noise: Option<f32>,
    /// CPU threads, 0 for all cores.
    pub threads: usize,
}

/// Figures of one fitted classifier on one set of questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Share of questions whose intent came first.
    pub accuracy: f64,
    /// Mean F1 over the intents.
    pub macro_f1: f64,
    /// AUROC of the acceptance score: questions with an intent against those without. Not a number
    /// without the latter, as is `foreign_rejected`.
    pub oos_auroc: f64,
    /// Share of questions whose acceptance score reaches the threshold.
    pub answered: f64,
    /// Share of the answered questions whose intent came first.
    pub accuracy_answered: f64,
    /// Share of questions without an intent whose acceptance score stays below the threshold.
    pub oos_rejected: f64,
}

impl Figures {
    /// The figure that `of` makes of each figure over `all`.
    fn over(all: &[Self], of: fn(&[f64]) -> f64) -> Self {
        let figure = |pick: fn(&Self) -> f64| of(&all.iter().map(pick).collect::<Vec<_>>());
        Self {
            accuracy: figure(|one| one.accuracy),
            macro_f1: figure(|one| one.macro_f1),
            oos_auroc: figure(|one| one.oos_auroc),
            answered: figure(|one| one.answered),
            accuracy_answered: figure(|one| one.accuracy_answered),
            oos_rejected: figure(|one| one.oos_rejected),
        }
    }
}

/// Figures of every draw on one set of questions.
#[derive(Clone, Debug, Serialize)]
pub struct Runs {
    /// By draw.
    pub seeds: Vec<Figures>,
    /// Their mean.
    pub mean: Figures,
    /// Their standard deviation; not a number of one draw.
    pub deviation: Figures,
}

impl Runs {
    fn of(seeds: Vec<Figures>) -> Self {
        Self { mean: Figures::over(&seeds, mean), deviation: Figures::over(&seeds, deviation), seeds }
    }
}

/// The whole measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of the weights.
    pub model: String,
    /// Intents.
    pub intents: usize,
    /// Questions to fit on, before drawing.
    pub train: usize,
    /// Questions asked.
    pub test: usize,
    /// Questions without an intent.
    pub oos: usize,
    /// Examples drawn per intent; none for all.
    pub per_class: Option<usize>,
    /// The threshold of the acceptance score.
    pub threshold: f32,
    /// Figures on the questions as they are.
    pub clean: Runs,
    /// Share of letters disturbed.
    pub noise: Option<f32>,
    /// Figures on the disturbed questions.
    pub noisy: Option<Runs>,
    /// Intents of the training questions that share ground.
    pub ambiguous: Vec<AmbiguousPair>,
}

/// Reads questions from a CSV file with the columns `text` and, if `with_intent`, `category`.
///
/// # Errors
/// Names the file, and the line of what is missing.
pub fn read_questions(file: &Path, with_intent: bool) -> Result<Vec<Question>> {
    let table = Table::read(file)?;
    let position = |name: &str| {
        let missing = || format!("{}: its first line names no column `{name}`", file.display());
        table.position(&[name]).with_context(missing)
    };
    let text = position("text")?;
    let intent = if with_intent { Some(position("category")?) } else { None };
    let mut questions = Vec::new();
    for (line, record) in &table.rows {
        let field = |at: usize| record.get(at).unwrap_or_default().trim().to_owned();
        let question = Question { text: field(text), intent: intent.map(field).unwrap_or_default(), line: *line };
        if question.text.is_empty() || (with_intent && question.intent.is_empty()) {
            bail!("{}: line {line} lacks a text or a category", file.display());
        }
        questions.push(question);
    }
    ensure!(!questions.is_empty(), "{} has no rows", file.display());
    Ok(questions)
}

/// One set of questions asked: each a text with its meaning.
struct Asked<'a> {
    test: &'a [(String, Vec<f32>)],
    truth: &'a [usize],
    foreign: &'a [(String, Vec<f32>)],
}

/// Fits and asks. `progress` hears how many texts were embedded, of how many.
///
/// # Errors
/// If the model folder is refused, an intent of the test is unknown, or the model fails.
pub fn measure(models: &Path, options: &Options, progress: impl Fn(usize, usize)) -> Result<Report> {
    let names: BTreeSet<&str> = options.train.iter().map(|question| question.intent.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let index = |question: &Question| {
        let found = names.binary_search(&question.intent);
        found.map_err(|_| {
            anyhow::anyhow!(
                "line {} of the test: no training question has the intent {:?}",
                question.line,
                question.intent
            )
        })
    };
    let truth = options.test.iter().map(index).collect::<Result<Vec<usize>>>()?;
    let owners = options.train.iter().map(index).collect::<Result<Vec<usize>>>()?;

    let mut bundle = Bundle::read(models)?;
    let encoder = load_encoder(&mut bundle, (Engine::default(), options.threads))?;
    let texts = |questions: &[Question]| questions.iter().map(|question| question.text.clone()).collect::<Vec<_>>();
    let mistype = |questions: &[Question], share: f32| {
        let mut random = Random::new(NOISE_SEED);
        questions.iter().map(|question| disturb(&question.text, share, &mut random)).collect::<Vec<_>>()
    };
    let (train, test, foreign) = (texts(&options.train), texts(&options.test), texts(&options.foreign));
    let noisy_test = options.noise.map(|share| mistype(&options.test, share)).unwrap_or_default();
    let noisy_foreign = options.noise.map(|share| mistype(&options.foreign, share)).unwrap_or_default();
    let named: Vec<String> = names.iter().map(|name| name_in_words(name)).collect();
    let mut meanings = Meanings { encoder: &encoder, known: HashMap::new() };
    let asked = [noisy_test.as_slice(), &noisy_foreign].concat();
    meanings.learn(&[train.as_slice(), &named, &test, &foreign, &asked].concat(), &progress)?;

    let (mut clean_runs, mut noisy_runs) = (Vec::new(), Vec::new());
    for seed in 0..options.seeds {
        // As the server does, the name is one more example.
        let drawn = draw(&owners, names.len(), options.per_class, seed);
        let phrases = drawn.into_iter().map(|row| (train[row].clone(), owners[row]));
        let phrases: Vec<(String, usize)> = phrases.chain(named.iter().cloned().zip(0..)).collect();
        let spelling = Spelling::learn(phrases.iter().map(|(text, _)| text.as_str()));
        let phrase =
            |(text, intent): (String, usize)| Phrase { meaning: meanings.of(&text), text, intent, heard: false };
        let matcher = IntentMatcher::fit(names.clone(), &phrases.into_iter().map(phrase).collect::<Vec<_>>())?;
        let mut ask_all = |test: &[String], foreign: &[String]| -> Result<Figures> {
            let (test, foreign) = (meanings.mended(test, &spelling)?, meanings.mended(foreign, &spelling)?);
            Ok(ask(&matcher, &names, &Asked { test: &test, truth: &truth, foreign: &foreign }))
        };
        clean_runs.push(ask_all(&test, &foreign)?);
        if options.noise.is_some() {
            noisy_runs.push(ask_all(&noisy_test, &noisy_foreign)?);
        }
    }
    let known: Vec<Vec<f32>> = train.iter().map(|text| embedding(&meanings.of(text)).to_vec()).collect();
    let phrases: Vec<(&str, usize)> =
        options.train.iter().map(|question| question.text.as_str()).zip(owners.iter().copied()).collect();
    Ok(Report {
        model: bundle.version,
        intents: names.len(),
        train: options.train.len(),
        test: options.test.len(),
        oos: options.foreign.len(),
        per_class: options.per_class,
        threshold: TRUSTED,
        clean: Runs::of(clean_runs),
        noise: options.noise,
        noisy: options.noise.map(|_| Runs::of(noisy_runs)),
        ambiguous: ambiguous_pairs(&names, &phrases, &known)?,
    })
}

/// Rows of the examples: all, or so many of each intent in the order of the seed.
fn draw(owners: &[usize], intents: usize, per_class: Option<usize>, seed: u64) -> Vec<usize> {
    let Some(most) = per_class else { return (0..owners.len()).collect() };
    let mut drawn = vec![0_usize; intents];
    let mut rows = Random::new(seed).order(owners.len());
    rows.retain(|row| {
        drawn[owners[*row]] += 1;
        drawn[owners[*row]] <= most
    });
    rows
}

/// Meanings by text, each computed once.
struct Meanings<'a> {
    encoder: &'a Encoder,
    known: HashMap<String, Vec<f32>>,
}

impl Meanings<'_> {
    fn learn(&mut self, texts: &[String], progress: impl Fn(usize, usize)) -> Result<()> {
        let missing: BTreeSet<&String> = texts.iter().filter(|text| !self.known.contains_key(*text)).collect();
        let mut missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        // Chunks of similar length waste no padding.
        missing.sort_by_key(|text| text.len());
        for (at, chunk) in missing.chunks(CHUNK).enumerate() {
            let found = embed(self.encoder, chunk)?;
            self.known.extend(chunk.iter().map(|text| (*text).to_owned()).zip(found));
            progress(at * CHUNK + chunk.len(), missing.len());
        }
        Ok(())
    }

    /// The meaning of a text that was learnt.
    fn of(&self, text: &str) -> Vec<f32> {
        self.known.get(text).cloned().unwrap_or_default()
    }

    /// The texts as the server reads them, with their meanings.
    fn mended(&mut self, texts: &[String], spelling: &Spelling) -> Result<Vec<(String, Vec<f32>)>> {
        let tokenizer = self.encoder.tokenizer();
        let mend = |text: &String| spelling.mend(text, |word| tokenizer.place(word)).unwrap_or_else(|| text.clone());
        let mended: Vec<String> = texts.iter().map(mend).collect();
        self.learn(&mended, |_, _| ())?;
        let known = |text: String| (self.of(&text), text);
        Ok(mended.into_iter().map(known).map(|(meaning, text)| (text, meaning)).collect())
    }
}

fn ask(matcher: &IntentMatcher, names: &[String], asked: &Asked<'_>) -> Figures {
    let ranked = |(text, meaning): &(String, Vec<f32>)| {
        let ranked = matcher.rank(text, meaning);
        let best = ranked.intents.first().and_then(|best| names.binary_search(&best.name).ok()).unwrap_or_default();
        (best, ranked.trust)
    };
    let (found, scores): (Vec<usize>, Vec<f32>) = asked.test.iter().map(ranked).unzip();
    let foreign: Vec<f32> = asked.foreign.iter().map(|question| ranked(question).1).collect();
    let answered: Vec<bool> =
        (0..found.len()).filter(|at| scores[*at] >= TRUSTED).map(|at| found[at] == asked.truth[at]).collect();
    let is_known: Vec<bool> = scores.iter().map(|_| true).chain(foreign.iter().map(|_| false)).collect();
    Figures {
        accuracy: metrics::accuracy(&found, asked.truth),
        macro_f1: metrics::macro_f1(&found, asked.truth, names.len()),
        oos_auroc: metrics::auroc(&[scores.as_slice(), foreign.as_slice()].concat(), &is_known),
        answered: ratio(answered.len(), found.len()),
        accuracy_answered: ratio(answered.iter().filter(|right| **right).count(), answered.len()),
        oos_rejected: ratio(foreign.iter().filter(|score| **score < TRUSTED).count(), foreign.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_so_many_of_each_and_repeat() {
        let owners: Vec<usize> = (0..30).map(|at| at % 3).collect();
        let rows = draw(&owners, 3, Some(4), 1);
        assert_eq!(rows, draw(&owners, 3, Some(4), 1));
        assert_ne!(rows, draw(&owners, 3, Some(4), 2));
        assert_eq!(
            (0..3).map(|intent| rows.iter().filter(|row| owners[**row] == intent).count()).collect::<Vec<_>>(),
            [4; 3]
        );
        assert_eq!(draw(&owners, 3, None, 1).len(), 30);
    }

    #[test]
    fn asking_counts_what_is_right_answered_and_rejected() {
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let axis = |x: f32, y: f32| [x, y, 0.0].repeat(2);
        let phrase = |(at, (x, y)): (usize, (f32, f32))| Phrase {
            text: String::new(),
            meaning: axis(x, y),
            intent: usize::from(at > 1),
            heard: false,
        };
        let phrases = [(1.0, 0.0), (0.8, 0.6), (0.0, 1.0), (-0.6, 0.8)].into_iter().enumerate().map(phrase);
        let matcher = IntentMatcher::fit(names.clone(), &phrases.collect::<Vec<_>>()).unwrap();
        let asked = |x: f32, y: f32| (String::new(), axis(x, y));
        let (test, truth) = ([asked(1.0, 0.0), asked(0.0, 1.0), asked(0.98, 0.2)], [0, 1, 1]);
        let found = ask(&matcher, &names, &Asked { test: &test, truth: &truth, foreign: &[] });
        assert!((found.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert!(found.oos_auroc.is_nan() && found.oos_rejected.is_nan());
    }

    #[test]
    fn questions_need_a_header_and_both_fields() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        let read = |content: &str, with_intent: bool| {
            std::fs::write(&file, content).unwrap();
            read_questions(&file, with_intent).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(read("Text,Category\n\"a, b\",x\n", true).unwrap()[0].intent, "x");
        assert_eq!(read("text\nb\n", false).unwrap()[0].text, "b");
        assert!(read("text,label\na,x\n", true).unwrap_err().contains("no column `category`"));
        assert!(read("text,category\na,\n", true).unwrap_err().contains("line 2 lacks"));
        assert!(read("text,category\n", true).unwrap_err().contains("no rows"));
    }
}
