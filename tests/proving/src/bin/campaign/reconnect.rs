//! A network that breaks connections in every way that TCP knows, all the time.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, World};
use anyhow::Result;
use proving::client::{Habits, Task};
use proving::proxy::{Fault, Proxy};
use proving::socket::Tcp;
use std::time::Duration;
use tokio::time::Instant;

/// Connections with the same customers; then the history is judged.
const GENERATION: u64 = 2_000;
/// Messages a second: a third of what the server allows so many visitors, with those that are sent again, so that
/// waiting for its limit is no part of the time until everybody has everything.
const RATE: f64 = 25.0;
/// A step of the load, after which some clients cut their own line.
const STEP: Duration = Duration::from_millis(100);
/// Longest time without the wanted number of connections.
const GIVE_UP: Duration = Duration::from_secs(180);
const CREW: Crew =
    Crew { customers: 120, assigned: 40, habits: Habits { ping: Duration::from_secs(1), pauses: PAUSES } };
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    let wanted = proving::figures::count(stage.size(300, 20_000));
    let mut outcome = Outcome::default();
    let mut random = stage.random();
    let (mut done, mut slowest) = (0, Duration::ZERO);
    while done < wanted && outcome.is_sound() {
        let mut world = World::open(stage, CREW, false, random.branch()).await?;
        let proxy = Proxy::start(world.launch.address, random.branch()).await?;
        world.network = Tcp::new(&[proxy.address()]);
        world.populate().await?;
        let (before, begin) = (proxy.accepted(), Instant::now());
        proxy.break_by(Fault::any);
        proxy.cut();
        let target = GENERATION.min(wanted - done);
        while proxy.accepted() - before < target {
            world.load(RATE, STEP).await;
            for _ in 0..3 {
                // Those that were only made slow would stay for ever.
                if let Some(customer) = world.customers.get(random.below(world.customers.len())) {
                    customer.give(Task::Cut);
                }
            }
            if let Some(desk) = world.desks.get(random.below(2)).filter(|_| random.chance(0.05)) {
                desk.give(Task::Cut);
            }
            if begin.elapsed() > GIVE_UP {
                outcome.broken.push("clients do not come back any more".to_owned());
                break;
            }
        }
        done += proxy.accepted() - before;
        proxy.break_by(|_| Fault::None);
        match world.settle().await {
            Some(time) => slowest = slowest.max(time),
            None => outcome.broken.push(format!("not everybody is back: {}", world.unsettled())),
        }
        // What is slow or half-open for the proxy is none of the last look's business.
        world.network = Tcp::new(&[world.launch.address]);
        world.conclude(stage, "reconnect", &mut outcome).await?;
        if stage.long {
            eprintln!("reconnect: {done} of {wanted}, {} acked", outcome.verdict.acked);
        }
    }
    outcome.tell("reconnects", done);
    outcome.tell("sent again", outcome.verdict.repeated);
    outcome.tell("everybody has everything after s", (slowest.as_secs_f64() * 10.0).round() / 10.0);
    Ok(outcome)
}
