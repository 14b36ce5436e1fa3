//! A disk that fails for a while: full, or with errors of writes and syncs. No ack may be false, and
//! the server takes messages again soon after the disk does.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, World};
use anyhow::{Context as _, Result};
use proving::client::Habits;
use proving::disk::{Failure, Syncs};
use proving::figures::Latency;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest time until the server takes messages again.
const HEALING: Duration = Duration::from_secs(5);
const RATE: f64 = 300.0;
const CREW: Crew =
    Crew { customers: 60, assigned: 20, habits: Habits { ping: Duration::from_secs(2), pauses: PAUSES } };
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(300));

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    let rounds = stage.size(1, 70);
    let mut outcome = Outcome::default();
    let mut random = stage.random();
    let (mut healed, mut failures, mut ended) = (Latency::new(), 0, 0);
    for _ in 0..rounds {
        let mut world = World::open(stage, CREW, true, random.branch()).await?;
        world.populate().await?;
        for failure in [Failure::Space, Failure::Write, Failure::Sync] {
            failures += 1;
            world.load(RATE, Duration::from_millis(200)).await;
            world.disk.as_ref().context("no disk")?.fail(failure)?;
            let length = Duration::from_millis(300 + proving::figures::count(random.below(700)));
            world.load(RATE, length).await;
            world.disk.as_ref().context("no disk")?.fail(Failure::None)?;
            // A server may end itself after an error of the disk; then it is started again, as the
            // system would.
            if world.server.as_mut().is_some_and(proving::server::Server::has_ended) {
                ended += 1;
                world.server = None;
                world.start().await?;
            }
            match heal(&mut world).await {
                Some(time) => healed.record(time),
                None => {
                    let complaints = world.server.as_ref().map(proving::server::Server::complaints).unwrap_or_default();
                    outcome.broken.push(format!(
                        "{failure:?}: no message was taken in {} s after the disk was well again; {complaints:?}",
                        HEALING.as_secs()
                    ));
                }
            }
            // A false ack shows when the power goes.
            world.kill()?;
            world.disk.as_mut().context("no disk")?.lose_power(Syncs::Kept, &mut random)?;
            world.start().await?;
            if world.settle().await.is_none() {
                outcome.broken.push(format!("{failure:?}: not everybody is back: {}", world.unsettled()));
            }
        }
        world.conclude(stage, "disk-errors", &mut outcome).await?;
        if !outcome.is_sound() {
            break;
        }
    }
    outcome.tell("failures", failures);
    outcome.tell("the server ended itself", ended);
    outcome.tell("taking messages again after", healed.spread());
    Ok(outcome)
}

/// How long it takes until everything that waits is acked.
async fn heal(world: &mut World) -> Option<Duration> {
    let begin = Instant::now();
    let acked = |world: &World| world.customers.iter().map(|customer| customer.talk.borrow().acked()).sum::<u64>();
    let before = acked(world);
    while acked(world) == before {
        if begin.elapsed() > HEALING {
            return None;
        }
        world.say(Instant::now());
        sleep(Duration::from_millis(20)).await;
    }
    Some(begin.elapsed())
}
