//! From this process to other nodes and back, whichever way leads there.

use super::Error;
use super::address::Address;
use super::local::Local;
use super::nats::NatsLink;
use super::outgoing::Outgoing;
use super::postgres::PostgresLink;
use super::wire::{self, Heard, News};
use crate::domain::NodeId;
use crate::telemetry;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Least time between two sends: the first news after a quiet moment leave at once, those that follow are merged.
const MERGED: Duration = Duration::from_millis(20);
/// How often something is sent although there is no news, where that shows that the way is open.
const BEAT: Duration = Duration::from_secs(5);
/// How long one send may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// The pause after the first failure; each further one doubles it, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a close waits for what is still to be sent.
const CLOSING: Duration = Duration::from_secs(2);

/// The relay's tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    outgoing: Arc<Outgoing>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// An open way to the other nodes.
pub(super) enum Link {
    Nats(NatsLink),
    Postgres(PostgresLink),
}

/// The message was not sent.
pub(super) struct Unsent;

impl Link {
    async fn send(&mut self, message: String) -> Result<(), Unsent> {
        match self {
            Self::Nats(link) => link.send(message).await,
            Self::Postgres(link) => link.send(&message).await,
        }
    }

    async fn close(self) {
        match self {
            Self::Nats(link) => link.flush().await,
            Self::Postgres(link) => link.close().await,
        }
    }

    /// PostgreSQL's listener hears nothing from a dead connection; NATS asks by itself.
    fn needs_beat(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

/// Where messages of other nodes go.
#[derive(Clone, Debug)]
pub(super) struct Ear {
    node: NodeId,
    local: Arc<Local>,
    outgoing: Arc<Outgoing>,
}

impl Ear {
    /// Takes in a message.
    pub(super) fn hear(&self, message: &[u8]) {
        let ignored = |reason: &'static str, count: u64| {
            if count > 0 {
                metrics::counter!(telemetry::SIGNALS_IGNORED, "reason" => reason).increment(count);
            }
        };
        match wire::read(message, self.node) {
            Heard::Own => {}
            Heard::Malformed => ignored("malformed", 1),
            Heard::Later => ignored("later", 1),
            Heard::News(news, unknown) => {
                ignored("unknown", unknown);
                metrics::counter!(telemetry::SIGNALS_RECEIVED).increment(u64::try_from(news.len()).unwrap_or(0));
                for one in &news {
                    match one {
                        News::Signal(signal) => self.local.publish(signal),
                        News::Seats => self.local.seats.notify_one(),
                        News::Queue => self.local.queue.notify_one(),
                        News::Doubt => self.doubt(),
                    }
                }
            }
        }
    }

    /// Something from other nodes may not have come: everybody here looks again.
    pub(super) fn doubt(&self) {
        self.local.doubt.notify_one();
    }

    /// Something for other nodes may not have gone: everybody there looks again.
    pub(super) fn doubt_others(&self) {
        self.outgoing.lose(0);
    }
}

impl Relay {
    pub(super) async fn open(address: &Address, topic: &str, node: NodeId, local: Arc<Local>) -> Result<Self, Error> {
        let outgoing = Arc::<Outgoing>::default();
        // Not among the app's tasks: the relay must outlive them, since they end by telling others.
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let ear = Ear { node, local: Arc::clone(&local), outgoing: Arc::clone(&outgoing) };
        let link = match address {
            Address::Nats(servers) => {
                let (link, messages) = NatsLink::open(servers, topic, &ear).await?;
                tasks.spawn(stop.clone().run_until_cancelled_owned(super::nats::listen(messages, ear)));
                Link::Nats(link)
            }
            Address::Postgres(options) => {
                let listening = super::postgres::listen((**options).clone(), topic.to_owned(), ear);
                tasks.spawn(stop.clone().run_until_cancelled_owned(listening));
                Link::Postgres(PostgresLink::new((**options).clone(), topic.to_owned()))
            }
            Address::Database => return Err(Error("the database is no PostgreSQL server".to_owned())),
        };
        let doubts = async move { local.settle_doubts().await };
        tasks.spawn(stop.clone().run_until_cancelled_owned(doubts));
        tasks.spawn(send_all(link, node, Arc::clone(&outgoing), stop.clone()));
        tracing::info!(%address, %node, "this node is on the bus");
        Ok(Self { outgoing, tasks, stop })
    }

    /// Tells the others. Never waits.
    pub(super) fn offer(&self, news: &News) {
        self.outgoing.offer(news);
    }

    pub(super) async fn close(&self) {
        self.outgoing.close();
        self.tasks.close();
        let _ = tokio::time::timeout(CLOSING, self.tasks.wait()).await;
        self.stop.cancel();
    }
}

/// Sends until the relay is closed and nothing waits.
async fn send_all(mut link: Link, node: NodeId, outgoing: Arc<Outgoing>, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        let woken = tokio::time::timeout(BEAT, outgoing.news.notified()).await.is_ok();
        let (begun, closed, entries) = (Instant::now(), outgoing.is_closed(), outgoing.take());
        let beat = !woken && link.needs_beat();
        if !entries.is_empty() || beat {
            match send_batch(&mut link, wire::messages(node, &entries)).await {
                Ok(()) => {
                    metrics::counter!(telemetry::SIGNALS_SENT).increment(u64::try_from(entries.len()).unwrap_or(0));
                    pause = FIRST_PAUSE;
                }
                Err(Unsent) => {
                    outgoing.lose(entries.len());
                    if !closed {
                        tokio::time::sleep(pause).await;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        if closed {
            link.close().await;
            stop.cancel();
            return;
        }
        tokio::time::sleep_until(begun + MERGED).await;
    }
}

async fn send_batch(link: &mut Link, messages: Vec<String>) -> Result<(), Unsent> {
    for message in messages {
        tokio::time::timeout(DEADLINE, link.send(message)).await.map_err(|_| Unsent)??;
    }
    Ok(())
}

/// The pause before the next try to reach a bus, after so many that failed.
pub(super) fn pause_after(failures: usize) -> Duration {
    let doublings = u32::try_from(failures.min(10)).unwrap_or(10);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}
