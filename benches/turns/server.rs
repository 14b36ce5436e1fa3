//! The server under load: started as a process of its own, watched over /proc, and ended by its
//! handle. Knows nothing of turns.

use crate::figures::ratio;
use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest start; a debug build loads slowly.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// Length of a clock tick of /proc in milliseconds; 100 a second on every Linux that matters.
const TICK_MS: u64 = 10;

/// A running server, ended when this is dropped: also after an error or a panic.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
    ready_ms: u128,
    understanding: String,
}

/// Memory of the server, in KiB.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) rss: u64,
    /// Resident at most so far.
    pub(crate) peak: u64,
}

impl Server {
    /// Starts `program` on a free loopback port with an empty database on disk, and waits until it
    /// is ready and has written its sample day.
    pub(crate) async fn start(program: &Path, flags: &[String]) -> Result<Self> {
        // On disk like a real one: /tmp may be memory, where a commit costs nothing.
        let folder = tempfile::Builder::new().prefix("turns-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let address = free_address()?;
        let begin = Instant::now();
        let child = Command::new(program)
            .args(["serve", "--listen", &address.to_string(), "--database"])
            .arg(folder.path().join("candor.db"))
            .args(flags)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("server.log"))?)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { child, address, folder, ready_ms: 0, understanding: String::new() };
        server.understanding = server.wait_until_ready(begin).await?;
        server.ready_ms = begin.elapsed().as_millis();
        server.wait_for_samples(begin).await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self, begin: Instant) -> Result<String> {
        // Fails only if a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let url = format!("http://{}/readyz", self.address);
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}: {}", self.log_tail());
            }
            if let Ok(response) = client.get(&url).send().await
                && response.status().is_success()
            {
                let body: serde_json::Value = response.json().await?;
                let of = |name: &str| body["understanding"][name].as_str().unwrap_or("?").to_owned();
                return Ok(format!("{} {}", of("source"), of("version")));
            }
            ensure!(begin.elapsed() < START_DEADLINE, "the server is not ready: {}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The demo's sample day is written in the background after the start; its turns are not ours.
    async fn wait_for_samples(&self, begin: Instant) -> Result<()> {
        loop {
            let mut database = self.open_database().await?;
            let written: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM meta WHERE key = 'sample_day'")
                .fetch_one(&mut database)
                .await?;
            database.close().await?;
            if written > 0 || begin.elapsed() > START_DEADLINE {
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

    /// Memory now and at most.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        Ok(Memory { rss: field("VmRSS:"), peak: field("VmHWM:") })
    }

    /// Processor time that the server has used so far.
    pub(crate) fn processor_ms(&self) -> Result<u64> {
        processor_ms(&self.child.id().to_string())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Milliseconds from the start of the process until `/readyz` said yes.
    pub(crate) fn ready_ms(&self) -> u128 {
        self.ready_ms
    }

    /// Who reads the turns, as `/readyz` says it.
    pub(crate) fn understanding(&self) -> &str {
        &self.understanding
    }

    /// Process id, for a profiler.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lines of the log by message, the most frequent ones: what the server complained about.
    pub(crate) fn complaints(&self) -> Vec<(String, u64)> {
        let log = std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for line in log.lines() {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let message = entry["fields"]["message"].as_str().unwrap_or(line);
            let error = entry["fields"]["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
            *counts.entry(format!("{message}{error}")).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.truncate(5);
        counts
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        log.lines().rev().take(3).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Processor time of a process, `self` for this one, user and system together.
pub(crate) fn processor_ms(process: &str) -> Result<u64> {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold spaces; the fields after it do not.
    let (_, fields) = line.rsplit_once(')').context("/proc/PID/stat has another form")?;
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * TICK_MS)
}

/// Mean milliseconds of processor time of one turn.
pub(crate) fn per_turn(milliseconds: u64, turns: u64) -> f64 {
    ratio(milliseconds, turns)
}
