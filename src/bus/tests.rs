//! Two buses over a real NATS server and a real PostgreSQL. The NATS server is a child of the test; PostgreSQL is the
//! one that `TEST_POSTGRES_URL` names, and without it those tests say that they did not run.

use super::{Address, Bus, Signal};
use crate::domain::{AgentId, Author, ConversationId, NodeId};
use futures_util::StreamExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;
use uuid::Uuid;

/// Longest wait for anything; far beyond what a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

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
        let program = if std::path::Path::new("/usr/sbin/nats-server").exists() {
            "/usr/sbin/nats-server"
        } else {
            "nats-server"
        };
        Command::new(program)
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--user", "candor", "--pass", "s3cr@t"])
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

    fn url(&self) -> String {
        format!("nats://candor:s3cr%40t@127.0.0.1:{}", self.port)
    }

    /// A connection that is no node.
    async fn outsider(&self) -> async_nats::Client {
        let options = || async_nats::ConnectOptions::new().user_and_password("candor".to_owned(), "s3cr@t".to_owned());
        let connect = || options().connect(self.url());
        let begun = Instant::now();
        loop {
            match connect().await {
                Ok(client) => return client,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn topic() -> String {
    format!("candor.{}", fresh())
}

#[expect(clippy::disallowed_methods, reason = "a test's own ids")]
fn fresh() -> Uuid {
    Uuid::new_v4()
}

/// Two nodes on one topic that hear one another.
struct Pair {
    a: Bus,
    b: Bus,
    conversation: ConversationId,
    on_b: Receiver<Signal>,
    desk_b: Receiver<Signal>,
}

impl Pair {
    async fn on(url: &str, topic: &str) -> Self {
        let address: Address = url.parse().unwrap();
        let a = Bus::open(&address, topic, NodeId(fresh())).await.unwrap();
        let b = Bus::open(&address, topic, NodeId(fresh())).await.unwrap();
        let conversation = ConversationId(fresh());
        let (on_b, desk_b) = (b.subscribe(conversation), b.subscribe_desk());
        let mut pair = Self { a, b, conversation, on_b, desk_b };
        pair.meet().await;
        pair
    }

    /// Waits until signals flow both ways, and leaves nothing of that behind.
    async fn meet(&mut self) {
        let id = ConversationId(fresh());
        let (mut on_a, mut on_b) = (self.a.subscribe(id), self.b.subscribe(id));
        let there = async {
            let (mut a_heard, mut b_heard) = (false, false);
            while !(a_heard && b_heard) {
                // A mark that means nothing to listeners here, so that only what crosses is seen.
                self.a.send(&super::News::Signal(Signal::Changed(id)));
                self.b.send(&super::News::Signal(Signal::Changed(id)));
                tokio::time::sleep(Duration::from_millis(30)).await;
                while let Ok(signal) = on_a.try_recv() {
                    a_heard |= signal == Signal::Changed(id);
                }
                while let Ok(signal) = on_b.try_recv() {
                    b_heard |= signal == Signal::Changed(id);
                }
            }
        };
        timeout(PATIENCE, there).await.expect("the nodes do not hear one another");
        // What is still on its way.
        tokio::time::sleep(Duration::from_millis(200)).await;
        while self.on_b.try_recv().is_ok() {}
        while self.desk_b.try_recv().is_ok() {}
    }

    async fn close(self) {
        self.a.close().await;
        self.b.close().await;
    }
}

async fn next(signals: &mut Receiver<Signal>) -> Signal {
    timeout(PATIENCE, signals.recv()).await.expect("no signal came").unwrap()
}

/// Waits until everybody was told to look again.
async fn told_to_look_again(signals: &mut Receiver<Signal>) {
    while next(signals).await != Signal::Again {}
}

async fn exchanges_every_kind(url: &str) {
    let mut pair = Pair::on(url, &topic()).await;
    let id = pair.conversation;
    let agent = AgentId(fresh());
    let named = Signal::Typing(id, Author::Agent, Some("Dana".to_owned()));
    let nameless = Signal::Typing(id, Author::Agent, None);
    let all = [
        (Signal::Changed(id), Signal::Changed(id)),
        (Signal::Explained(id, 5), Signal::Explained(id, 5)),
        (Signal::Typing(id, Author::Customer, None), Signal::Typing(id, Author::Customer, None)),
        (named.clone(), nameless.clone()),
        (Signal::Reset, Signal::Reset),
        (Signal::Rights(agent), Signal::Rights(agent)),
    ];
    let mut desk_a = pair.a.subscribe_desk();
    for (published, arrives) in all {
        pair.a.publish(&published);
        assert_eq!(next(&mut desk_a).await, published, "here it is whole");
        assert_eq!(next(&mut pair.desk_b).await, arrives);
    }
    assert_eq!(next(&mut pair.on_b).await, Signal::Changed(id));
    assert_eq!(next(&mut pair.on_b).await, Signal::Typing(id, Author::Customer, None));
    assert_eq!(next(&mut pair.on_b).await, nameless);
    pair.a.announce_seats();
    timeout(PATIENCE, pair.b.seats_changed()).await.expect("nobody heard of the seats");
    pair.a.announce_queue();
    timeout(PATIENCE, pair.b.queue_moved()).await.expect("nobody heard of the queue");
    // A node works these out for itself; its own signals do not come back to it.
    pair.a.publish(&Signal::Presence);
    pair.a.publish(&Signal::Queue(id));
    pair.a.publish(&Signal::Changed(id));
    assert_eq!(next(&mut pair.desk_b).await, Signal::Changed(id));
    assert_eq!([next(&mut desk_a).await, next(&mut desk_a).await], [Signal::Presence, Signal::Changed(id)]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(desk_a.try_recv().is_err(), "an echo");
    pair.close().await;
}

/// The times from publishing on one bus to hearing on the other, for lone signals.
async fn measures_latency(what: &str, url: &str) {
    let mut pair = Pair::on(url, &topic()).await;
    let mut times = Vec::new();
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let begun = Instant::now();
        pair.a.publish(&Signal::Changed(pair.conversation));
        next(&mut pair.on_b).await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let (median, p99) = (times[100], times[197]);
    eprintln!("{what}: a signal from one bus to another takes {median:?} in the median, {p99:?} at p99");
    assert!(median < Duration::from_millis(100), "{median:?}");
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_carries_every_kind_of_signal() {
    let server = NatsServer::start();
    exchanges_every_kind(&server.url()).await;
    measures_latency("NATS", &server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nats_server_that_dies_and_comes_back_has_everybody_look_again() {
    let mut server = NatsServer::start();
    let mut pair = Pair::on(&server.url(), &topic()).await;
    let mut desk_a = pair.a.subscribe_desk();
    server.kill();
    let begun = Instant::now();
    for _ in 0..100 {
        pair.a.publish(&Signal::Changed(pair.conversation));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "whoever publishes never waits");
    while desk_a.try_recv().is_ok() {}
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(pair.desk_b.try_recv().is_err(), "there is no way");
    server.start_again();
    told_to_look_again(&mut pair.on_b).await;
    told_to_look_again(&mut pair.desk_b).await;
    told_to_look_again(&mut desk_a).await;
    pair.meet().await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_may_be_opened_before_its_server_runs() {
    let mut server = NatsServer::start();
    server.kill();
    let address: Address = server.url().parse().unwrap();
    let bus = Bus::open(&address, &topic(), NodeId(fresh())).await.unwrap();
    let mut desk = bus.subscribe_desk();
    bus.publish(&Signal::Reset);
    assert_eq!(next(&mut desk).await, Signal::Reset);
    server.start_again();
    told_to_look_again(&mut desk).await;
    let begun = Instant::now();
    bus.close().await;
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_passed_over_and_ids_are_all_that_travels() {
    let server = NatsServer::start();
    let topic = topic();
    let outsider = server.outsider().await;
    let mut tapped = outsider.subscribe(topic.clone()).await.unwrap();
    let mut pair = Pair::on(&server.url(), &topic).await;
    for bad in ["", "{", "[1,2]", r#"{"v":9}"#, r#"{"v":1,"n":"x","s":[["changed"]]}"#] {
        outsider.publish(topic.clone(), bad.into()).await.unwrap();
    }
    outsider.publish(topic.clone(), vec![0xff; 100_000].into()).await.unwrap();
    outsider.flush().await.unwrap();
    let said = Signal::Typing(pair.conversation, Author::Bot, Some("A name of the shop".to_owned()));
    pair.a.publish(&said);
    assert_eq!(next(&mut pair.on_b).await, Signal::Typing(pair.conversation, Author::Bot, None));
    let ours = async {
        loop {
            let message = tapped.next().await.unwrap();
            let text = String::from_utf8_lossy(&message.payload).into_owned();
            if text.contains("typing") {
                return text;
            }
        }
    };
    let text = timeout(PATIENCE, ours).await.unwrap();
    assert!(!text.contains("name") && text.len() < 200, "{text}");
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_sends_what_waits() {
    let server = NatsServer::start();
    let mut pair = Pair::on(&server.url(), &topic()).await;
    for _ in 0..3 {
        pair.a.publish(&Signal::Changed(pair.conversation));
    }
    let last = Signal::Explained(pair.conversation, 1);
    pair.a.publish(&last);
    pair.a.close().await;
    while next(&mut pair.desk_b).await != last {}
    pair.b.close().await;
}

fn postgres() -> Option<String> {
    let url = std::env::var("TEST_POSTGRES_URL").ok();
    if url.is_none() {
        eprintln!("not run: TEST_POSTGRES_URL names no PostgreSQL");
    }
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_carries_every_kind_of_signal() {
    let Some(url) = postgres() else { return };
    exchanges_every_kind(&url).await;
    measures_latency("PostgreSQL", &url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_postgres_that_are_cut_come_back_and_everybody_looks_again() {
    let Some(url) = postgres() else { return };
    let topic = topic();
    let mut pair = Pair::on(&url, &topic).await;
    let mut outsider = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'";
    let cut: i64 = sqlx::query_scalar(cut).bind(&topic).fetch_one(&mut outsider).await.unwrap();
    assert!(cut >= 2, "{cut} listeners");
    told_to_look_again(&mut pair.desk_b).await;
    pair.meet().await;
    // A payload that no node wrote.
    sqlx::query("SELECT pg_notify($1, 'no json')").bind(&topic).execute(&mut outsider).await.unwrap();
    pair.a.publish(&Signal::Changed(pair.conversation));
    assert_eq!(next(&mut pair.on_b).await, Signal::Changed(pair.conversation));
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_through_postgres_loses_nothing() {
    let Some(url) = postgres() else { return };
    let mut pair = Pair::on(&url, &topic()).await;
    let ids: Vec<ConversationId> = (0..1_000).map(|_| ConversationId(fresh())).collect();
    let mut topics: Vec<_> = ids.iter().map(|id| pair.b.subscribe(*id)).collect();
    ids.iter().for_each(|id| pair.a.publish(&Signal::Changed(*id)));
    for (signals, id) in topics.iter_mut().zip(&ids) {
        assert_eq!(next(signals).await, Signal::Changed(*id));
    }
    pair.meet().await;
    pair.close().await;
}
