//! `candor bench`: how fast the model reads on this machine, alone and as a whole reading.
//!
//! Method: every case runs twice unmeasured, then again and again for a fixed time; a run's time is
//! taken around one call on the calling thread. "Meaning" is the sentence encoder alone, six layers
//! of the shipped model, as other engines run it. "Reading" is what a customer's turn costs: meaning
//! and mood, heads, language, intents and the decision. Texts of a length are words of one token.

use super::reading::model_folder;
use crate::dialogue::{DialogueState, decide};
use crate::domain::State;
use crate::domain::customer::STRANGER;
use crate::nlu::bert::load_encoder;
use crate::nlu::bundle::Bundle;
use crate::nlu::encoder::Wanted;
use crate::nlu::{Engine, Options, Reader};
use crate::prompt_files;
use crate::serve::intent_examples;
use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Tokens of a text, with both marks.
const LENGTHS: [usize; 5] = [8, 16, 32, 64, 128];
/// Texts of a call, and callers at a time.
const SIZES: [usize; 3] = [1, 8, 32];
/// Words of one token each, of which texts are made.
const WORDS: [&str; 12] = ["where", "is", "my", "order", "and", "when", "will", "it", "come", "please", "help", "me"];
/// Texts that differ, so that no answer is remembered.
const DIFFERENT: usize = 997;

/// Options of `candor bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model [default: models/support-minilm beside the program or here]
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// What computes: fastest, f32, or one of the tiers of this machine
    #[arg(long, default_value = "fastest")]
    pub tier: Engine,
    /// Threads for the model; 0 means one per core
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Seconds of each case
    #[arg(long, default_value_t = 1.0)]
    pub seconds: f64,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// One case.
#[derive(Debug, Serialize)]
struct Case {
    /// `meaning`: the sentence encoder; `reading`: all that a turn costs.
    what: &'static str,
    /// Tokens of a text.
    tokens: usize,
    /// Texts of a call for `meaning`; callers at a time for `reading`.
    size: usize,
    /// Calls that were measured.
    calls: usize,
    /// Milliseconds of a call.
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    /// Texts in a second, all callers together.
    texts_per_second: f64,
}

/// Everything that is printed.
#[derive(Debug, Serialize)]
struct Report {
    version: String,
    engine: String,
    tiers_here: Vec<String>,
    threads: usize,
    /// From opening the folder until the first text was read, milliseconds.
    start_ms: u64,
    /// Resident memory with the model loaded, MiB; none where the system does not tell.
    resident_mib: Option<f64>,
    cases: Vec<Case>,
}

/// Runs all cases and prints them.
///
/// # Errors
/// If there is no model, or it is refused.
pub fn run(args: &Args) -> Result<()> {
    ensure!(args.seconds > 0.0 && args.seconds <= 60.0, "--seconds must be above 0 and at most 60");
    let folder = model_folder(args.models.as_deref())?;
    let limit = Duration::from_secs_f64(args.seconds);
    let begin = Instant::now();
    let prompts = prompt_files::load(None)?;
    let options = Options { models: Some(folder.clone()), queue: 256, threads: args.threads, engine: args.tier };
    let nlu = Reader::start(options, &intent_examples(&prompts))?;
    nlu.analyze_batch_blocking(&[text(16, 0)])?;
    let start_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let resident_mib = resident_mib();
    let mut cases = Vec::new();
    for tokens in LENGTHS {
        for callers in SIZES {
            let call = |number: usize| {
                let text = text(tokens, number);
                let analysis = nlu.analyze_batch_blocking(std::slice::from_ref(&text))?.pop().context("no answer")?;
                let before = DialogueState::default();
                let turn = before.turn(&text, false, State::Bot, &STRANGER);
                std::hint::black_box(decide(&turn, &analysis, &prompts));
                Ok(())
            };
            cases.push(measure(("reading", tokens, callers), callers, 1, limit, &call)?);
        }
    }
    let version = nlu.status().version;
    drop(nlu);
    let encoder = load_encoder(&mut Bundle::read(&folder)?, (args.tier, args.threads))?;
    for tokens in LENGTHS {
        for texts in SIZES {
            let call = |number: usize| {
                let texts: Vec<String> = (0..texts).map(|at| text(tokens, number * texts + at)).collect();
                std::hint::black_box(encoder.encode(&texts, Wanted::Meaning)?);
                Ok(())
            };
            cases.push(measure(("meaning", tokens, texts), 1, texts, limit, &call)?);
        }
    }
    let report = Report {
        version,
        engine: encoder.engine(),
        tiers_here: encoder::Tier::available().iter().map(ToString::to_string).collect(),
        threads: crate::nlu::encoder::lanes(args.threads),
        start_ms,
        resident_mib,
        cases,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?)
    } else {
        print(&report)
    }
    Ok(())
}

