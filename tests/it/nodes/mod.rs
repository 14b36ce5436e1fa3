//! Several whole servers on one PostgreSQL database, with a bus between them: NATS, a child of the test, or
//! PostgreSQL's own. Without `TEST_POSTGRES_URL` they say that they did not run.

mod loss;
mod outage;
mod start;
mod story;

use crate::postgres::TestDatabase;
use crate::support::{Customer, Socket, Staff, TestApp};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use uuid::Uuid;

/// Longest wait for what a node is to learn from another.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections of a node: the tests' server has 400, and they run side by side.
const CONNECTIONS: [&str; 2] = ["--database-connections", "6"];

/// What the nodes tell one another by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relay {
    Nats,
    Postgres,
}

/// Makes each case a test over each relay.
macro_rules! over_both {
    ($($case:ident: $nodes:literal),+ $(,)?) => {
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let Some(nodes) = crate::nodes::Nodes::start(crate::nodes::Relay::Nats, $nodes).await else { return };
                super::$case(&nodes).await;
                nodes.stop().await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let relay = crate::nodes::Relay::Postgres;
                let Some(nodes) = crate::nodes::Nodes::start(relay, $nodes).await else { return };
                super::$case(&nodes).await;
                nodes.stop().await;
            })+
        }
    };
}
use over_both;

/// A NATS server that ends with the test.
struct NatsServer {
    child: Child,
    port: u16,
}

impl NatsServer {
    fn start() -> Self {
        // Free a moment ago; another process that takes it meanwhile fails the test, it does not fool it.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { child: Self::spawn(port), port }
    }

    fn spawn(port: u16) -> Child {
        let installed = std::path::Path::new("/usr/sbin/nats-server");
        let program = if installed.exists() { installed } else { "nats-server".as_ref() };
        Command::new(program)
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is installed (Debian: nats-server)")
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = Self::spawn(self.port);
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Servers that share a database.
struct Nodes {
    database: TestDatabase,
    nats: Option<NatsServer>,
    all: Vec<TestApp>,
}

impl Nodes {
    /// None, with a word about it, where there is no PostgreSQL.
    async fn start(relay: Relay, count: usize) -> Option<Self> {
        let database = TestDatabase::create().await?;
        let nats = (relay == Relay::Nats).then(NatsServer::start);
        let mut nodes = Self { database, nats, all: Vec::new() };
        for _ in 0..count {
            nodes.add().await;
        }
        Some(nodes)
    }

    fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--database".to_owned(), self.database.url.clone()];
        if let Some(nats) = &self.nats {
            flags.extend(["--bus".to_owned(), format!("nats://127.0.0.1:{}", nats.port)]);
        }
        flags.extend(CONNECTIONS.map(str::to_owned));
        flags
    }

    async fn add(&mut self) {
        let flags = self.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.all.push(TestApp::start_with(&flags).await);
    }

    async fn stop(self) {
        for app in self.all {
            app.stop().await;
        }
        self.database.drop().await;
    }
}

/// Waits until this is so, looking again and again.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let found = tokio::time::timeout(PATIENCE, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(found.await.is_ok(), "it never came about that {what}");
}

/// Waits until each node knows how many are at the desk.
async fn seated(nodes: &[TestApp], count: usize) {
    until("all nodes know who is at the desk", async || {
        nodes.iter().all(|node| node.app.desk.colleagues().len() == count)
    })
    .await;
}

/// Presses the button for a person, and waits until the customer waits.
async fn press(customer: &mut Customer) -> Value {
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    customer.wait_for_state("queued").await
}

/// Waits until a desk knows a conversation in this state.
async fn card(desk: &mut Socket, conversation: &Value, state: &str) -> Value {
    loop {
        let frame = desk.until("card", None).await;
        if frame["card"]["conversation"] == *conversation && frame["card"]["state"] == state {
            return frame["card"].clone();
        }
    }
}

/// A desk on a node of somebody who signed in at another.
async fn sit(staff: &Staff, node: &TestApp) -> Socket {
    staff.again(node).desk(node).await.0
}

/// A customer's log from its beginning, as a node tells it.
async fn log_of(customer: &Customer, node: &TestApp) -> Vec<Value> {
    let hello = json!({
        "type": "hello", "site": "default", "token": customer.token, "conversation": customer.conversation(),
    });
    Customer::hello(node, hello).await.events
}
