//! SQLite's reading connections. Not sqlx's pool: that one asks a connection whether it lives before and
//! after every use, which for a file in this process triples the ways to another thread and back.

use super::{Error, Result};
use futures_util::future::select_all;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// Reads at the same time.
const CONNECTIONS: usize = 4;

/// How long an idle connection may take to answer before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// Connections that only read. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    /// None while there is none, or once it is closed.
    connections: Arc<[Mutex<Option<SqliteConnection>>]>,
    /// How one is made anew.
    options: Arc<SqliteConnectOptions>,
    /// Whether there are to be connections.
    open: Arc<AtomicBool>,
}

impl Readers {
    pub(super) async fn open(options: &SqliteConnectOptions) -> sqlx::Result<Self> {
        let connections = (0..CONNECTIONS).map(|_| Mutex::new(None)).collect();
        let readers = Self { connections, options: Arc::new(options.clone()), open: Arc::new(AtomicBool::new(false)) };
        readers.resume().await?;
        Ok(readers)
    }

    /// A connection that nobody else reads from, as soon as there is one; [`Error::Busy`] after the
    /// close. A caller that gives up in the middle of a read does no harm: the worker stops where its
    /// rows are not taken, and no transaction is left open.
    pub(super) async fn get(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>> {
        let idle = self.connections.iter().filter_map(|connection| connection.try_lock().ok());
        let guard = match idle.into_iter().find(|guard| guard.is_some()) {
            Some(guard) => guard,
            None => self.wait().await,
        };
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| Error::Busy)
    }

    /// The first slot that is free and has a connection; one without if there is no other.
    async fn wait(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        let mut waits: Vec<_> = self.connections.iter().map(|connection| Box::pin(connection.lock())).collect();
        loop {
            let (guard, _, others) = select_all(waits).await;
            if guard.is_some() || others.is_empty() || !self.open.load(Ordering::Acquire) {
                return guard;
            }
            waits = others;
        }
    }

    /// Replaces idle connections that do not answer any more.
    pub(super) async fn mend(&self) {
        for slot in self.connections.iter() {
            let Ok(mut slot) = slot.try_lock() else { continue };
            let lives = match slot.as_mut() {
                // One that is at the end of a long statement, which its caller gave up, answers later.
                Some(connection) => match tokio::time::timeout(PATIENCE, connection.ping()).await {
                    Ok(answer) => answer.is_ok(),
                    Err(_) => true,
                },
                None => false,
            };
            if lives || !self.open.load(Ordering::Acquire) {
                continue;
            }
            *slot = None;
            match SqliteConnection::connect_with(&self.options).await {
                Ok(connection) => {
                    tracing::warn!("a reading connection had ended and was replaced");
                    *slot = Some(connection);
                }
                Err(error) => tracing::error!(%error, "a reading connection has ended"),
            }
        }
    }

    /// Waits for running reads, then closes the connections until [`Readers::resume`].
    pub(super) async fn suspend(&self) {
        self.open.store(false, Ordering::Release);
        for slot in self.connections.iter() {
            if let Some(connection) = slot.lock().await.take() {
                let _ = connection.close().await;
            }
        }
    }

    /// Opens them.
    pub(super) async fn resume(&self) -> sqlx::Result<()> {
        for slot in self.connections.iter() {
            *slot.lock().await = Some(SqliteConnection::connect_with(&self.options).await?);
        }
        self.open.store(true, Ordering::Release);
        Ok(())
    }

    /// Waits for running reads, then closes the connections.
    pub(super) async fn close(&self) {
        self.suspend().await;
    }

    /// Ends a connection as if its thread had died.
    #[cfg(test)]
    pub(super) async fn break_one(&self) {
        *self.connections[0].lock().await = None;
    }
}
