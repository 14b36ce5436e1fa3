//! The relay over NATS core: at most once, which is all that a hint needs.
//!
//! One subject for all signals of a database. A node with a desk, which is every node where staff may sign in, needs
//! the changes of every conversation anyway; a subject for each conversation would save nothing there, and would
//! cost a subscription for each socket, between whose making and taking effect signals could pass by.

use super::Error;
use super::relay::{Ear, Unsent, pause_after};
use async_nats::{Client, ConnectOptions, Event, ServerAddr, Subscriber};
use futures_util::StreamExt as _;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the connection is asked whether it lives.
const PING: Duration = Duration::from_secs(10);
/// How long leaving may take.
const FLUSH: Duration = Duration::from_secs(1);

/// The sending side.
pub(super) struct NatsLink {
    client: Client,
    subject: String,
}

impl NatsLink {
    /// Begins to connect, and to listen as soon as there is a connection.
    pub(super) async fn open(servers: &[ServerAddr], topic: &str, ear: &Ear) -> Result<(Self, Subscriber), Error> {
        let failed = |_| Error("NATS cannot be used at this address".to_owned());
        let (ear, connected) = (ear.clone(), Arc::new(AtomicBool::new(false)));
        let options = with_login(ConnectOptions::new(), servers)
            .name("candor")
            .no_echo()
            .retry_on_initial_connect()
            .ping_interval(PING)
            .reconnect_delay_callback(pause_after)
            .event_callback(move |event| {
                note(&event, &ear, &connected);
                std::future::ready(())
            });
        let client = options.connect(servers.to_vec()).await.map_err(failed)?;
        let messages = client.subscribe(topic.to_owned()).await;
        let messages = messages.map_err(|_| Error("NATS takes no subscription".to_owned()))?;
        Ok((Self { client, subject: topic.to_owned() }, messages))
    }

    pub(super) async fn send(&self, message: String) -> Result<(), Unsent> {
        self.client.publish(self.subject.clone(), message.into()).await.map_err(|_| Unsent)
    }

    /// Has what was sent leave this process.
    pub(super) async fn flush(&self) {
        // Nobody there to take it: others look for themselves.
        let _ = tokio::time::timeout(FLUSH, self.client.flush()).await;
    }
}

/// The client does not look into addresses for it: a user and a password, or a token where a user stands alone.
fn with_login(options: ConnectOptions, servers: &[ServerAddr]) -> ConnectOptions {
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let Some((server, user)) = servers.iter().find_map(|server| Some((server, server.username()?))) else {
        return options;
    };
    match server.password() {
        Some(password) => options.user_and_password(plain(user), plain(password)),
        None => options.token(plain(user)),
    }
}

/// Takes in what other nodes say.
pub(super) async fn listen(mut messages: Subscriber, ear: Ear) {
    while let Some(message) = messages.next().await {
        ear.hear(&message.payload);
    }
}

/// What a change of the connection means: whatever was said while there was none, nobody heard.
fn note(event: &Event, ear: &Ear, connected: &AtomicBool) {
    match event {
        Event::Connected => {
            tracing::info!("NATS is reached");
            ear.doubt();
            if connected.swap(true, Ordering::AcqRel) {
                ear.doubt_others();
            }
        }
        Event::Disconnected => tracing::warn!("NATS is not reached: nodes look into the database until it is"),
        Event::SlowConsumer(_) => {
            tracing::warn!("signals came faster than they were taken in");
            ear.doubt();
        }
        Event::ServerError(error) => tracing::warn!(%error, "NATS refuses"),
        Event::ClientError(_) => tracing::warn!("NATS could not be reached"),
        Event::LameDuckMode | Event::Draining | Event::Closed => {}
    }
}
