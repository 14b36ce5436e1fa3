//! The one writer, with group commit: whatever waits while a transaction runs shares the next one.
//! Each item has its own savepoint, so a refused item does not harm its neighbours, and nobody
//! hears "done" before the COMMIT that made it durable. There is no timer: an idle writer commits
//! a lone item at once.

use super::{Error, Result};
use futures_util::future::BoxFuture;
use sqlx::{Executor as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Items that may wait before a caller is told that storage is busy.
const QUEUE: usize = 1_024;
/// Items in one transaction.
const GROUP: usize = 64;

/// Called after the group's commit: `Ok` if it is durable.
type Settle = Box<dyn FnOnce(Result<()>) + Send>;
/// Runs inside the group's transaction; says whether its savepoint is kept.
type Item = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, (bool, Settle)> + Send>;

enum Command {
    Run(Item),
    Stop(oneshot::Sender<()>),
}

/// Handle to the writer task.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Command>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        // Not among the app's tasks: the writer must outlive them, since they end by writing.
        TaskTracker::new().spawn(run(connection, waiting));
        Self { queue }
    }

    /// Runs `job` inside the next group's transaction and returns after that group's commit.
    /// An error from `job` undoes its own statements only.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let item: Item = Box::new(move |connection| {
            Box::pin(async move {
                let result = job(connection).await;
                let keep = result.is_ok();
                let settle: Settle = Box::new(move |committed| {
                    // A caller that went away has nobody to tell.
                    let _ = answer.send(committed.and(result));
                });
                (keep, settle)
            })
        });
        self.queue.try_send(Command::Run(item)).map_err(|_| Error::Busy)?;
        outcome.await.map_err(|_| Error::Busy)?
    }

    /// False once the task has ended, by a stop or by a panic in an item.
    pub(super) fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Commits what is queued and ends the task.
    pub(super) async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.queue.send(Command::Stop(done)).await.is_ok() {
            let _ = ended.await;
        }
    }
}

async fn run(mut connection: SqliteConnection, mut waiting: mpsc::Receiver<Command>) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let mut items = Vec::with_capacity(group.len());
        let mut stop = None;
        for command in group.drain(..) {
            match command {
                Command::Run(item) => items.push(item),
                Command::Stop(done) => stop = Some(done),
            }
        }
        if !items.is_empty() {
            commit(&mut connection, items).await;
        }
        if let Some(done) = stop {
            waiting.close();
            let _ = sqlx::Connection::close(connection).await;
            let _ = done.send(());
            return;
        }
    }
}

async fn commit(connection: &mut SqliteConnection, items: Vec<Item>) {
    if let Err(error) = connection.execute("BEGIN IMMEDIATE").await {
        tracing::error!(%error, "a write transaction could not begin");
        // Dropping the items closes their answer channels: each caller gets `Busy`.
        return;
    }
    let mut settles = Vec::with_capacity(items.len());
    for item in items {
        if let Err(error) = connection.execute("SAVEPOINT item").await {
            tracing::error!(%error, "a savepoint could not be set");
            continue;
        }
        let (keep, settle) = item(connection).await;
        let end = if keep { "RELEASE item" } else { "ROLLBACK TO item; RELEASE item" };
        match connection.execute(end).await {
            Ok(_) => settles.push(settle),
            Err(error) => settle(Err(error.into())),
        }
    }
    match connection.execute("COMMIT").await {
        Ok(_) => settles.into_iter().for_each(|settle| settle(Ok(()))),
        Err(error) => {
            tracing::error!(%error, "a write transaction could not commit");
            // Nothing of this group is durable; leave no half-open transaction behind.
            let _ = connection.execute("ROLLBACK").await;
            settles.into_iter().for_each(|settle| settle(Err(Error::Busy)));
        }
    }
}
