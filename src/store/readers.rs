//! The reading connections. Not sqlx's pool: that one asks a connection whether it lives before and
//! after every use, which for a file in this process triples the ways to another thread and back.

use super::{Error, Result};
use futures_util::future::select_all;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::sync::Arc;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// Reads at the same time.
const CONNECTIONS: usize = 4;

/// Connections that only read. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    /// None once it is closed.
    connections: Arc<[Mutex<Option<SqliteConnection>>]>,
}

impl Readers {
    pub(super) async fn open(options: &SqliteConnectOptions) -> sqlx::Result<Self> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            connections.push(Mutex::new(Some(SqliteConnection::connect_with(options).await?)));
        }
        Ok(Self { connections: connections.into() })
    }

    /// A connection that nobody else reads from, as soon as there is one; [`Error::Busy`] after the
    /// close. A caller that gives up in the middle of a read does no harm: the worker stops where its
    /// rows are not taken, and no transaction is left open.
    pub(super) async fn get(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>> {
        let idle = self.connections.iter().find_map(|connection| connection.try_lock().ok());
        let guard = match idle {
            Some(guard) => guard,
            None => select_all(self.connections.iter().map(|connection| Box::pin(connection.lock()))).await.0,
        };
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| Error::Busy)
    }

    /// Waits for running reads, then closes the connections.
    pub(super) async fn close(&self) {
        for connection in self.connections.iter() {
            if let Some(connection) = connection.lock().await.take() {
                let _ = connection.close().await;
            }
        }
    }
}
