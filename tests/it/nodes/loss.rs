//! A node is killed, as a loss of power does, and another one goes on. The killed one is the program itself; the
//! other one's clock is moved by hand.

use super::{NatsServer, Relay, card, press, until};
use crate::handover::Hook;
use crate::postgres::TestDatabase;
use crate::process::{Answer, Process, Witness};
use crate::support::{Customer, Socket, Staff, TestApp, operate};
use candor::clock::Clock;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use std::ffi::OsStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Longer than a node waits between two looks at what others wrote.
const LOOK: Duration = Duration::from_millis(2_500);
/// Longer than any lease.
const LEASES: Duration = Duration::from_secs(45);
/// Longer than a background task waits between two looks.
const NEXT_LOOK: Duration = Duration::from_secs(6);

/// One that will be killed, and one that stays.
struct Pair {
    database: TestDatabase,
    killed: Process,
    left: TestApp,
    _nats: Option<NatsServer>,
    _folder: TempDir,
}

impl Pair {
    /// None, with a word about it, where there is no PostgreSQL.
    async fn start(relay: Relay, flags: &[&str]) -> Option<Self> {
        let database = TestDatabase::create().await?;
        let nats = (relay == Relay::Nats).then(NatsServer::start);
        let bus = nats.as_ref().map_or("postgres".to_owned(), |nats| format!("nats://127.0.0.1:{}", nats.port));
        let shared = [&["--database", &database.url, "--bus", &bus], &super::CONNECTIONS[..], flags].concat();
        let folder = TempDir::new().unwrap();
        // It is the first, so that it has what one node has for all.
        let own: Vec<&OsStr> =
            shared.iter().chain(&["--allow-origin", "https://shop.example"]).map(OsStr::new).collect();
        let killed = Process::start_with(&own, &[], &folder.path().join("log")).await;
        let clock = Clock::manual(Clock::System.now());
        let rules = [&["--models", "/nonexistent"], &shared[..]].concat();
        let left = TestApp::start_on(TempDir::new().unwrap(), &rules, clock).await;
        Some(Self { database, killed, left, _nats: nats, _folder: folder })
    }

    /// A new customer at the node that will be killed.
    async fn customer(&self) -> Customer {
        let hello = json!({ "type": "hello", "site": "default" });
        Customer::hello_from("https://shop.example", &self.killed.origin, hello).await
    }

    /// Somebody's desk at the node that will be killed.
    async fn desk(&self, staff: &Staff) -> Socket {
        let origin = &self.killed.origin;
        let mut desk = Socket::connect_through(origin, "/v1/desk", Some(origin), Some(&staff.cookie)).await.unwrap();
        desk.send(&json!({ "type": "hello" })).await;
        desk.until("snapshot", None).await;
        desk
    }

    fn advance(&self, by: Duration) {
        self.left.app.clock.advance(by);
    }
}

