//! The command line: parses it and hands over to the library.

use candor::app::Shared;
use candor::config::Config;
use candor::{cli, clock::Clock, serve};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Self-hosted customer-support chat: an honest bot, on-device mood and intent, and a person the
/// moment one is needed. Without a sub-command it serves.
#[derive(Parser)]
#[command(name = "candor", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the widget, the desk and the bot (the default)
    Serve(Box<Config>),
    /// Read texts: sentiment, emotions, frustration, language and intent, one JSON line each
    Analyze(cli::analyze::Args),
    /// Run recorded conversations through the model and the policy, one JSON line per customer turn
    Replay(cli::replay::Args),
    /// Check the bot's files: what is wrong, what cannot be reached, what is easily mixed up
    Doctor(cli::doctor::Args),
    /// Measure the model, and other tools' predictions, on labelled texts
    Eval(cli::eval::Args),
    /// Measure the intent classifier on labelled questions; JSON
    Intents(cli::intents::Args),
    /// Check that the model reads people alike; fails where a bound is not kept
    Audit(cli::audit::Args),
    /// Measure how fast the model reads on this machine
    Bench(cli::bench::Args),
    /// Train and measure the model
    Train(cli::train::Args),
    /// Copy a database while a server uses it, and check the copy
    Backup(cli::database::BackupArgs),
    /// Put a backup in the place of a database, which is kept aside
    Restore(cli::database::RestoreArgs),
    /// Look a database over: is the file sound, are all logs whole; fails where something is wrong
    Verify(cli::database::VerifyArgs),
    /// Staff accounts
    User(cli::user::Args),
}

/// What the process must find in its environment when it starts: candle takes its thread counts from there
/// alone, and without them reads /proc/cpuinfo for every product of matrices; passes run side by side here, one
/// thread each.
const THREADS: [(&str, &str); 2] = [("RAYON_NUM_THREADS", "1"), ("CANDLE_NUM_THREADS", "1")];
/// For serving: glibc hands large blocks back to the system at once. What loading needed would stay resident
/// otherwise, twice as much as all that is kept.
const LEAN: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];
/// For training: it keeps them, instead of having them zeroed anew for every tensor.
const SWIFT: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
    ("MALLOC_TRIM_THRESHOLD_", "1073741824"),
    ("MALLOC_TOP_PAD_", "16777216"),
];

impl Command {
    fn memory(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Train(_) => &SWIFT,
            _ => &LEAN,
        }
    }
}

/// Starts the program again in its own place with the environment that it needs, unless it is there already. If
/// that fails the program runs as it is, only slower.
#[cfg(unix)]
fn settle_environment(memory: &[(&str, &str)]) {
    use std::os::unix::process::CommandExt;
    let missing = THREADS.iter().chain(memory).filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<_> = missing.copied().collect();
    if let (false, Ok(program)) = (missing.is_empty(), std::env::current_exe()) {
        let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).envs(missing).exec();
        eprintln!("candor: cannot settle its environment: {error}");
    }
}

#[cfg(not(unix))]
fn settle_environment(_: &[(&str, &str)]) {}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve(Box::new(cli.serve)));
    settle_environment(command.memory());
    let outcome = match command {
        Command::Serve(config) => serve_until_stopped(*config),
        Command::Analyze(args) => cli::analyze::run(&args),
        Command::Replay(args) => cli::replay::run(&args),
        Command::Doctor(args) => cli::doctor::run(&args),
        Command::Eval(args) => cli::eval::run(&args),
        Command::Intents(args) => cli::intents::run(&args),
        Command::Audit(args) => cli::audit::run(&args),
        Command::Bench(args) => cli::bench::run(&args),
        Command::Train(args) => cli::train::run(&args),
        Command::Backup(args) => cli::database::back_up(&args),
        Command::Restore(args) => cli::database::restore(&args),
        Command::Verify(args) => cli::database::verify(&args),
        Command::User(args) => cli::user::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("candor: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, without those that it tells of already.
fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        known if known.contains(&cause) => said,
        _ => said + ": " + &cause,
    })
}

#[tokio::main]
async fn serve_until_stopped(config: Config) -> anyhow::Result<()> {
    candor::telemetry::start();
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        anyhow::anyhow!("cannot listen on {}: {error} (another address: --listen 127.0.0.1:8081)", config.listen)
    })?;
    let started = serve::start(config, &listener, Clock::System).await?;
    cli::banner::print(&started);
    let stop = started.app.stop.clone();
    started.app.tasks.spawn(async move {
        wait_for_signal().await;
        stop.cancel();
    });
    // Without a folder there is nothing to read again, and a closed terminal ends the program as ever.
    if started.app.config.prompts.is_some() {
        started.app.tasks.spawn(reload_on_signal(Arc::clone(&started.app)));
    }
    Ok(serve::run(started.app, listener).await?)
}

/// SIGHUP: the bot's files are read again at once.
async fn reload_on_signal(app: Shared) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hang_up) = signal(SignalKind::hangup()) else { return };
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            _ = hang_up.recv() => app.reload.ask(),
        }
    }
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
