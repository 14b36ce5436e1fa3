//! `candor replay`: what the bot would have done. Recorded conversations from a file run through the model; a
//! database's run again on their stored readings, under another policy, and are compared. Changes no database.

mod database;
mod recorded;

pub use recorded::{Dialog, DialogTurn, OWNED_BY_PERSON, Speaker, TurnOutcome, replay_conversation, start_reader};

use crate::config::find_models;
use crate::prompt_files;
use crate::store::Location;
use std::path::PathBuf;

/// Arguments of `candor replay`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Conversations, one JSON object per line: {"id", "turns": [{"from": "customer"|"bot", "text"}]}; - reads standard input
    #[arg(required_unless_present = "database", conflicts_with = "database")]
    pub file: Option<PathBuf>,
    /// Folder of prompts [default: the built-in ones]
    #[arg(long)]
    pub prompts: Option<PathBuf>,
    /// Model folder [default: models/support-minilm beside the program or in the working directory]
    #[arg(long)]
    pub models: Option<PathBuf>,
    /// Threads for the model; 0 means one per core
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Database, a SQLite file or the address of a PostgreSQL one: its conversations are decided again on their stored
    /// readings, and a report is printed
    #[arg(long)]
    pub database: Option<Location>,
    /// With --database: compare the prompts' policy with this one [default: compare what was done with what these prompts would do]
    #[arg(long, requires = "database")]
    pub policy: Option<PathBuf>,
    /// With --database: only conversations opened on or after this day (UTC), for example 2026-10-01
    #[arg(long, requires = "database")]
    pub since: Option<jiff::civil::Date>,
    /// With --database: minutes that a conversation takes an agent [default: the median of closed ones]
    #[arg(long, requires = "database")]
    pub minutes: Option<f64>,
    /// With --database: also write everything, every changed conversation included, to this file
    #[arg(long, requires = "database")]
    pub json: Option<PathBuf>,
}

/// Runs the sub-command.
///
/// # Errors
/// If a file, the prompts, the database or the model cannot be opened, output cannot be written, or at least one line
/// was bad.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let prompts = prompt_files::load(args.prompts.as_deref())?;
    let Some(file) = &args.file else {
        return database::run(args, prompts);
    };
    let nlu = start_reader(&prompts, find_models(args.models.as_deref()), args.threads)?;
    if let Some(reason) = nlu.status().reason {
        eprintln!("candor replay: keyword rules read the turns: {reason}");
    }
    let outcome = recorded::run(file, &nlu, &prompts);
    nlu.stop();
    outcome
}
