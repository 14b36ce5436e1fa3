//! The campaigns: each one proves one promise of `docs/reliability.md` against the real server, from a
//! seed, bounded in time, and says in one line what it saw. Exit status 1 if a promise was broken; the
//! history that shows it is kept.
//!
//! ```sh
//! tests/campaign                     # the short form of all, four minutes at most
//! tests/campaign --long kill power   # the long form of two
//! ```

mod ceiling;
mod disk_errors;
mod echo;
mod kill;
mod nodes;
mod outcome;
mod power;
mod ready;
mod reconnect;
mod sockets;
mod throughput;
mod world;

use anyhow::{Result, bail, ensure};
use clap::Parser;
use outcome::{Outcome, Report, Stage};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Campaigns, and what each proves.
const CAMPAIGNS: [(&str, &str); 13] = [
    ("kill", "kill -9 under load: nothing acked is lost, doubled or moved, and every client converges"),
    ("power", "power loss: what no sync kept is dropped, kept or torn, and every sync precedes its ack"),
    ("power-control", "the same on a disk whose syncs keep nothing: this must lose messages"),
    ("disk-errors", "a full disk, writes and syncs that fail: no false ack, and the server heals"),
    ("reconnect", "connections cut, half-open and slow: every client has the server's log in 10 s"),
    ("idle", "memory and processor time of open, quiet sockets"),
    ("storm", "everybody comes back at once after a crash"),
    ("slow", "readers that do not read: what others notice"),
    ("throughput", "durable messages a second, and the times to the ack and to the other side"),
    ("ready", "a start after a crash with a million messages stored, and chats before the model is loaded"),
    ("nodes", "three nodes, PostgreSQL and NATS: kills, pauses, partitions, lost hints"),
    ("ceiling", "durable messages beside what echo servers do on the same machine"),
    ("echo", "nothing: the bare echo server that `ceiling` starts"),
];

/// Proves what candor promises about messages, against the real program.
#[derive(Debug, Parser)]
#[command(name = "campaign")]
struct Options {
    /// Campaigns; all but `ceiling` if none is named
    names: Vec<String>,
    /// The long form: hours instead of minutes
    #[arg(long)]
    long: bool,
    /// Seed of everything that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Another size: cycles, reconnects or sockets, whatever the campaign counts
    #[arg(long)]
    size: Option<usize>,
    /// The program under test
    #[arg(long, default_value = "target/release/candor")]
    program: PathBuf,
    /// Where databases and failing histories are written: a disk and not memory
    #[arg(long, default_value = "target/proving")]
    folder: PathBuf,
    /// Write the results into the table of this file, for example docs/reliability.md
    #[arg(long)]
    report: Option<PathBuf>,
    /// Append one JSON line a campaign to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Say which campaigns there are
    #[arg(long)]
    list: bool,
    /// Address of `echo`
    #[arg(long, hide = true)]
    listen: Option<std::net::SocketAddr>,
}

async fn perform(name: &str, stage: &Stage) -> Result<Outcome> {
    match name {
        "kill" => kill::run(stage).await,
        "power" => power::run(stage).await,
        "power-control" => power::run_control(stage).await,
        "disk-errors" => disk_errors::run(stage).await,
        "reconnect" => reconnect::run(stage).await,
        "idle" => sockets::run_idle(stage).await,
        "storm" => sockets::run_storm(stage).await,
        "slow" => sockets::run_slow(stage).await,
        "throughput" => throughput::run(stage).await,
        "ready" => ready::run(stage).await,
        "nodes" => nodes::run(stage).await,
        "ceiling" => ceiling::run(stage).await,
        _ => bail!("there is no campaign {name:?}; --list names them"),
    }
}

async fn run(options: &Options) -> Result<bool> {
    if let (Some("echo"), Some(address)) = (options.names.first().map(String::as_str), options.listen) {
        return echo::serve(address).await.map(|()| true);
    }
    ensure!(options.program.exists(), "{} is not there: build it first", options.program.display());
    proving::process::raise_file_limit();
    std::fs::create_dir_all(&options.folder)?;
    let report = Report::new(options.report.clone(), options.json.clone())?;
    let mut names: Vec<&str> = options.names.iter().map(String::as_str).collect();
    if names.is_empty() {
        // The ceiling needs other people's packages from a registry.
        names = CAMPAIGNS.iter().map(|(name, _)| *name).filter(|name| !matches!(*name, "ceiling" | "echo")).collect();
    }
    let mut sound = true;
    for name in names {
        let stage = Stage::new(&options.program, &options.folder, options.long, options.seed, options.size)?;
        let begin = Instant::now();
        let mut outcome = match perform(name, &stage).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::broken(format!("{error:#}")),
        };
        outcome.seconds = begin.elapsed().as_secs_f64();
        sound &= outcome.is_sound();
        report.add(name, &stage, &outcome)?;
    }
    Ok(sound)
}

/// The campaigns, or an error as soon as somebody wants them to end: either way servers are ended too.
async fn run_until_stopped(options: &Options) -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        sound = run(options) => sound,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        CAMPAIGNS.iter().for_each(|(name, what)| println!("{name:<14} {what}"));
        return ExitCode::SUCCESS;
    }
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| LocalSet::new().block_on(&runtime, run_until_stopped(&options)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("campaign: {error:#}");
            ExitCode::FAILURE
        }
    }
}
