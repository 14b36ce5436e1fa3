//! `candor backup`, `candor restore` and `candor verify`: a database as a whole, for those who run the server.

use crate::clock::Clock;
use crate::store::{self, Finding, Location};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Options of `candor backup`.
#[derive(clap::Args, Debug)]
pub struct BackupArgs {
    /// SQLite database file; a server may be using it
    #[arg(long, env = "CANDOR_DATABASE", default_value = "data/candor.db")]
    database: Location,
    /// The file to write; it gets this name only once it has been checked
    #[arg(long)]
    to: PathBuf,
    /// Replace a file of that name
    #[arg(long)]
    force: bool,
}

/// Options of `candor restore`.
#[derive(clap::Args, Debug)]
pub struct RestoreArgs {
    /// The backup
    #[arg(long)]
    from: PathBuf,
    /// SQLite database file that it takes the place of; no server may be using it, and it is kept under another name
    #[arg(long, env = "CANDOR_DATABASE", default_value = "data/candor.db")]
    database: Location,
}

/// Options of `candor verify`.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// SQLite database file or backup; a server may be using it
    #[arg(long, env = "CANDOR_DATABASE", default_value = "data/candor.db")]
    database: Location,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Copies a database while it is in use, and checks the copy.
///
/// # Errors
/// If the copy cannot be written or is not sound.
#[tokio::main]
pub async fn back_up(args: &BackupArgs) -> Result<()> {
    let from = file(&args.database, "pg_dump --format=custom writes one while the server runs")?;
    let made = store::back_up(from, &args.to, args.force).await?;
    println!(
        "{}: {} bytes, {} conversations, {} events, checked, in {:.1} s",
        args.to.display(),
        made.bytes,
        made.conversations,
        made.events,
        made.took.as_secs_f64()
    );
    Ok(())
}

/// Puts a backup in the place of a database.
///
/// # Errors
/// If a server has the database, or the backup is not sound.
#[tokio::main]
pub async fn restore(args: &RestoreArgs) -> Result<()> {
    let to = file(
        &args.database,
        "stop every node, pg_restore into a new database, and delete the row 'epoch' of meta before a node starts",
    )?;
    let made = store::restore(&args.from, to, &Clock::System).await?;
    println!(
        "{}: {} conversations, {} events, in {:.1} s",
        to.display(),
        made.conversations,
        made.events,
        made.took.as_secs_f64()
    );
    if let Some(kept) = made.kept {
        println!("The database that was there is kept as {}; delete it when you no longer need it.", kept.display());
    }
    println!("It is a new history: clients load their conversations anew when the server runs.");
    Ok(())
}

/// Looks a database over and lists what is wrong, without any text of a customer.
///
/// # Errors
/// If it cannot be read, or something is wrong.
#[tokio::main]
pub async fn verify(args: &VerifyArgs) -> Result<()> {
    let path = file(&args.database, "this version cannot look one over; PostgreSQL's own tool is pg_amcheck")?;
    let found = store::verify(path).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        found.findings.iter().for_each(|finding| println!("{}", line(finding)));
        println!("{} conversations, {} events, {} findings", found.conversations, found.events, found.findings.len());
    }
    match found.findings.len() {
        0 => Ok(()),
        1 => bail!("{}: 1 thing is wrong", path.display()),
        count => bail!("{}: {count} things are wrong", path.display()),
    }
}

/// One finding for people.
fn line(finding: &Finding) -> String {
    let mut line = format!("{}: {}", finding.check, finding.about);
    if let Some(conversation) = finding.conversation {
        line.push_str(&format!(", conversation {conversation}"));
    }
    if let Some(seq) = finding.seq {
        line.push_str(&format!(", event {seq}"));
    }
    if let Some(detail) = &finding.detail {
        line.push_str(&format!(" ({detail})"));
    }
    line
}

/// The database's file; for PostgreSQL, `instead` says what to do.
fn file<'a>(database: &'a Location, instead: &str) -> Result<&'a Path> {
    match database.path() {
        Some(path) => Ok(path),
        None => bail!("this is for a SQLite file; for PostgreSQL: {instead} (docs/operations.md)"),
    }
}

#[cfg(test)]
mod tests {
    use super::file;
    use crate::store::Location;

    #[test]
    fn for_postgresql_it_is_said_what_to_do() {
        let said = file(&Location::from("postgres://candor@db/candor"), "use pg_dump").unwrap_err().to_string();
        assert!(said.contains("use pg_dump"), "{said}");
        assert!(file(&Location::from("data/candor.db"), "").is_ok());
    }
}
