//! A real server on a free port, with a temporary database, and clients that speak to it as
//! browsers do. Without `model()` it reads by rules, which is quick and deterministic.

use candor::app::Shared;
use candor::clock::Clock;
use candor::config::Config;
use candor::serve;
use clap::Parser;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

/// Longest wait for anything; far beyond what a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Among the flags: the demo shop and its sample day too.
const WITH_DEMO: &str = "--with-demo";
/// Among the flags: the model may still be being loaded when the server is handed over.
pub(crate) const UNLOADED: &str = "--unloaded";

#[derive(Parser)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) config: Config,
}

/// A running server.
pub(crate) struct TestApp {
    pub(crate) app: Shared,
    pub(crate) origin: String,
    folder: TempDir,
    setup_token: Option<String>,
    task: JoinHandle<()>,
}

impl TestApp {
    /// Starts a server that reads by rules.
    pub(crate) async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), &["--models", "/nonexistent"]).await
    }

    /// The same with further flags.
    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), &[&["--models", "/nonexistent"], flags].concat()).await
    }

    /// Starts a server with these flags alone, which may name a model.
    pub(crate) async fn start_reading(flags: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), flags).await
    }

    /// The same on a PostgreSQL database, which may hold a history already.
    pub(crate) async fn start_on_server(url: &str) -> Self {
        Self::start_with(&["--database", url]).await
    }

    async fn start_in(folder: TempDir, flags: &[&str]) -> Self {
        Self::start_on(folder, flags, Clock::System).await
    }

    /// Starts on a database's folder with a clock that may stand still; `flags` are all that there are.
    pub(crate) async fn start_on(folder: TempDir, flags: &[&str], clock: Clock) -> Self {
        let database = folder.path().join("candor.db");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut line = vec!["candor", "--listen", &address];
        if !flags.contains(&"--database") {
            line.extend(["--database", database.to_str().unwrap()]);
        }
        line.extend(["--allow-origin", "https://shop.example"]);
        line.extend(flags.iter().filter(|flag| ![WITH_DEMO, UNLOADED].contains(flag)));
        let mut config = Line::parse_from(line).config;
        // The sample day would mostly be in the way.
        config.no_demo = !flags.contains(&WITH_DEMO);
        let started = serve::start(config, &listener, clock).await.unwrap();
        let app = started.app.clone();
        if !flags.contains(&UNLOADED) {
            app.bot.settled().await;
        }
        let task = tokio::spawn(async move { serve::run(started.app, listener).await.unwrap() });
        Self { origin: format!("http://{address}"), app, folder, setup_token: started.setup_token, task }
    }

    /// Stops in order, as a signal does, and starts again on the same database.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(&[]).await
    }

    /// The same with further flags.
    pub(crate) async fn restart_with(self, flags: &[&str]) -> Self {
        let folder = self.stop().await;
        Self::start_in(folder, &[&["--models", "/nonexistent"], flags].concat()).await
    }

    /// Stops in order and gives the database's folder back.
    pub(crate) async fn stop(self) -> TempDir {
        self.app.stop.cancel();
        self.task.await.unwrap();
        self.folder
    }

    /// A new customer who has said hello; the frames until `resumed` are read.
    pub(crate) async fn customer(&self) -> Customer {
        Customer::hello(self, json!({ "type": "hello", "site": "default" })).await
    }

    /// The first manager, made with the one-time token.
    pub(crate) async fn manager(&self) -> Staff {
        let form = json!({
            "token": self.setup_token(),
            "name": "Mo Manager", "email": "mo@shop.example", "password": "a long enough one",
        });
        Staff::enter(self, "/v1/setup", &form).await
    }

    /// The one-time token that this server printed.
    pub(crate) fn setup_token(&self) -> &str {
        self.setup_token.as_deref().expect("there was a manager when it started")
    }

    /// An agent, added by a manager and signed in.
    pub(crate) async fn agent(&self, manager: &Staff, name: &str) -> Staff {
        let email = format!("{}@shop.example", name.to_lowercase());
        let form = json!({ "email": email, "name": name, "role": "agent", "password": "another long one" });
        let (status, _) = manager.call("POST", "/v1/agents", Some(&form)).await;
        assert_eq!(status, 201);
        Staff::enter(self, "/v1/session", &json!({ "email": email, "password": "another long one" })).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One socket, from either side.
pub(crate) struct Socket {
    stream: Stream,
}

impl Socket {
    /// Connects; an error is the HTTP status of the refusal.
    pub(crate) async fn connect(
        app: &TestApp,
        path: &str,
        origin: Option<&str>,
        cookie: Option<&str>,
    ) -> Result<Self, u16> {
        Self::connect_through(&app.origin, path, origin, cookie).await
    }

    /// The same by way of another address, such as that of a bad line.
    pub(crate) async fn connect_through(
        address: &str,
        path: &str,
        origin: Option<&str>,
        cookie: Option<&str>,
    ) -> Result<Self, u16> {
        let mut request = format!("{}{path}", address.replace("http://", "ws://")).into_client_request().unwrap();
        let headers = request.headers_mut();
        let protocol = if path == "/v1/desk" { "candor.desk.v1" } else { "candor.v1" };
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        if let Some(cookie) = cookie {
            headers.insert("cookie", cookie.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(SocketError::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no connection: {error}"),
        }
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The next frame, or the close code.
    pub(crate) async fn next(&mut self) -> Result<Value, u16> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("nothing arrived in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                // A reset connection has no code.
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Whether nothing comes for so long.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.stream.next()).await.is_err()
    }

    /// Reads until a frame of this type (and, if given, with this value at this field) comes.
    pub(crate) async fn until(&mut self, kind: &str, field: Option<(&str, Value)>) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|code| panic!("closed with {code} while waiting for {kind}"));
            let fits = field.as_ref().is_none_or(|(name, value)| frame[*name] == *value);
            if frame["type"] == kind && fits {
                return frame;
            }
            assert!(kind == "error" || frame["type"] != "error", "unexpected {frame}");
        }
    }
}

