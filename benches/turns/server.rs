//! The server under load: the child process of `proving`, with what only its database tells. Knows
//! nothing of sockets.

use anyhow::Result;
use proving::figures::ratio;
use proving::server::{Launch, Server as Process};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for the sample day.
const SAMPLES_DEADLINE: Duration = Duration::from_secs(60);

/// A running server, ended when this is dropped: also after an error or a panic.
pub(crate) struct Server {
    /// The process.
    pub(crate) process: Process,
    // Last, so that the process is gone when its folder goes.
    folder: TempDir,
}

impl Server {
    /// Starts `program` on a free loopback port with an empty database on disk, and waits until it
    /// is ready and has written its sample day.
    pub(crate) async fn start(program: &Path, flags: &[String]) -> Result<Self> {
        // On disk like a real one: /tmp may be memory, where a commit costs nothing.
        let folder = tempfile::Builder::new().prefix("turns-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut launch = Launch::new(program, folder.path())?;
        launch.flags.extend_from_slice(flags);
        let server = Self { process: launch.start().await?, folder };
        server.wait_for_samples().await?;
        Ok(server)
    }

    /// The demo's sample day is written in the background after the start; its turns are not ours.
    async fn wait_for_samples(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let mut database = self.open_database().await?;
            let written: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM meta WHERE key = 'sample_day'")
                .fetch_one(&mut database)
                .await?;
            database.close().await?;
            if written > 0 || begin.elapsed() > SAMPLES_DEADLINE {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn open_database(&self) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new().filename(self.database()).read_only(true);
        Ok(options.busy_timeout(Duration::from_secs(10)).connect().await?)
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("candor.db")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// Turns that were recorded since `since` (milliseconds since the epoch) by who read them, and
    /// by what was done about them. No endpoint counts turns by source, so the database is asked.
    pub(crate) async fn turns_since(&self, since: i64) -> Result<(BTreeMap<String, i64>, BTreeMap<String, i64>)> {
        let mut database = self.open_database().await?;
        let sources: Vec<(String, i64)> =
            sqlx::query_as("SELECT source, COUNT(*) FROM turn WHERE at >= $1 GROUP BY source")
                .bind(since)
                .fetch_all(&mut database)
                .await?;
        let actions: Vec<(String, i64)> =
            sqlx::query_as("SELECT action, COUNT(*) FROM turn WHERE at >= $1 GROUP BY action")
                .bind(since)
                .fetch_all(&mut database)
                .await?;
        database.close().await?;
        Ok((sources.into_iter().collect(), actions.into_iter().collect()))
    }
}

/// Mean milliseconds of processor time of one turn.
pub(crate) fn per_turn(milliseconds: u64, turns: u64) -> f64 {
    ratio(milliseconds, turns)
}
