//! Many sockets: quiet ones, ones that all come back at once, and ones that do not read.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, World};
use anyhow::{Context as _, Result, ensure};
use futures_util::SinkExt as _;
use proving::client::{Habits, Probe, Talk as _, Task};
use proving::figures::{Spread, count, ratio, real};
use proving::process::own_processor_ms;
use proving::server::Server;
use proving::socket::{Door, Tcp, connect};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

/// Memory of one quiet socket, above the server's own.
const KIB_PER_SOCKET: f64 = 16.0;
/// Share of a core that 10,000 quiet sockets may cost.
const IDLE_CORES: f64 = 0.15;
/// Longest return of everybody.
const STORM: Duration = Duration::from_secs(30);
/// Sockets that the limit of files leaves to one process.
const MOST: usize = 19_000;

fn server(world: &World) -> Result<&Server> {
    world.server.as_ref().context("no server")
}

fn quiet(customers: usize, habits: Habits) -> Crew {
    Crew { customers, assigned: 0, habits }
}

pub(crate) async fn run_idle(stage: &Stage) -> Result<Outcome> {
    let (sockets, watch) = (stage.size(600, 10_000), Duration::from_secs(if stage.long { 120 } else { 5 }));
    let mut outcome = Outcome::default();
    let mut world = World::open(stage, quiet(sockets, Habits::default()), false, stage.random()).await?;
    let before = server(&world)?.memory()?;
    world.arrive(sockets).await?;
    sleep(Duration::from_secs(3)).await;
    let after = server(&world)?.memory()?;
    let (begin, processor, own) = (Instant::now(), server(&world)?.processor_ms()?, own_processor_ms()?);
    sleep(watch).await;
    let spent = |milliseconds: u64| real(milliseconds) / 1_000.0 / begin.elapsed().as_secs_f64();
    let (server_cores, own_cores) =
        (spent(server(&world)?.processor_ms()? - processor), spent(own_processor_ms()? - own));
    let dropped = world.customers.iter().filter(|customer| customer.status.borrow().breaks > 0).count();
    let each = ratio(after.rss.saturating_sub(before.rss), count(sockets));
    outcome.tell("sockets", sockets);
    outcome.tell("KiB each", (each * 10.0).round() / 10.0);
    outcome.tell("MiB before", before.rss / 1024);
    outcome.tell("MiB with them", after.rss / 1024);
    outcome.tell("cores", (server_cores * 1_000.0).round() / 1_000.0);
    outcome.tell("cores of the clients", (own_cores * 1_000.0).round() / 1_000.0);
    outcome.tell("dropped", dropped);
    outcome.require(dropped == 0, || format!("{dropped} quiet sockets were dropped"));
    if stage.long {
        outcome.require(each <= KIB_PER_SOCKET, || format!("{each:.1} KiB a socket"));
        outcome.require(server_cores <= IDLE_CORES, || format!("{server_cores:.2} cores for quiet sockets"));
        world.arrive(MOST).await?;
        sleep(Duration::from_secs(60)).await;
        let held = world.customers.iter().filter(|customer| customer.talk.borrow().is_live()).count();
        outcome.tell("held at most", held);
        outcome.tell("MiB with all of them", server(&world)?.memory()?.rss / 1024);
        outcome.require(held == MOST, || format!("only {held} of {MOST} sockets are held"));
    }
    Ok(outcome)
}

