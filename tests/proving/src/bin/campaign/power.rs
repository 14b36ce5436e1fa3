//! Power loss under load: the process ends anywhere, and the disk has only what was synced, and some of
//! the rest. The control takes the syncs away, and must be caught.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, World};
use anyhow::{Context as _, Result};
use proving::client::Habits;
use proving::disk::{Losses, Order, Syncs};
use std::time::Duration;

/// Cycles with the same customers and database.
const GENERATION: usize = 10;
const RATE: f64 = 900.0;
const CREW: Crew =
    Crew { customers: 80, assigned: 30, habits: Habits { ping: Duration::from_secs(2), pauses: PAUSES } };
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(300));

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    let mut outcome = lose_power(stage, stage.size(3, 300), Syncs::Kept, "power").await?;
    let early = outcome.count("acks before their sync");
    outcome.require(early == Some(0), || format!("{early:?} acks came before their message was synced"));
    let unwritten = outcome.count("acks without a write");
    outcome.require(unwritten == Some(0), || format!("{unwritten:?} acked messages were found in no write"));
    Ok(outcome)
}

/// The control holds if it catches the loss.
pub(crate) async fn run_control(stage: &Stage) -> Result<Outcome> {
    let cycles = stage.size(1, 5);
    let mut caught = lose_power(stage, cycles, Syncs::Ignored, "power-control").await?;
    let mut outcome = Outcome { figures: std::mem::take(&mut caught.figures), ..Outcome::default() };
    outcome.tell("acked", caught.verdict.acked);
    outcome.tell("violations that were caught", caught.verdict.violations.len());
    let by_fault = caught.verdict.by_fault();
    outcome.tell("of these", format!("{by_fault:?}"));
    outcome.require(!caught.verdict.is_sound(), || {
        "a server that does not sync passes: the proof is worthless".to_owned()
    });
    Ok(outcome)
}

async fn lose_power(stage: &Stage, cycles: usize, syncs: Syncs, name: &str) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut random = stage.random();
    let (mut done, mut losses, mut order) = (0, Losses::default(), Order::default());
    while done < cycles && outcome.is_sound() {
        let mut world = World::open(stage, CREW, true, random.branch()).await?;
        world.populate().await?;
        for _ in 0..GENERATION.min(cycles - done) {
            done += 1;
            let length = Duration::from_millis(150 + proving::figures::count(random.below(500)));
            world.load(RATE, length).await;
            world.burst();
            world.kill_in_a_write().await?;
            let acked_at = std::mem::take(&mut world.probe.borrow_mut().acked_at);
            let disk = world.disk.as_mut().context("no disk")?;
            let found = disk.order(&acked_at)?;
            order.checked += found.checked;
            order.early += found.early;
            order.unwritten += found.unwritten;
            losses.add(disk.lose_power(syncs, &mut random)?);
            world.start().await?;
            if world.settle().await.is_none() && syncs == Syncs::Kept {
                outcome.broken.push(format!("cycle {done}: not everybody is back: {}", world.unsettled()));
                break;
            }
        }
        world.conclude(stage, name, &mut outcome).await?;
        if stage.long {
            eprintln!("{name}: {done} of {cycles} cycles, {} acked", outcome.verdict.acked);
        }
    }
    outcome.tell("power losses", done);
    outcome.tell("acks checked against their sync", order.checked);
    outcome.tell("acks before their sync", order.early);
    outcome.tell("acks without a write", order.unwritten);
    outcome.tell("unsynced changes", losses.unsynced);
    outcome.tell("lost", losses.lost);
    outcome.tell("torn", losses.torn);
    outcome.tell("names lost", losses.names);
    Ok(outcome)
}
