//! The clients of the campaigns, unchanged, on a simulated network whose every delay, loss, cut and
//! partition follows from a seed, against a small model of the server.
//!
//! What this proves is the clients' side and the protocol: resume, sending again, one log for every
//! reader. It does not run the server, whose storage has threads of its own that no simulation can
//! order; the campaigns do. The model is durable as the server is: what it acked survives its crash, what
//! it had in memory does not. Its own mutants show that the simulation can fail.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as expected")]

use futures_util::{SinkExt as _, StreamExt as _};
use proving::checker::{Fault, Verdict, check};
use proving::client::customer::Customer;
use proving::client::{Client, Habits, Talk as _, Task};
use proving::history::{Op, Recorder};
use proving::random::Random;
use proving::socket::{Door, Network};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use turmoil::net::{TcpListener, TcpStream};
use uuid::Uuid;

const PORT: u16 = 80;
const CUSTOMERS: u32 = 4;
const MESSAGES: usize = 12;

/// How the model is wrong, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    None,
    /// Acks what only its memory has.
    AcksEarly,
    /// Stores what was sent again as something new.
    ForgetsIds,
    /// Sends from the end of the log instead of from where the client was.
    SkipsResume,
}

/// The simulated network as the clients see it.
#[derive(Clone, Debug)]
struct Simulated;

impl Network for Simulated {
    type Stream = TcpStream;

    async fn open(&self) -> io::Result<TcpStream> {
        TcpStream::connect(("server", PORT)).await
    }
}

/// The server's log, as its disk has it.
#[derive(Debug, Default)]
struct Store {
    logs: BTreeMap<Uuid, Vec<Value>>,
    /// What the disk has: a crash takes the rest.
    durable: BTreeMap<Uuid, usize>,
    random: Option<Random>,
}

impl Store {
    fn crash(&mut self) {
        for (conversation, log) in &mut self.logs {
            log.truncate(self.durable.get(conversation).copied().unwrap_or(0));
        }
    }

    fn sync(&mut self) {
        self.durable = self.logs.iter().map(|(conversation, log)| (*conversation, log.len())).collect();
    }
}

type Shared = Rc<RefCell<Store>>;

/// The model server: `hello`, `say`, `ping`.
async fn serve(store: Shared, mutant: Mutant) -> turmoil::Result {
    let listener = TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let hints = broadcast::Sender::<Uuid>::new(64);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::task::spawn_local(talk(stream, Rc::clone(&store), hints.clone(), mutant));
    }
}

async fn talk(stream: TcpStream, store: Shared, hints: broadcast::Sender<Uuid>, mutant: Mutant) -> Option<()> {
    // A header of the handshake that names the subprotocol must be answered with one.
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let name = |_: &_, mut response: tokio_tungstenite::tungstenite::handshake::server::Response| {
        response.headers_mut().insert("sec-websocket-protocol", "candor.v1".parse().unwrap());
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, name).await.ok()?;
    let hello: Value = serde_json::from_str(socket.next().await?.ok()?.to_text().ok()?).ok()?;
    let token = hello["token"].as_str().and_then(|token| token.parse::<Uuid>().ok());
    let conversation = token.unwrap_or_else(|| {
        let mut store = store.borrow_mut();
        let conversation = store.random.as_mut().unwrap().id();
        store.logs.insert(conversation, vec![json!({ "type": "event", "seq": 1, "kind": "disclosure" })]);
        store.sync();
        conversation
    });
    let mut news = hints.subscribe();
    let end = store.borrow().logs.get(&conversation)?.len();
    let mut sent = usize::try_from(hello["after"].as_u64().unwrap_or(0)).ok()?;
    if mutant == Mutant::SkipsResume && token.is_some() {
        sent = end;
    }
    let welcome =
        json!({ "type": "welcome", "conversation": conversation, "token": conversation, "epoch": "e", "seq": end });
    socket.send(Message::text(welcome.to_string())).await.ok()?;
    if sent > end {
        sent = 0;
        socket.send(Message::text(json!({ "type": "reset", "reason": "seq" }).to_string())).await.ok()?;
    }
    let mut resumed = false;
    loop {
        let fresh: Vec<Value> = store.borrow().logs.get(&conversation)?.iter().skip(sent).cloned().collect();
        for event in fresh {
            socket.send(Message::text(event.to_string())).await.ok()?;
            sent += 1;
        }
        if !resumed {
            resumed = true;
            socket.send(Message::text(json!({ "type": "resumed", "seq": sent }).to_string())).await.ok()?;
        }
        tokio::select! {
            _ = news.recv() => {}
            message = socket.next() => {
                let frame: Value = serde_json::from_str(message?.ok()?.to_text().ok()?).ok()?;
                let answer = match frame["type"].as_str()? {
                    "say" => {
                        let ack = say(&store, conversation, &frame, mutant);
                        // The commit: what is told to others, and acked, is on the disk.
                        if mutant != Mutant::AcksEarly {
                            sleep(Duration::from_millis(2)).await;
                            store.borrow_mut().sync();
                        }
                        let _ = hints.send(conversation);
                        ack
                    }
                    "ping" => json!({ "type": "pong", "seq": store.borrow().logs.get(&conversation)?.len() }),
                    _ => continue,
                };
                socket.send(Message::text(answer.to_string())).await.ok()?;
            }
        }
    }
}