/// A customer's client: applies the log as the widget does and fails on a gap or a duplicate.
pub(crate) struct Customer {
    pub(crate) socket: Socket,
    pub(crate) welcome: Value,
    pub(crate) token: String,
    pub(crate) events: Vec<Value>,
}

impl Customer {
    /// Connects with this first frame and reads until `resumed`.
    pub(crate) async fn hello(app: &TestApp, hello: Value) -> Self {
        Self::hello_through(&app.origin, app, hello).await
    }

    /// The same by way of another address.
    pub(crate) async fn hello_through(address: &str, app: &TestApp, hello: Value) -> Self {
        Self::hello_from(&app.origin, address, hello).await
    }

    /// The same on a page of this origin.
    pub(crate) async fn hello_from(origin: &str, address: &str, hello: Value) -> Self {
        let mut socket = Socket::connect_through(address, "/v1/chat", Some(origin), None).await.unwrap();
        socket.send(&hello).await;
        let welcome = socket.next().await.unwrap();
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        let token = welcome["token"].as_str().or(hello["token"].as_str()).unwrap().to_owned();
        let mut customer = Self { socket, welcome, token, events: Vec::new() };
        let mut last = hello["after"].as_i64().unwrap_or(0);
        loop {
            let frame = customer.socket.next().await.unwrap();
            match frame["type"].as_str().unwrap() {
                "resumed" => return customer,
                "event" => {
                    assert_eq!(frame["seq"].as_i64(), Some(last + 1), "a gap or a duplicate");
                    last += 1;
                    customer.events.push(frame);
                }
                "reset" => last = frame["after"].as_i64().unwrap_or(0),
                other => panic!("unexpected {other}"),
            }
        }
    }

    /// Drops the connection and resumes after the last event seen.
    pub(crate) async fn resume(self, app: &TestApp) -> Self {
        let after = self.last_seq();
        let hello = json!({
            "type": "hello", "site": "default", "token": self.token, "after": after,
            "conversation": self.welcome["conversation"], "epoch": self.welcome["epoch"],
        });
        drop(self.socket);
        let mut resumed = Self::hello(app, hello).await;
        // `hello` has checked that what follows begins right after these and has no gap.
        resumed.events.splice(..0, self.events);
        resumed
    }

