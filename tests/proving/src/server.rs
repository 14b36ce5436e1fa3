//! The server under test: the real program as a child process, watched over /proc, stopped, paused
//! and killed by its handle. Knows its command line and its first HTTP routes, not its sockets.

use crate::process::{self, Memory};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest start; a debug build loads slowly.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// Longest stop after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// The password of every account that a campaign makes.
const PASSWORD: &str = "a long password for proving";

/// How a server is started: always with the same address, so that clients come back to it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Where its log goes.
    pub folder: PathBuf,
    /// Value of `--database`.
    pub database: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The origin of its pages.
    pub origin: String,
    /// Further flags.
    pub flags: Vec<String>,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
}

impl Launch {
    /// On a free port of this machine, with a SQLite file in `folder`.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn new(program: &Path, folder: &Path) -> Result<Self> {
        let address = free_address()?;
        Ok(Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            database: folder.join("candor.db").display().to_string(),
            address,
            origin: format!("http://{address}"),
            flags: Vec::new(),
            environment: Vec::new(),
        })
    }

    /// Adds flags.
    #[must_use]
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// If it ends, or is not ready within a minute.
    pub async fn start(&self) -> Result<Server> {
        let begin = Instant::now();
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let child = Command::new(&self.program)
            .args(["serve", "--listen", &self.address.to_string(), "--database", &self.database])
            .args(&self.flags)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut server =
            Server { child, address: self.address, log: self.log(), ready_ms: 0, understanding: String::new() };
        server.understanding = server.wait_until_ready(begin).await?;
        server.ready_ms = begin.elapsed().as_millis();
        Ok(server)
    }

    /// Makes an account, beside the running server, and signs in: the session's cookie.
    ///
    /// # Errors
    /// If either is refused.
    pub async fn staff(&self, name: &str) -> Result<String> {
        let email = format!("{}@proving.example", name.to_lowercase());
        let mut child = Command::new(&self.program)
            .args(["user", "add", "--name", name, "--role", "agent", "--database", &self.database, &email])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("no input")?.write_all(format!("{PASSWORD}\n").as_bytes())?;
        // Its way to the database may lead through a proxy on this very thread.
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
        ensure!(output.status.success(), "no account: {}", String::from_utf8_lossy(&output.stderr));
        self.sign_in(&email).await
    }

    /// Signs in: the session's cookie.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn sign_in(&self, email: &str) -> Result<String> {
        let body = json!({ "email": email, "password": PASSWORD }).to_string();
        let answer = request(self.address, "POST", "/v1/session", &self.origin, &body).await?;
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        Ok(cookie.with_context(|| format!("no session: {answer}"))?.to_owned())
    }

    /// How far the running server's model is: `loading`, `ready`, `absent` or `failed`.
    ///
    /// # Errors
    /// If nobody answers, or without it.
    pub async fn model(&self) -> Result<String> {
        let answer = request(self.address, "GET", "/readyz", "", "").await?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: Value = serde_json::from_str(body)?;
        Ok(body["model"].as_str().context("no model in /readyz")?.to_owned())
    }

    /// The file with the server's own log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

/// What `program` says of an option: whether it is there at all.
///
/// # Errors
/// If the program cannot be run.
pub fn has_option(program: &Path, option: &str) -> Result<bool> {
    let output = Command::new(program).args(["serve", "--help"]).output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).contains(option))
}

/// A running server, ended when this is dropped: also after an error or a panic.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    ready_ms: u128,
    understanding: String,
}

impl Server {
    async fn wait_until_ready(&mut self, begin: Instant) -> Result<String> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}: {}", self.log_tail());
            }
            if let Ok(answer) = request(self.address, "GET", "/readyz", "", "").await
                && answer.starts_with("HTTP/1.1 200")
            {
                let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                let body: Value = serde_json::from_str(body).unwrap_or_default();
                let of = |name: &str| body["understanding"][name].as_str().unwrap_or("?").to_owned();
                return Ok(format!("{} {}", of("source"), of("version")));
            }
            ensure!(begin.elapsed() < START_DEADLINE, "the server is not ready: {}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Milliseconds from the start of the process until `/readyz` said yes.
    pub fn ready_ms(&self) -> u128 {
        self.ready_ms
    }

    /// Who reads the turns, as `/readyz` says it.
    pub fn understanding(&self) -> &str {
        &self.understanding
    }

    /// Memory now and at most.
    ///
    /// # Errors
    /// If it is gone.
    pub fn memory(&self) -> Result<Memory> {
        process::memory(self.id())
    }

    /// Processor time that it has used so far.
    ///
    /// # Errors
    /// If it is gone.
    pub fn processor_ms(&self) -> Result<u64> {
        process::processor_ms(self.id())
    }

    /// It ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Ends it with SIGKILL: nothing of it runs any more when this returns.
    ///
    /// # Errors
    /// If it was gone already.
    pub fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server had ended by itself with {status}: {}", self.log_tail());
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// If it does not stop in 30 seconds.
    pub async fn stop(mut self) -> Result<()> {
        process::signal(self.id(), Signal::TERM)?;
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begin.elapsed() < STOP_DEADLINE, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Stops its clock hands: it runs no more until [`Server::wake`].
    ///
    /// # Errors
    /// If it is gone.
    pub fn pause(&self) -> Result<()> {
        process::signal(self.id(), Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// If it is gone.
    pub fn wake(&self) -> Result<()> {
        process::signal(self.id(), Signal::CONT)
    }

    /// Lines of the log by message, the most frequent ones: what the server complained about.
    pub fn complaints(&self) -> Vec<(String, u64)> {
        complaints(&self.log)
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
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

/// Lines of a server's log by message, the most frequent ones.
pub fn complaints(log: &Path) -> Vec<(String, u64)> {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for line in log.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let message = entry["fields"]["message"].as_str().unwrap_or(line);
        let error = entry["fields"]["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
        *counts.entry(format!("{message}{error}")).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(5);
    counts
}

/// A free port of this machine. Somebody else may take it before it is used; then the start fails.
///
/// # Errors
/// If there is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// One HTTP request on a connection of its own: the whole answer as text.
async fn request(address: SocketAddr, method: &str, path: &str, origin: &str, body: &str) -> Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let origin = if origin.is_empty() { String::new() } else { format!("origin: {origin}\r\n") };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{origin}connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, anyhow::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(Duration::from_secs(10), exchange).await.context("no HTTP answer")?
}
