//! How many messages become durable a second, and how long it takes until the ack and until the other
//! side has them. The server's own limit of messages a visitor is kept to, so there are many visitors.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, World};
use anyhow::{Context as _, Result, ensure};
use proving::client::desk::Desk;
use proving::client::{Client, Habits, Probe, Task};
use proving::figures::{count, real};
use proving::load::{BURST, REFILL};
use proving::process::own_processor_ms;
use proving::socket::Door;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Claims that a desk's connection may send at once, a little less than its limit.
const CLAIMS: usize = 55;
/// Bars of the long form: durable messages a second; milliseconds to the ack, half and 99 of 100; to the other side,
/// 99 of 100.
const DURABLE: f64 = 3_000.0;
const ACK: (f64, f64) = (5.0, 25.0);
const SEEN: f64 = 50.0;
/// Messages that a customer says at once in the short form; in the long form as many as it may.
const SHORT_BURST: usize = 4;

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    let sockets = stage.size(60, 2_000);
    let (rate, length) = if stage.long { (200.0, 120) } else { (50.0, 5) };
    let mut outcome = Outcome::default();
    let crew = Crew { customers: sockets, assigned: 40, habits: Habits::default() };
    let mut world = World::open(stage, crew, false, stage.random()).await?;
    world.populate().await?;
    outcome.tell("sockets", sockets);

    // Times at a calm rate. The bot answers in all but the 40 conversations that people have.
    world.load(rate, Duration::from_secs(1)).await;
    let settled = world.settle().await.is_some();
    outcome.require(settled, || world.unsettled());
    *world.probe.borrow_mut() = Probe::default();
    let (processor, own, begin) = (processor(&world)?, own_processor_ms()?, Instant::now());
    let offered = world.load(rate, Duration::from_secs(length)).await;
    let seconds = begin.elapsed().as_secs_f64();
    let settled = world.settle().await.is_some();
    outcome.require(settled, || world.unsettled());
    let spent = |milliseconds: u64| (real(milliseconds) / 10.0 / seconds).round() / 100.0;
    outcome.tell("offered a second", (real(offered) / seconds).round());
    {
        let probe = world.probe.borrow();
        let (ack, to_desk, to_customer) = (probe.ack.spread(), probe.to_desk.spread(), probe.to_customer.spread());
        outcome.tell("ack", ack);
        outcome.tell("customer to desk", to_desk);
        outcome.tell("desk to customer", to_customer);
        if stage.long {
            outcome
                .require(ack.p50 <= ACK.0 && ack.p99 <= ACK.1, || format!("acks: p50 {}, p99 {} ms", ack.p50, ack.p99));
            let seen = to_desk.p99.max(to_customer.p99);
            outcome.require(seen <= SEEN, || format!("the other side has it after {seen} ms (p99)"));
        }
    }
    outcome.tell("server's cores", spent(processor_since(&world, processor)?));
    outcome.tell("generator's cores", spent(own_processor_ms()? - own));

    // The most that it can, first while the bot answers by rules, then where a person has it.
    let answered = peak(&mut world, burst(stage)).await?;
    eprintln!("throughput: {:?}; {answered:.0} durable a second, the bot answering", outcome.figures);
    claim_all(&mut world).await?;
    let silent = peak(&mut world, burst(stage)).await?;
    outcome.tell("durable a second, the bot answering", answered.round());
    outcome.tell("durable a second, with a person", silent.round());
    if stage.long {
        let most = answered.max(silent);
        outcome.require(most >= DURABLE, || format!("{most:.0} durable a second, {DURABLE} at least"));
    }
    world.conclude(stage, "throughput", &mut outcome).await?;
    outcome.tell("MiB", world.server.as_ref().context("no server")?.memory()?.rss / 1024);
    Ok(outcome)
}

fn processor(world: &World) -> Result<u64> {
    world.server.as_ref().context("no server")?.processor_ms()
}

fn processor_since(world: &World, before: u64) -> Result<u64> {
    Ok(processor(world)?.saturating_sub(before))
}

/// Messages that each customer says at once.
pub(crate) fn burst(stage: &Stage) -> usize {
    // A float of a bounded size; `as` is the conversion that there is.
    if stage.long { BURST as usize } else { SHORT_BURST }
}

/// Everybody says `burst` messages at once: messages a second from the first to the last ack.
pub(crate) async fn peak(world: &mut World, burst: usize) -> Result<f64> {
    // What the server lets a visitor say at once has come back, whatever was said before.
    sleep(Duration::from_secs_f64(REFILL * real(count(burst + 1)))).await;
    let deadline = Instant::now() + Duration::from_secs(120);
    for customer in &world.customers {
        ensure!(customer.idle(deadline).await, "a customer does not come back");
    }
    let acked = |world: &World| world.customers.iter().map(|customer| customer.talk.borrow().acked()).sum::<u64>();
    let before = acked(world);
    let begin = Instant::now();
    for _ in 0..burst {
        for customer in &world.customers {
            let (_, text) = world.random.text();
            customer.give(Task::Say { conversation: Uuid::nil(), id: world.random.id(), text, ticket: None });
        }
    }
    let wanted = before + count(world.customers.len() * burst);
    while acked(world) < wanted {
        ensure!(Instant::now() < deadline, "{} of {wanted} were acked", acked(world));
        sleep(Duration::from_millis(1)).await;
    }
    Ok(real(wanted - before) / begin.elapsed().as_secs_f64())
}

/// A person takes every conversation over, some on each connection.
async fn claim_all(world: &mut World) -> Result<()> {
    let all: Vec<Uuid> = world.customers.iter().filter_map(|client| client.talk.borrow().conversation()).collect();
    let theirs = |conversation: &Uuid| world.desks.iter().any(|desk| desk.talk.borrow().owned().contains(conversation));
    let free: Vec<Uuid> = all.into_iter().filter(|conversation| !theirs(conversation)).collect();
    let cookie = world.cookies.first().context("no session")?;
    for (number, some) in (1_000_000..).zip(free.chunks(CLAIMS)) {
        let talk = Desk::new(number, "Dana", world.recorder.clone(), None, world.random.branch());
        let door = Door::desk(&world.launch.origin, cookie);
        let desk = Client::start(world.network.clone(), door, talk, Habits::default(), world.random.branch(), None);
        for conversation in some {
            desk.give(Task::Claim { conversation: *conversation, id: world.random.id() });
        }
        sleep(Duration::from_millis(10)).await;
        let answered = desk.idle(Instant::now() + Duration::from_secs(60)).await;
        let reason = || {
            format!(
                "{} claims wait, live {}: {}",
                desk.talk.borrow().waiting(),
                desk.talk.borrow().is_live(),
                desk.status.borrow().reason
            )
        };
        ensure!(answered, "claims are not answered: {}", reason());
        let owned = desk.talk.borrow().owned().len();
        ensure!(owned == some.len(), "{owned} of {} claims were granted", some.len());
    }
    Ok(())
}