    pub(crate) fn last_seq(&self) -> i64 {
        self.events.last().and_then(|event| event["seq"].as_i64()).unwrap_or(0)
    }

    pub(crate) fn conversation(&self) -> Value {
        self.welcome["conversation"].clone()
    }

    /// Sends a message and returns its sequence number once it is durable.
    pub(crate) async fn say(&mut self, text: &str) -> i64 {
        let id = Uuid::new_v4();
        self.socket.send(&json!({ "type": "say", "id": id, "text": text })).await;
        self.wait_for("ack", |frame| frame["id"] == json!(id)).await["seq"].as_i64().unwrap()
    }

    /// Waits for the bot's answer to a message that is sent now.
    pub(crate) async fn ask(&mut self, text: &str) -> Value {
        let seq = self.say(text).await;
        self.wait_for_event(|event| event["from"]["role"] == "bot" && event["seq"].as_i64() > Some(seq)).await
    }

    pub(crate) async fn wait_for_event(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(found) = self.events.iter().find(|event| fits(event)) {
            return found.clone();
        }
        self.wait_for("event", fits).await
    }

    pub(crate) async fn wait_for_state(&mut self, state: &str) -> Value {
        self.wait_for_event(|event| event["kind"] == "state" && event["state"] == state).await
    }

    pub(crate) async fn wait_for(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.socket.next().await.unwrap_or_else(|code| panic!("closed with {code}"));
            if frame["type"] == "event" {
                assert_eq!(frame["seq"].as_i64(), Some(self.last_seq() + 1), "a gap or a duplicate: {frame}");
                self.events.push(frame.clone());
            }
            if frame["type"] == kind && fits(&frame) {
                return frame;
            }
        }
    }
}

/// A signed-in member of staff.
pub(crate) struct Staff {
    client: reqwest::Client,
    origin: String,
    pub(crate) cookie: String,
    pub(crate) id: String,
}

impl Staff {
    async fn enter(app: &TestApp, path: &str, form: &Value) -> Self {
        let client = reqwest::Client::new();
        let response =
            client.post(format!("{}{path}", app.origin)).header("origin", &app.origin).json(form).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let body: Value = response.json().await.unwrap();
        Self { client, origin: app.origin.clone(), cookie, id: body["agent"]["id"].as_str().unwrap().to_owned() }
    }

    /// Calls the HTTP side; the answer's status and JSON body (null for none).
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.origin))
            .header("origin", &self.origin)
            .header("cookie", &self.cookie);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    /// The same person after a restart.
    pub(crate) fn again(&self, app: &TestApp) -> Self {
        let (client, origin) = (self.client.clone(), app.origin.clone());
        Self { client, origin, cookie: self.cookie.clone(), id: self.id.clone() }
    }

    /// Opens the desk; the snapshot is the first frame.
    pub(crate) async fn desk(&self, app: &TestApp) -> (Socket, Value) {
        let mut socket = Socket::connect(app, "/v1/desk", Some(&app.origin), Some(&self.cookie)).await.unwrap();
        socket.send(&json!({ "type": "hello" })).await;
        let snapshot = socket.until("snapshot", None).await;
        (socket, snapshot)
    }
}

/// Carries out one desk operation; the answer is its `ack` or its `error`.
pub(crate) async fn operate(desk: &mut Socket, mut frame: Value) -> Value {
    let id = json!(Uuid::new_v4());
    frame["id"] = id.clone();
    desk.send(&frame).await;
    loop {
        let answer = desk.next().await.unwrap_or_else(|code| panic!("closed with {code}"));
        if answer["id"] == id && (answer["type"] == "ack" || answer["type"] == "error") {
            return answer;
        }
    }
}

/// The built-in prompts in a folder of their own, with one file changed.
pub(crate) fn write_prompts(file: &str, change: impl FnOnce(String) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts"), folder.path());
    let path = folder.path().join(file);
    let before = std::fs::read_to_string(&path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{file} is not what the test takes it for");
    std::fs::write(path, after).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
