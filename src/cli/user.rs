//! `candor user add`: makes an account from the command line, for those who run the server.

use crate::chat::accounts::{self, Application};
use crate::clock::Clock;
use crate::domain::Role;
use crate::store::{Location, Store};
use anyhow::Context as _;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

/// Arguments of `candor user`.
#[derive(ClapArgs, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Add an agent or a manager. The password is read from standard input, never from an argument
    Add {
        /// Sign-in name
        email: String,
        /// The name that customers see
        #[arg(long)]
        name: String,
        /// Rights
        #[arg(long, value_enum, default_value_t = RoleName::Agent)]
        role: RoleName,
        /// SQLite database file, or address of a PostgreSQL database
        #[arg(long, env = "CANDOR_DATABASE", default_value = "data/candor.db", hide_env_values = true)]
        database: Location,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Agent,
    Manager,
}

/// Runs the sub-command.
///
/// # Errors
/// If a value cannot be taken or the database cannot be opened.
#[tokio::main]
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let Command::Add { email, name, role, database } = &args.command;
    let made = database.path().is_none_or(Path::exists);
    anyhow::ensure!(made, "{database}: there is no database; start candor once first");
    if std::io::stdin().is_terminal() {
        eprintln!("Password (12 characters or more, shown as you type): ");
    }
    let mut password = String::new();
    std::io::stdin().lock().read_line(&mut password).context("no password on standard input")?;
    let role = match role {
        RoleName::Agent => Role::Agent,
        RoleName::Manager => Role::Manager,
    };
    let application = Application {
        email: email.clone(),
        name: name.clone(),
        role,
        password: password.trim_end_matches(['\r', '\n']).to_owned(),
    };
    let new = accounts::prepare(application).await?;
    // A server may be running: it finds the account in the database at the next sign-in.
    let store = Store::visit(database.clone(), Clock::System).await?;
    let made = store.create_agent(new, Clock::System.now()).await;
    store.close().await;
    println!("{} can sign in", made?.email);
    Ok(())
}