/// Ends what is left.
async fn end(left: TestApp, database: TestDatabase) {
    left.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_agents_are_gone_within_thirty_seconds_over_nats() {
    its_agents_are_gone_within_thirty_seconds(Relay::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_agents_are_gone_within_thirty_seconds_over_postgres() {
    its_agents_are_gone_within_thirty_seconds(Relay::Postgres).await;
}

async fn its_agents_are_gone_within_thirty_seconds(relay: Relay) {
    let Some(pair) = Pair::start(relay, &[]).await else { return };
    let manager = pair.left.manager().await;
    let dana = pair.left.agent(&manager, "Dana").await;
    let mut desk = pair.desk(&dana).await;
    until("Dana is known", async || pair.left.app.desk.is_staffed()).await;
    let mut customer = pair.customer().await;
    let conversation = customer.conversation();
    press(&mut customer).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    customer.wait_for_state("assigned").await;
    let mut waiting = pair.left.customer().await;
    press(&mut waiting).await;
    waiting.wait_for("position", |frame| frame["open"] == true).await;

    let Pair { database, killed, left, _nats, _folder } = pair;
    killed.kill();
    // Its last sign of life is read.
    tokio::time::sleep(LOOK).await;
    left.app.clock.advance(Duration::from_secs(24));
    tokio::time::sleep(LOOK).await;
    assert!(left.app.desk.is_staffed(), "a node may be slow");
    left.app.clock.advance(Duration::from_secs(2));
    waiting.wait_for("position", |frame| frame["open"] == false).await;
    assert!(!left.app.desk.is_staffed());
    until("its seats are removed", async || left.app.store.seats_elsewhere(left.app.node).await.unwrap().is_empty())
        .await;

    // The customer comes back here, and somebody takes over who is here.
    let mut customer = customer.resume(&left).await;
    let sam = left.agent(&manager, "Sam").await;
    let (mut of_sam, snapshot) = sam.desk(&left).await;
    let cards = snapshot["cards"].as_array().unwrap();
    let own = cards.iter().find(|card| card["conversation"] == conversation).unwrap();
    assert_eq!(
        (&own["state"], &own["agent"]["name"]),
        (&json!("assigned"), &json!("Dana")),
        "it stays hers until then"
    );
    assert_eq!(operate(&mut of_sam, json!({ "type": "claim", "conversation": conversation })).await["type"], "ack");
    assert_eq!(card(&mut of_sam, &conversation, "assigned").await["agent"]["name"], "Sam");
    customer.wait_for_event(|event| event["state"] == "assigned" && event["agent"]["name"] == "Sam").await;
    end(left, database).await;
}

fn answers(events: &[Value]) -> usize {
    events.iter().filter(|event| event["kind"] == "message" && event["from"]["role"] == "bot").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_it_left_unanswered_is_answered_once() {
    let Some(pair) = Pair::start(Relay::Postgres, &[]).await else { return };
    let mut customer = pair.customer().await;
    // From here on nobody can note a decision: messages are acknowledged, answers wait.
    let mut blocker = PgConnection::connect(&pair.database.url).await.unwrap();
    let mut held = blocker.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE turn IN EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    customer.say("What are your opening hours?").await;
    let id = customer.conversation().as_str().unwrap().parse().unwrap();
    let Pair { database, killed, left, _nats, _folder } = pair;
    killed.kill();
    held.rollback().await.unwrap();
    blocker.close().await.unwrap();
    assert_eq!(left.app.store.unread_turns(id).await.unwrap().len(), 1, "it died before it answered");

    let mut customer = customer.resume(&left).await;
    assert!(customer.socket.is_silent(NEXT_LOOK).await, "the dead node still has the lease");
    left.app.clock.advance(LEASES);
    customer.wait_for_event(|event| event["from"]["role"] == "bot").await;
    // Every look that follows, here and at a third node, finds nothing to do.
    let third = TestApp::start_with(&["--database", &database.url]).await;
    left.app.clock.advance(LEASES);
    tokio::time::sleep(NEXT_LOOK).await;
    let customer = customer.resume(&third).await;
    assert_eq!(answers(&customer.events), 1, "{:?}", customer.events);
    third.stop().await;
    end(left, database).await;
}

/// The other side of a webhook that leaves the first call without an answer.
async fn listen(heard: Arc<Mutex<Vec<String>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut unanswered = None;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            // The body is one object, and the last thing that comes.
            while !request.ends_with(b"}") {
                let mut part = [0; 4096];
                match stream.read(&mut part).await {
                    Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request).to_lowercase();
            let key = request.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap_or_default();
            heard.lock().unwrap().push(key.trim().to_owned());
            if unanswered.is_none() {
                unanswered = Some(stream);
            } else {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_it_had_taken_up_is_delivered_once_more() {
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let port = listen(Arc::clone(&heard)).await;
    let flags = Hook::flags(port);
    let Some(pair) = Pair::start(Relay::Postgres, &crate::handover::refs(&flags)).await else { return };
    let calls = || heard.lock().unwrap().len();
    let mut customer = pair.customer().await;
    customer.say("My solicitor will take this to court").await;
    customer.wait_for_state("queued").await;
    until("the node has called", async || calls() == 1).await;
    // The other node sees that it is taken up, and leaves it alone.
    tokio::time::sleep(NEXT_LOOK).await;
    assert_eq!(calls(), 1);
    pair.advance(Duration::from_secs(7));
    let Pair { database, killed, left, _nats, _folder } = pair;
    killed.kill();
    tokio::time::sleep(NEXT_LOOK).await;
    assert_eq!(calls(), 1, "for as long as it was taken up");

    left.app.clock.advance(Duration::from_secs(30));
    until("the other node has called", async || calls() == 2).await;
    left.app.clock.advance(Duration::from_secs(60));
    tokio::time::sleep(NEXT_LOOK).await;
    let keys = heard.lock().unwrap().clone();
    assert_eq!(keys.len(), 2, "once more: {keys:?}");
    assert!(!keys[0].is_empty() && keys[0] == keys[1], "{keys:?}");
    end(left, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_acknowledged_stands_at_another_node() {
    const CUSTOMERS: usize = 4;
    let Some(database) = TestDatabase::create().await else { return };
    let folder = TempDir::new().unwrap();
    let own = [&["--database", &database.url], &super::CONNECTIONS[..]].concat();
    let flags: Vec<&OsStr> = own.iter().map(OsStr::new).collect();
    let (log, other_log) = (folder.path().join("killed.log"), folder.path().join("left.log"));
    let (killed, left) =
        tokio::join!(Process::start_with(&flags, &[], &log), Process::start_with(&flags, &[], &other_log));
    let mut talks = Vec::new();
    for number in 0..CUSTOMERS {
        let mut witness = Witness::new(&killed, &format!("customer {number}")).await;
        talks.push(tokio::spawn(async move {
            witness.write_until_gone().await;
            witness
        }));
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    killed.kill();
    for talk in talks {
        let mut witness = talk.await.unwrap();
        let acknowledged = witness.sent.iter().filter(|(.., seq)| seq.is_some()).count();
        assert!(acknowledged >= 5, "only {acknowledged} before it died");
        assert!(witness.connect(&left, 0).await && !witness.was_reset);
        witness.hold();
        // What was on its way is said again, and stands once.
        assert!(matches!(witness.repeat().await, Answer::Acked(_)));
        assert!(witness.connect(&left, 0).await);
        witness.hold();
        assert!(witness.sent.iter().all(|(.., seq)| seq.is_some()));
    }
    left.stop();
    database.drop().await;
}
