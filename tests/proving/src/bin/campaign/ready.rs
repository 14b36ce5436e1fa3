//! How soon a server takes chats again after a kill -9, with a million messages in its database and work left
//! unanswered: first with the rules alone, then with the model, which is loaded beside the first chats.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, FLAGS_WITH_MODEL, World};
use anyhow::{Context as _, Result, ensure};
use proving::client::{Habits, Task};
use proving::figures::{Latency, count};
use proving::load::BURST;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Milliseconds from the start of the process until it takes chats, at most.
const READY_MS: f64 = 2_000.0;
/// Starts with a full database that are measured, for each reader of turns.
const STARTS: usize = 5;
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    let messages = count(stage.size(2_000, 1_000_000));
    let crew = Crew {
        customers: if stage.long { 2_000 } else { 60 },
        assigned: 0,
        habits: Habits { pauses: PAUSES, ..Habits::default() },
    };
    let mut outcome = Outcome::default();
    let mut world = World::open(stage, crew, false, stage.random()).await?;
    world.populate().await?;
    let empty = world.server.as_ref().context("no server")?.ready_ms();
    while acked(&world) < messages {
        strike(&mut world).await?;
        if stage.long {
            eprintln!("ready: {} of {messages} messages", acked(&world));
        }
    }
    let mut starts = Latency::new();
    for _ in 0..STARTS {
        starts.record(strike(&mut world).await?);
    }
    world.launch.flags = FLAGS_WITH_MODEL.map(str::to_owned).to_vec();
    let (mut with_model, mut first_acks, mut before_model) = (Latency::new(), Latency::new(), 0);
    for _ in 0..STARTS {
        let ready = strike(&mut world).await?;
        with_model.record(ready);
        let acked_first = first_ack(&mut world).await?;
        first_acks.record(ready + acked_first);
        before_model += u32::from(world.launch.model().await? == "loading");
        ensure!(world.settle().await.is_some(), "{}", world.unsettled());
    }
    let entries: u64 = world.customers.iter().map(|customer| customer.talk.borrow().seq()).sum();
    world.conclude(stage, "ready", &mut outcome).await?;
    outcome.tell("entries in the logs", entries);
    outcome.tell("start when empty ms", u64::try_from(empty)?);
    outcome.tell("start", starts.spread());
    outcome.tell("start with the model", with_model.spread());
    outcome.tell("first ack since the start", first_acks.spread());
    outcome.tell("starts that took chats before the model was there", format!("{before_model} of {STARTS}"));
    if stage.long {
        let slowest = starts.spread().max.max(with_model.spread().max);
        outcome.require(slowest <= READY_MS, || format!("ready after {slowest} ms, {READY_MS} at most"));
        outcome.require(before_model > 0, || "no start took chats before the model was there".to_owned());
    }
    Ok(outcome)
}

fn acked(world: &World) -> u64 {
    world.customers.iter().map(|customer| customer.talk.borrow().acked()).sum()
}

/// Everybody says as much as a visitor may, and when most of it is acked the server is killed and started: what the
/// start took. A server that was started anew has forgotten how much each visitor said.
async fn strike(world: &mut World) -> Result<Duration> {
    let deadline = Instant::now() + Duration::from_secs(120);
    for customer in &world.customers {
        ensure!(customer.idle(deadline).await, "a customer does not come back");
    }
    let before = acked(world);
    // A float of a bounded size; `as` is the conversion that there is.
    let each = BURST as usize;
    for _ in 0..each {
        for customer in &world.customers {
            let (_, text) = world.random.text();
            customer.give(Task::Say { conversation: Uuid::nil(), id: world.random.id(), text, ticket: None });
        }
    }
    let all = count(world.customers.len() * each);
    while acked(world) - before < all * 9 / 10 {
        ensure!(Instant::now() < deadline, "{} of {all} were acked", acked(world) - before);
        sleep(Duration::from_millis(1)).await;
    }
    world.kill()?;
    world.start().await?;
    let ready = world.server.as_ref().context("no server")?.ready_ms();
    Ok(Duration::from_millis(u64::try_from(ready)?))
}

/// How long after the start somebody who is new has a message acked.
async fn first_ack(world: &mut World) -> Result<Duration> {
    let begin = Instant::now();
    let newcomer = world.customer(None);
    let (_, text) = world.random.text();
    newcomer.give(Task::Say { conversation: Uuid::nil(), id: world.random.id(), text, ticket: None });
    while newcomer.talk.borrow().acked() == 0 {
        ensure!(begin.elapsed() < Duration::from_secs(30), "a new customer's message is not acked");
        sleep(Duration::from_millis(1)).await;
    }
    world.customers.push(newcomer);
    Ok(begin.elapsed())
}
