//! Parses the command line and hands over to the library.

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "candor", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train and measure the model
    Train(candor::cli::train::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Train(args) => candor::cli::train::run(&args),
    }
}
