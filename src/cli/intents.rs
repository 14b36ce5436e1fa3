//! `candor intents`: figures of the intent classifier on labelled questions, as JSON.

use super::reading::{bar, model_folder};
use crate::measure::intents::{Options, measure, read_questions};
use anyhow::{Result, ensure};
use std::path::PathBuf;

/// Draws where the examples are drawn; one where all are used, because there is nothing to draw.
const DRAWS: u64 = 3;

/// Options of `candor intents`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Questions to fit on: CSV with the columns text and category
    #[arg(long)]
    pub train: PathBuf,
    /// Questions to ask: CSV with the columns text and category
    #[arg(long)]
    pub test: PathBuf,
    /// Questions that have none of the intents: CSV with the column text
    #[arg(long)]
    pub oos: Option<PathBuf>,
    /// Draw so many examples of each intent, instead of fitting on all
    #[arg(long)]
    pub per_class: Option<usize>,
    /// Draws [default: 3, or 1 without --per-class]
    #[arg(long)]
    pub seeds: Option<u64>,
    /// Ask a second time with this share of letters mistyped, 0 to 1
    #[arg(long)]
    pub noise: Option<f32>,
    /// Folder of the model [default: models/support-minilm beside the program or here]
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// Threads for the model; 0 means one per core
    #[arg(long, env = "CANDOR_THREADS", default_value_t = 0)]
    pub threads: usize,
}

/// Measures and prints.
///
/// # Errors
/// If a file cannot be read, with the line, or the model folder is refused.
pub fn run(args: &Args) -> Result<()> {
    ensure!(args.noise.is_none_or(|share| (0.0..=1.0).contains(&share)), "--noise is a share, 0 to 1");
    ensure!(args.per_class != Some(0) && args.seeds != Some(0), "--per-class and --seeds are 1 or more");
    let options = Options {
        train: read_questions(&args.train, true)?,
        test: read_questions(&args.test, true)?,
        foreign: args.oos.as_deref().map_or(Ok(Vec::new()), |file| read_questions(file, false))?,
        per_class: args.per_class,
        seeds: args.seeds.unwrap_or(if args.per_class.is_some() { DRAWS } else { 1 }),
        noise: args.noise,
        threads: args.threads,
    };
    let progress = bar(0)?;
    let report = measure(&model_folder(args.models.as_deref())?, &options, |done, all| {
        progress.set_length(all as u64);
        progress.set_position(done as u64);
    })?;
    progress.finish_and_clear();
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
