//! Time of replaying a stored past: `cargo bench --bench replay -- --conversations 10000 --policy OTHER.toml`.
//!
//! Writes so many conversations into a fresh database (the dialogues of `models/data`, in turn, read once by the
//! committed model and decided by the demo shop's bot), then runs the program's own `candor replay --database` on it
//! three times and prints the median of the wall-clock time. `--keep FILE` keeps the database.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot run has nothing better to do than stop"
)]

#[path = "../tests/it/past.rs"]
mod past;

use candor::cli::replay::start_reader;
use candor::clock::Clock;
use candor::domain::{Analysis, Timestamp};
use candor::prompt_files;
use candor::store::Store;
use clap::Parser;
use futures_util::StreamExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

#[derive(Parser)]
struct Args {
    /// Conversations to store
    #[arg(long, default_value_t = 10_000)]
    conversations: usize,
    /// The other policy [default: the committed one with frustration.turn at 0.60]
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Where the database is kept
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Conversations that are written at a time, so that their commits are shared.
const WRITING: usize = 64;
const RUNS: usize = 3;

/// The customers' turns of every dialogue that training knows.
fn dialogues() -> Vec<Vec<String>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir("models/data").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("support-"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let dialogue: serde_json::Value = serde_json::from_str(line).unwrap();
            let turns = dialogue["turns"].as_array().unwrap().iter();
            let own = turns.filter(|turn| turn["who"] == "customer");
            all.push(own.map(|turn| turn["text"].as_str().unwrap().to_owned()).collect());
        }
    }
    all
}

async fn write(path: &std::path::Path, conversations: usize) -> usize {
    let prompts = prompt_files::load(None).unwrap();
    let nlu = start_reader(&prompts, Some("models/support-minilm".into()), 0).unwrap();
    let mut read: Vec<Vec<(String, Analysis)>> = Vec::new();
    for texts in dialogues().into_iter().take(conversations) {
        let analyses = tokio::task::block_in_place(|| nlu.analyze_batch_blocking(&texts)).unwrap();
        read.push(texts.into_iter().zip(analyses).collect());
    }
    let store = Store::open(path, Clock::System).await.unwrap();
    let (read, store_, nlu_, prompts) = (&read, &store, &nlu, &prompts);
    futures_util::stream::iter(0..conversations)
        .for_each_concurrent(WRITING, |number| async move {
            let at = Timestamp(1_790_000_000_000 + 60_000 * i64::try_from(number).unwrap());
            past::write(store_, nlu_, prompts, &read[number % read.len()], at).await;
        })
        .await;
    store.close().await;
    nlu.stop();
    (0..conversations).map(|number| read[number % read.len()].len()).sum()
}

fn main() {
    let args = Args::parse();
    let folder = tempfile::TempDir::new().unwrap();
    let database = args.keep.unwrap_or_else(|| folder.path().join("past.db"));
    let other = args.policy.unwrap_or_else(|| {
        let text = std::fs::read_to_string("prompts/policy.toml").unwrap();
        let path = folder.path().join("other.toml");
        std::fs::write(&path, text.replacen("\nturn = 0.47", "\nturn = 0.60", 1)).unwrap();
        path
    });
    let begin = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let turns = runtime.block_on(write(&database, args.conversations));
    println!("{} conversations with {turns} customer turns written in {:.1?}", args.conversations, begin.elapsed());
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..RUNS {
        let begin = Instant::now();
        let done = Command::new(env!("CARGO_BIN_EXE_candor"))
            .args(["replay", "--database"])
            .arg(&database)
            .arg("--policy")
            .arg(&other)
            .output()
            .unwrap();
        times.push(begin.elapsed().as_secs_f64());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        if times.len() == RUNS {
            println!("{}", String::from_utf8_lossy(&done.stdout));
        }
    }
    times.sort_by(f64::total_cmp);
    println!("replay: {:.2} s (median of {RUNS})", times[RUNS / 2]);
}
