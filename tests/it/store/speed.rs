//! Durable appends a second, for a person to read: `cargo test --release --test it speed -- --ignored --nocapture`.

use super::{AT, Fixture, open, said};
use candor::clock::Clock;
use candor::store::Guard;
use futures_util::future::join_all;
use std::time::{Duration, Instant};

const LENGTH: Duration = Duration::from_secs(3);

/// So many customers, each of whom writes when the message before it is stored.
async fn measure(fixture: &Fixture, name: &str, customers: usize) {
    let mut writers = Vec::new();
    for number in 0..customers {
        let token = u32::try_from(number + customers * 1_000).unwrap().to_be_bytes().repeat(8);
        let conversation = open(&fixture.store, token, AT, false).await;
        let store = fixture.store.clone();
        writers.push(tokio::spawn(async move {
            let (begun, mut times) = (Instant::now(), Vec::new());
            while begun.elapsed() < LENGTH {
                let sent = Instant::now();
                let event = said("My parcel has not arrived, where is it now?", Clock::System.id());
                store.append(conversation, Guard::Open, event).await.unwrap();
                times.push(sent.elapsed());
            }
            times
        }));
    }
    let mut times: Vec<Duration> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    times.sort_unstable();
    let rate = times.len() as f64 / LENGTH.as_secs_f64();
    let (median, high) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{name}: {customers} customers, {rate:.0} appends a second, median {median:.1?}, 99th percentile {high:.1?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures"]
async fn appends_a_second() {
    let fixture = Fixture::on_sqlite().await;
    for customers in [1, 32] {
        measure(&fixture, "SQLite", customers).await;
    }
    fixture.end().await;
    let Some(fixture) = Fixture::on_postgres().await else { return };
    for customers in [1, 32] {
        measure(&fixture, "PostgreSQL", customers).await;
    }
    fixture.end().await;
}
