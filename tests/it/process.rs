//! The program itself as a process of its own, so that it can be killed and its disk can fail, and small clients that
//! remember what they were promised.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

/// Longest wait for anything; far beyond what a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const PROGRAM: &str = env!("CARGO_BIN_EXE_candor");

/// A server that runs the program. Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) origin: String,
}

impl Process {
    /// Starts it on a database and waits until it is ready.
    pub(crate) async fn start(database: &Path, environment: &[(&str, &Path)]) -> Self {
        let flags = ["--database".as_ref(), database.as_os_str()];
        Self::start_with(&flags, environment, &database.with_extension("log")).await
    }

    /// The same with these flags, among which the database is.
    pub(crate) async fn start_with(flags: &[&OsStr], environment: &[(&str, &Path)], log: &Path) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = Command::new(PROGRAM)
            .args(["--listen", &free, "--models", "/nonexistent", "--no-demo"])
            .args(flags)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(log).unwrap())
            .spawn()
            .unwrap();
        let mut process = Self { child, origin: format!("http://{free}") };
        let until = Instant::now() + PATIENCE;
        while process.ready().await.is_none_or(|(ready, _)| !ready) {
            let ended = process.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(log).unwrap();
            assert!(ended.is_none() && Instant::now() < until, "it did not become ready: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    /// What `/readyz` says; none while nobody answers.
    pub(crate) async fn ready(&self) -> Option<(bool, Value)> {
        let address = self.origin.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.starts_with("HTTP/1.1 200"), serde_json::from_str(body).ok()?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As a loss of power to the process alone: what it wrote, the system has.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As a service manager does.
    pub(crate) fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a sub-command of the program to its end, with nothing on its standard input.
pub(crate) async fn run(arguments: &[&str], paths: &[(&str, &Path)]) -> Output {
    run_with(Stdio::null(), arguments, paths).await
}

/// Runs a sub-command of the program to its end.
pub(crate) async fn run_with(input: impl Into<Stdio>, arguments: &[&str], paths: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(input);
    for (flag, path) in paths {
        command.arg(flag).arg(path);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Acked(i64),
    Busy,
    /// Too many at once on one connection.
    Limited,
    /// The connection ended first.
    Gone,
}

/// A customer that remembers everything it sent, and which of it was acknowledged.
pub(crate) struct Witness {
    name: String,
    /// The server that it last spoke to.
    origin: String,
    identity: Option<(Value, Value)>,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    pub(crate) welcome: Value,
    /// The log as it was given at the latest hello.
    pub(crate) log: Vec<Value>,
    /// Whether the latest hello was answered with a reset.
    pub(crate) was_reset: bool,
    /// In the order in which they were sent: id, text, and where it stands.
    pub(crate) sent: Vec<(Uuid, String, Option<i64>)>,
}

impl Witness {
    pub(crate) async fn new(server: &Process, name: &str) -> Self {
        let mut witness = Self {
            name: name.to_owned(),
            origin: String::new(),
            identity: None,
            socket: None,
            welcome: Value::Null,
            log: Vec::new(),
            was_reset: false,
            sent: Vec::new(),
        };
        assert!(witness.connect(server, 0).await, "nobody answered");
        witness
    }

    /// Says hello as whoever it was before, having seen everything up to `after`. Fails on a gap in the log.
    pub(crate) async fn connect(&mut self, server: &Process, after: i64) -> bool {
        self.connect_to(&server.origin, after).await
    }

    async fn connect_to(&mut self, origin: &str, after: i64) -> bool {
        self.origin = origin.to_owned();
        let mut request = (origin.replace("http://", "ws://") + "/v1/chat").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("candor.v1"));
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let Ok((mut socket, _)) = connect_async(request).await else { return false };
        let mut hello = json!({ "type": "hello", "site": "default", "after": after, "epoch": self.welcome["epoch"] });
        if let Some((token, conversation)) = &self.identity {
            (hello["token"], hello["conversation"]) = (token.clone(), conversation.clone());
        }
        if hello["epoch"].is_null() {
            hello.as_object_mut().unwrap().remove("epoch");
        }
        if socket.send(Message::text(hello.to_string())).await.is_err() {
            return false;
        }
        (self.log, self.was_reset) = (Vec::new(), false);
        let mut last = after;
        loop {
            let Some(frame) = next(&mut socket).await else { return false };
            match frame["type"].as_str().unwrap() {
                "welcome" => {
                    let token =
                        if frame["token"].is_null() { self.identity.take().unwrap().0 } else { frame["token"].clone() };
                    self.identity = Some((token, frame["conversation"].clone()));
                    self.welcome = frame;
                }
                "reset" => (self.was_reset, last) = (true, 0),
                "event" => {
                    assert_eq!(frame["seq"].as_i64(), Some(last + 1), "a gap or a duplicate");
                    last += 1;
                    self.log.push(frame);
                }
                "resumed" => {
                    self.socket = Some(socket);
                    return true;
                }
                _ => return false,
            }
        }
    }

    /// Sends a new message.
    pub(crate) async fn say(&mut self) -> Answer {
        let text = format!("{} says number {}", self.name, self.sent.len());
        self.sent.push((Uuid::new_v4(), text, None));
        self.send_last().await
    }

    /// Sends the latest message again, as a client does that was not answered; a first one if there is none.
    pub(crate) async fn repeat(&mut self) -> Answer {
        match self.sent.last() {
            Some((.., Some(seq))) => Answer::Acked(*seq),
            Some(_) => self.send_last().await,
            None => self.say().await,
        }
    }

    async fn send_last(&mut self) -> Answer {
        let (id, text, seq) = self.sent.last_mut().unwrap();
        let Some(socket) = self.socket.as_mut() else { return Answer::Gone };
        if socket.send(Message::text(json!({ "type": "say", "id": id, "text": text }).to_string())).await.is_err() {
            return Answer::Gone;
        }
        let answer = loop {
            let Some(frame) = next(socket).await else { return Answer::Gone };
            if frame["type"] == "busy" || frame["id"] == json!(id) {
                break frame;
            }
        };
        match answer["type"].as_str().unwrap() {
            "ack" => {
                *seq = answer["seq"].as_i64();
                Answer::Acked(seq.unwrap())
            }
            "busy" => Answer::Busy,
            _ => {
                assert_eq!(answer["code"], "rate_limited", "{answer}");
                Answer::Limited
            }
        }
    }

    /// Writes until the server is gone, on a new connection where one has said too much.
    pub(crate) async fn write_until_gone(&mut self) {
        let mut answer = self.repeat().await;
        loop {
            answer = match answer {
                Answer::Gone => return,
                Answer::Acked(_) => self.say().await,
                Answer::Busy => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    self.repeat().await
                }
                Answer::Limited => {
                    let origin = self.origin.clone();
                    let seen = self.sent.iter().rev().find_map(|(.., seq)| *seq).unwrap_or(0);
                    if !self.connect_to(&origin, seen).await {
                        return;
                    }
                    self.repeat().await
                }
            };
        }
    }

    /// Holds the log of the latest hello, which must have begun at its first event, against what was promised: every
    /// acknowledged message stands where it was said to, nothing twice, nothing that was not sent, and all in order.
    pub(crate) fn hold(&self) {
        let of_customer = |event: &&Value| event["from"]["role"] == "customer" && event["kind"] == "message";
        let stored: Vec<&str> =
            self.log.iter().filter(of_customer).map(|event| event["text"].as_str().unwrap()).collect();
        let distinct: HashSet<_> = stored.iter().collect();
        assert_eq!(distinct.len(), stored.len(), "something is doubled");
        for (_, text, seq) in &self.sent {
            let Some(seq) = seq else { continue };
            let index = usize::try_from(seq - 1).unwrap();
            assert_eq!(
                self.log.get(index).map(|event| &event["text"]),
                Some(&json!(text)),
                "acknowledged as {seq} and lost"
            );
        }
        let in_order: Vec<&str> =
            self.sent.iter().map(|(_, text, _)| text.as_str()).filter(|text| distinct.contains(text)).collect();
        assert_eq!(stored, in_order, "another order, or something that nobody sent");
    }
}

async fn next(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Option<Value> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("nothing arrived in time") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// A library to be preloaded that makes the database's disk fail on demand.
pub(crate) fn faults(folder: &Path) -> PathBuf {
    let library = folder.join("faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "the C compiler that builds SQLite could not build {source:?}");
    library
}