fn say(store: &Shared, conversation: Uuid, frame: &Value, mutant: Mutant) -> Value {
    let mut store = store.borrow_mut();
    let log = store.logs.entry(conversation).or_default();
    let known = log.iter().find(|event| event["id"] == frame["id"]).filter(|_| mutant != Mutant::ForgetsIds);
    let seq = match known {
        Some(event) => event["seq"].as_u64().unwrap(),
        None => {
            let seq = log.len() as u64 + 1;
            log.push(json!({
                "type": "event", "seq": seq, "kind": "message", "from": { "role": "customer" },
                "text": frame["text"], "id": frame["id"],
            }));
            seq
        }
    };
    json!({ "type": "ack", "id": frame["id"], "seq": seq, "at": 0 })
}

/// Microseconds of the simulation.
fn now() -> u64 {
    u64::try_from(turmoil::elapsed().as_micros()).unwrap()
}

/// One run of a seed: clients talk while the network and the server break, then everything is well.
fn simulate(seed: u64, mutant: Mutant) -> (Verdict, String) {
    let mut random = Random::new(seed);
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(Duration::from_secs(120))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(40))
        .tick_duration(Duration::from_millis(1))
        .build();
    let store = Rc::new(RefCell::new(Store { random: Some(random.branch()), ..Store::default() }));
    let recorder = Recorder::new(now);
    let of_host = Rc::clone(&store);
    sim.host("server", move || serve(Rc::clone(&of_host), mutant));
    for number in 0..CUSTOMERS {
        let (recorder, random) = (recorder.clone(), random.branch());
        sim.client(format!("customer-{number}"), live(number, recorder, random));
    }
    // The faults: a script of the seed, at simulated times.
    let mut script: Vec<(u64, usize, u32)> = (0..8)
        .map(|_| (random.number() % 8_000, random.below(4), (random.number() % u64::from(CUSTOMERS)) as u32))
        .collect();
    script.sort_unstable();
    let mut ends: Vec<(u64, u32)> = Vec::new();
    let begin = sim.elapsed();
    loop {
        let at = u64::try_from((sim.elapsed() - begin).as_millis()).unwrap();
        while let Some((_, what, number)) = script.first().copied().filter(|(due, ..)| *due <= at) {
            script.remove(0);
            let name = format!("customer-{number}");
            match what {
                0 => {
                    sim.crash("server");
                    store.borrow_mut().crash();
                    sim.bounce("server");
                }
                1 => sim.partition(name, "server"),
                2 => sim.partition_oneway("server", name),
                _ => sim.hold(name, "server"),
            }
            ends.push((at + 200 + random.number() % 3_000, number));
        }
        ends.retain(|(due, number)| {
            if *due <= at {
                sim.repair(format!("customer-{number}"), "server");
                sim.release(format!("customer-{number}"), "server");
            }
            *due > at
        });
        if sim.step().expect("the simulation runs") {
            break;
        }
    }
    // The last look, as the store has it now.
    let mut history = recorder.take();
    let at = history.last().map_or(0, |record| record.at) + 1;
    let settled: Vec<_> = history.iter().filter(|record| matches!(record.op, Op::Settled { .. })).cloned().collect();
    history.retain(|record| !matches!(record.op, Op::Settled { .. }));
    let reader = Recorder::new(|| 0);
    for (conversation, log) in &store.borrow().logs {
        let mut auditor = Customer::new(99, recorder.clone(), None).auditor(reader.clone());
        let welcome = json!({ "type": "welcome", "conversation": conversation, "token": "t", "epoch": "e", "seq": 0 });
        auditor.receive(&welcome.to_string()).unwrap();
        for event in log {
            auditor.receive(&event.to_string()).unwrap();
        }
    }
    history.extend(reader.take().into_iter().map(|mut record| {
        record.at = at;
        record
    }));
    history.extend(settled);
    (check(&history), format!("{history:?}"))
}

