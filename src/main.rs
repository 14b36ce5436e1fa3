//! The command line: parses it and hands over to the library.

use candor::config::Config;
use candor::{cli, clock::Clock, serve};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
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
    Serve(Config),
    /// Read texts: sentiment, emotions, frustration, language and intent, one JSON line each
    Analyze(cli::analyze::Args),
    /// Run recorded conversations through the model and the policy, one JSON line per customer turn
    Replay(cli::replay::Args),
    /// Train and measure the model
    Train(cli::train::Args),
    /// Staff accounts
    User(cli::user::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(config) => serve_until_stopped(config),
        Command::Analyze(args) => cli::analyze::run(&args),
        Command::Replay(args) => cli::replay::run(&args),
        Command::Train(args) => cli::train::run(&args),
        Command::User(args) => cli::user::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("candor: {error:#}");
            ExitCode::FAILURE
        }
    }
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
    Ok(serve::run(started.app, listener).await?)
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
