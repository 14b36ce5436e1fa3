//! The relay over PostgreSQL's LISTEN and NOTIFY, for a few nodes without a server of their own for it. A
//! notification is sent by this module's connection alone and never in a transaction that writes: such a commit
//! takes a lock on the whole server.
//!
//! Both connections are sessions of their own. A pooler between here and the server must pool by session, or be
//! passed by.

use super::relay::{DEADLINE, Ear, Unsent, pause_after};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use std::time::Duration;

/// Our own signs of life come back every few seconds; a connection that hears none is dead.
const SILENCE: Duration = Duration::from_secs(15);
/// A connection that held so long was a good one: the next pause is short again.
const GOOD: Duration = Duration::from_secs(10);

/// The sending side.
pub(super) struct PostgresLink {
    options: PgConnectOptions,
    channel: String,
    connection: Option<PgConnection>,
}

impl PostgresLink {
    pub(super) fn new(options: PgConnectOptions, channel: String) -> Self {
        Self { options: options.application_name("candor bus, sending"), channel, connection: None }
    }

    /// Sends; after a failure, or a send that was given up in the middle, the next one connects anew.
    pub(super) async fn send(&mut self, message: &str) -> Result<(), Unsent> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(|error| {
                tracing::warn!(%error, "the bus is not reached: nodes look into the database until it is");
                Unsent
            })?,
        };
        let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(&self.channel).bind(message).execute(&mut connection);
        sent.await.map_err(|error| {
            tracing::warn!(%error, "signals could not be sent");
            Unsent
        })?;
        self.connection = Some(connection);
        Ok(())
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
        }
    }
}

/// Takes in what other nodes say, and connects again for ever.
pub(super) async fn listen(options: PgConnectOptions, channel: String, ear: Ear) {
    let options = options.application_name("candor bus, listening");
    let mut failures = 0;
    loop {
        let begun = tokio::time::Instant::now();
        if let Err(error) = listen_once(&options, &channel, &ear).await {
            tracing::warn!(%error, "the bus is not heard: this node looks into the database until it is");
        }
        failures = if begun.elapsed() > GOOD { 0 } else { failures + 1 };
        tokio::time::sleep(pause_after(failures)).await;
    }
}

async fn listen_once(options: &PgConnectOptions, channel: &str, ear: &Ear) -> sqlx::Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).acquire_timeout(DEADLINE);
    let pool = pool.connect_with(options.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    // Connecting again is for the loop above: it must know, so that everybody looks again.
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    tracing::info!("the bus is heard");
    // Whatever was said before, nobody here heard.
    ear.doubt();
    while let Ok(Some(said)) = tokio::time::timeout(SILENCE, listener.try_recv()).await.unwrap_or(Ok(None)) {
        ear.hear(said.payload().as_bytes());
    }
    tracing::warn!("the bus fell silent");
    Ok(())
}
