//! kill -9 under load, again and again: a process that ends anywhere.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, World};
use anyhow::Result;
use proving::client::Habits;
use proving::figures::Latency;
use std::time::Duration;

/// Cycles with the same customers and database; then both are new, and the history is judged.
const GENERATION: usize = 25;
/// Messages a second while the server runs.
const RATE: f64 = 1_300.0;
const CREW: Crew =
    Crew { customers: 120, assigned: 40, habits: Habits { ping: Duration::from_secs(2), pauses: PAUSES } };
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(300));

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    let cycles = stage.size(3, 1_000);
    let mut outcome = Outcome::default();
    let mut random = stage.random();
    let (mut done, mut starts, mut converged, mut offered) = (0, Latency::new(), Latency::new(), 0);
    while done < cycles {
        let mut world = World::open(stage, CREW, false, random.branch()).await?;
        world.populate().await?;
        for _ in 0..GENERATION.min(cycles - done) {
            done += 1;
            let length = Duration::from_millis(200 + proving::figures::count(random.below(700)));
            offered += world.load(RATE, length).await;
            world.kill()?;
            // Some of it is said while nobody listens.
            offered += world.load(RATE, Duration::from_millis(20)).await;
            world.start().await?;
            if let Some(server) = &world.server {
                starts.record(Duration::from_millis(u64::try_from(server.ready_ms())?));
            }
            match world.settle().await {
                Some(time) => converged.record(time),
                None => {
                    outcome.broken.push(format!("cycle {done}: not everybody is back: {}", world.unsettled()));
                    break;
                }
            }
        }
        world.conclude(stage, "kill", &mut outcome).await?;
        if stage.long {
            eprintln!("kill: {done} of {cycles} cycles, {} acked", outcome.verdict.acked);
        }
        if !outcome.is_sound() {
            break;
        }
    }
    outcome.tell("kills", done);
    outcome.tell("offered", offered);
    outcome.tell("sent again", outcome.verdict.repeated);
    outcome.tell("seen by readers", outcome.verdict.seen);
    outcome.tell("start", starts.spread());
    outcome.tell("converged", converged.spread());
    Ok(outcome)
}