pub(crate) async fn run_storm(stage: &Stage) -> Result<Outcome> {
    let (sockets, rounds) = (stage.size(600, 10_000), if stage.long { 20 } else { 1 });
    let mut outcome = Outcome::default();
    let mut world = World::open(stage, quiet(sockets, Habits::default()), false, stage.random()).await?;
    world.arrive(sockets).await?;
    let (mut slowest, steady) = (Duration::ZERO, server(&world)?.memory()?.rss);
    let mut peak = 0;
    for round in 0..rounds {
        // Everybody has something new to find out, too.
        world.load(400.0, Duration::from_millis(500)).await;
        world.kill()?;
        world.start().await?;
        let begin = Instant::now();
        while !world.customers.iter().all(|customer| customer.talk.borrow().is_live()) {
            if begin.elapsed() > STORM {
                let missing = world.customers.iter().filter(|customer| !customer.talk.borrow().is_live()).count();
                outcome.broken.push(format!("round {round}: {missing} of {sockets} are not back"));
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        slowest = slowest.max(begin.elapsed());
        peak = peak.max(server(&world)?.memory()?.peak);
        if world.settle().await.is_none() {
            outcome.broken.push(format!("round {round}: {}", world.unsettled()));
        }
    }
    world.conclude(stage, "storm", &mut outcome).await?;
    outcome.tell("sockets", sockets);
    outcome.tell("storms", rounds);
    outcome.tell("all resumed after s", (slowest.as_secs_f64() * 10.0).round() / 10.0);
    outcome.tell("MiB steady", steady / 1024);
    outcome.tell("MiB at most", peak / 1024);
    Ok(outcome)
}

pub(crate) async fn run_slow(stage: &Stage) -> Result<Outcome> {
    let slow = stage.size(25, 500);
    let (rate, rounds) = if stage.long { (100.0, 9) } else { (40.0, 1) };
    let mut outcome = Outcome::default();
    // So many that nobody comes near a visitor's limit of messages: waiting for it is no server's time.
    let crew = Crew { customers: if stage.long { 800 } else { 240 }, assigned: 20, habits: Habits::default() };
    let mut world = World::open(stage, crew, false, stage.random()).await?;
    world.populate().await?;
    let hello = long_log(&mut world).await?;
    world.load(rate, Duration::from_secs(2)).await;
    let (mut without, mut coming, mut with) = (Vec::new(), Vec::new(), Vec::new());
    let (mut memory, mut with_memory) = (0, 0);
    for _ in 0..rounds {
        without.push(stretch(&mut world, rate, STRETCH).await?);
        memory = server(&world)?.memory()?.rss;
        let (network, door) = (world.network.clone(), Door::customer(&world.launch.origin));
        let (arrived, measured) =
            tokio::join!(arrive(&network, &door, &hello, slow), stretch(&mut world, rate, ARRIVAL));
        let readers = arrived?;
        coming.push(measured?);
        with.push(stretch(&mut world, rate, STRETCH).await?);
        with_memory = with_memory.max(server(&world)?.memory()?.rss);
        drop(readers);
        // Their going is no part of the next stretch.
        world.load(rate, Duration::from_secs(1)).await;
    }
    let breaks: u64 = world.customers.iter().map(|customer| customer.status.borrow().breaks).sum();
    if world.settle().await.is_none() {
        outcome.broken.push(world.unsettled());
    }
    world.conclude(stage, "slow", &mut outcome).await?;
    let [without, coming, with] = [without, coming, with].map(Measured::middle);
    outcome.tell("slow readers", slow);
    outcome.tell("rounds", rounds);
    outcome.tell("ack without them", without.ack);
    outcome.tell("ack while they come", coming.ack);
    outcome.tell("ack with them", with.ack);
    outcome.tell("to the desk without them", without.to_desk);
    outcome.tell("to the desk with them", with.to_desk);
    outcome.tell("MiB without them", memory / 1024);
    outcome.tell("MiB with them", with_memory / 1024);
    outcome.tell("others dropped", breaks);
    outcome.require(breaks == 0, || format!("{breaks} other sockets broke"));
    if stage.long {
        let (was, is) = (without.ack.p99, with.ack.p99);
        outcome.require(is <= was * 1.2, || format!("others' acks: p99 {is} ms, {was} without"));
    }
    Ok(outcome)
}

/// Readers who take nothing are closed after ten seconds: they are all there for this long.
const STRETCH: Duration = Duration::from_secs(7);
/// In this time they come, and all that the buffers take is sent to them.
const ARRIVAL: Duration = Duration::from_secs(2);

async fn arrive(network: &Tcp, door: &Door, hello: &str, wanted: usize) -> Result<Vec<WebSocketStream<TcpStream>>> {
    let mut readers = Vec::with_capacity(wanted);
    for _ in 0..wanted {
        let mut socket = connect(network, door).await?;
        socket.send(Message::text(hello.to_owned())).await?;
        readers.push(socket);
    }
    Ok(readers)
}

/// What the others waited for in one stretch.
#[derive(Clone, Copy, Default)]
struct Measured {
    ack: Spread,
    to_desk: Spread,
}

impl Measured {
    /// Each percentile's median over the stretches: what a busy machine does to one of them decides nothing.
    fn middle(all: Vec<Self>) -> Self {
        let median = |of: fn(&Self) -> Spread| Spread::median(&all.iter().map(of).collect::<Vec<_>>());
        Self { ack: median(|one| one.ack), to_desk: median(|one| one.to_desk) }
    }
}

/// So long nothing came: nothing more is to be said.
const ANSWERED: Duration = Duration::from_secs(4);
/// Messages of the long log: half a megabyte.
const LONG_LOG: usize = 32;

/// The last customer, whom no desk follows, says as much as fills more than any socket's buffers; the `hello` that asks for
/// all of it.
async fn long_log(world: &mut World) -> Result<String> {
    // The longest that a message may be, in characters of four bytes; the client keeps to a visitor's rate by itself.
    let tail = "\u{1f4e6}".repeat(3_700);
    let giant = world.customers.last().context("no customer")?;
    for _ in 0..LONG_LOG {
        let (_, text) = world.random.text();
        let id = world.random.id();
        giant.give(Task::Say { conversation: Uuid::nil(), id, text: text + &tail, ticket: None });
    }
    sleep(Duration::from_millis(5)).await;
    ensure!(giant.idle(Instant::now() + Duration::from_secs(90)).await, "a long log cannot be written");
    // The bot answers them for a while yet, which would be counted as the others' waiting.
    let mut seen = 0;
    while std::mem::replace(&mut seen, giant.talk.borrow().seq()) != giant.talk.borrow().seq() {
        sleep(ANSWERED).await;
    }
    giant.status.borrow_mut().breaks = 0;
    let mut twin = giant.talk.borrow().twin(u32::MAX, world.recorder.clone());
    Ok(twin.greet())
}

async fn stretch(world: &mut World, rate: f64, length: Duration) -> Result<Measured> {
    *world.probe.borrow_mut() = Probe::default();
    world.load(rate, length).await;
    let probe = world.probe.borrow();
    ensure!(probe.ack.count() > 0, "nothing was acked");
    Ok(Measured { ack: probe.ack.spread(), to_desk: probe.to_desk.spread() })
}