/// A customer of the campaigns: says all it has, with pauses, until all is acked and quiet.
async fn live(number: u32, recorder: Recorder, mut random: Random) -> turmoil::Result {
    let habits =
        Habits { ping: Duration::from_millis(500), pauses: (Duration::from_millis(50), Duration::from_millis(400)) };
    let talk = Customer::new(number, recorder.clone(), None);
    let door = Door::customer("http://server");
    let client = Client::start(Simulated, door, talk, habits, random.branch(), None);
    for _ in 0..MESSAGES {
        sleep(Duration::from_millis(random.number() % 1_200)).await;
        let (_, text) = random.text();
        client.give(Task::Say { conversation: Uuid::nil(), id: random.id(), text, ticket: None });
    }
    // Faults end in the twelfth second at the latest; ten more are what the promise allows.
    let quiet = tokio::time::Instant::now() + Duration::from_secs(25);
    while tokio::time::Instant::now() < quiet {
        sleep(Duration::from_millis(100)).await;
    }
    let talk = client.talk.borrow();
    assert!(talk.is_idle(), "client {number}: {} wait, last: {}", talk.waiting(), client.status.borrow().reason);
    recorder.record(number, Op::Settled { conversation: talk.conversation().unwrap() });
    Ok(())
}

/// Seeds that are tried; PROVING_SEEDS asks for more.
fn seeds() -> u64 {
    std::env::var("PROVING_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(24)
}

#[test]
fn every_seed_converges_without_loss() {
    let (mut acked, mut repeated) = (0, 0);
    for seed in 0..seeds() {
        let (verdict, _) = simulate(seed, Mutant::None);
        assert!(verdict.is_sound(), "seed {seed}: {:?}", verdict.violations);
        (acked, repeated) = (acked + verdict.acked, repeated + verdict.repeated);
    }
    assert_eq!(acked, seeds() * u64::from(CUSTOMERS) * MESSAGES as u64, "everything was acked in the end");
    assert!(repeated > 0, "faults made clients send again");
}

#[test]
fn a_seed_is_the_same_run_again() {
    assert_eq!(simulate(5, Mutant::None).1, simulate(5, Mutant::None).1);
}

#[test]
fn a_wrong_server_is_caught() {
    for (mutant, faults) in [
        (Mutant::AcksEarly, vec![Fault::Lost, Fault::AckedTooEarly, Fault::Diverged, Fault::Moved]),
        (Mutant::ForgetsIds, vec![Fault::Doubled, Fault::Moved]),
    ] {
        let caught = (0..seeds()).any(|seed| {
            let (verdict, _) = simulate(seed, mutant);
            verdict.violations.iter().any(|violation| faults.contains(&violation.fault))
        });
        assert!(caught, "{mutant:?}");
    }
}

#[test]
#[should_panic(expected = "client")]
fn a_server_that_skips_resume_leaves_clients_behind() {
    for seed in 0..seeds() {
        simulate(seed, Mutant::SkipsResume);
    }
}