/// Runs a case: `callers` threads call again and again until the time is up.
fn measure(
    (what, tokens, size): (&'static str, usize, usize),
    callers: usize,
    texts: usize,
    limit: Duration,
    call: &(impl Fn(usize) -> Result<()> + Sync),
) -> Result<Case> {
    call(0)?;
    call(1)?;
    let begin = Instant::now();
    let times = std::thread::scope(|scope| {
        let caller = |caller: usize| {
            scope.spawn(move || {
                let mut times = Vec::new();
                while times.is_empty() || begin.elapsed() < limit {
                    let started = Instant::now();
                    call(2 + caller + times.len() * callers)?;
                    times.push(started.elapsed().as_secs_f64() * 1000.0);
                }
                Ok::<_, anyhow::Error>(times)
            })
        };
        let threads: Vec<_> = (0..callers).map(caller).collect();
        let results = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a caller panicked"))?);
        results.collect::<Result<Vec<Vec<f64>>>>()
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let mut times = times.concat();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    Ok(Case {
        what,
        tokens,
        size,
        calls: times.len(),
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        texts_per_second: (times.len() * texts) as f64 / seconds,
    })
}

/// A text of so many tokens with both marks; each number gives another one.
fn text(tokens: usize, number: usize) -> String {
    let word = |at: usize| {
        WORDS[(at + (number % DIFFERENT) / WORDS.len().pow(u32::try_from(at).unwrap_or(9).min(9))) % WORDS.len()]
    };
    (0..tokens.saturating_sub(2)).map(word).collect::<Vec<_>>().join(" ")
}

/// Resident memory of this process, from /proc.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

fn print(report: &Report) {
    println!(
        "{} on {}, {} thread(s); tiers here: {}",
        report.version,
        report.engine,
        report.threads,
        report.tiers_here.join(", ")
    );
    let memory = report.resident_mib.map_or_else(String::new, |mib| format!(", {mib:.0} MiB resident"));
    println!("ready after {} ms{memory}", report.start_ms);
    println!(
        "{:8} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9}",
        "what", "tokens", "size", "p50 ms", "p90 ms", "p99 ms", "texts/s"
    );
    for case in &report.cases {
        println!(
            "{:8} {:>6} {:>6} {:>9.2} {:>9.2} {:>9.2} {:>9.0}",
            case.what, case.tokens, case.size, case.p50_ms, case.p90_ms, case.p99_ms, case.texts_per_second
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_differ_and_have_their_length() {
        let all: std::collections::BTreeSet<String> = (0..DIFFERENT).map(|number| text(8, number)).collect();
        assert_eq!(all.len(), DIFFERENT);
        assert!(all.iter().all(|text| text.split(' ').count() == 6));
    }

    #[test]
    fn every_call_of_every_caller_is_counted() {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let call = |_: usize| {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        let case = measure(("meaning", 8, 3), 3, 2, Duration::from_millis(5), &call).unwrap();
        assert_eq!(case.calls + 2, count.into_inner());
        assert!(case.calls >= 3 && case.p50_ms <= case.p90_ms && case.p90_ms <= case.p99_ms);
        let failing = |number: usize| if number == 0 { Ok(()) } else { Err(anyhow!("no")) };
        assert!(measure(("meaning", 8, 1), 1, 1, Duration::from_millis(5), &failing).is_err());
    }
}
