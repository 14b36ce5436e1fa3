//! The one writer, with group commit: whatever waits while a transaction runs shares the next one.
//! What a refused item wrote is undone without harm to its neighbours, and nobody hears "done" before
//! the COMMIT that made it durable. There is no timer: an idle writer commits a lone item at once.
//!
//! Two queues: what somebody waits for at a socket goes first and is refused when too much waits; what
//! happens in the background waits for its place. Under load a customer's message is durable at once, and the
//! bot's answers take the time that is left.

use super::{Error, Result};
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Items that may wait before a caller is told that storage is busy.
const QUEUE: usize = 1_024;
/// Items in one transaction.
const GROUP: usize = 64;
/// Those of the background among them at most, so that they neither hold up the others nor starve.
const BACKGROUND: usize = 16;

/// Called after the group's commit: `Ok` if it is durable.
type Settle = Box<dyn FnOnce(Result<()>) + Send>;
/// Runs inside the group's transaction; says whether what it wrote is kept.
type Job = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, (bool, Settle)> + Send>;

/// One caller's write.
struct Item {
    job: Job,
    /// It writes with one statement, which the database undoes by itself if it fails.
    single: bool,
}

/// Handle to the writer task.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    urgent: mpsc::Sender<Item>,
    background: mpsc::Sender<Item>,
    stop: mpsc::Sender<oneshot::Sender<()>>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (urgent, urgent_items) = mpsc::channel(QUEUE);
        let (background, background_items) = mpsc::channel(QUEUE);
        let (stop, stops) = mpsc::channel(1);
        let waiting = Waiting { urgent: urgent_items, background: background_items, stops };
        // Not among the app's tasks: the writer must outlive them, since they end by writing.
        TaskTracker::new().spawn(run(connection, waiting));
        Self { urgent, background, stop }
    }

    /// Runs `job` inside the next group's transaction and returns after that group's commit.
    /// An error from `job` undoes its own statements only. [`Error::Busy`] at once if too much waits.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.write_urgently(job, false).await
    }

    /// The same for a job that writes with one statement, or none: it needs no savepoint of its own.
    pub(super) async fn write_single<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.write_urgently(job, true).await
    }

    async fn write_urgently<T, F>(&self, job: F, single: bool) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (item, outcome) = item(job, single);
        self.urgent.try_send(item).map_err(|_| Error::Busy)?;
        outcome.await.map_err(|_| Error::Busy)?
    }

    /// The same for work in the background: after what is urgent, and waiting for its place however much waits.
    pub(super) async fn write_in_background<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (item, outcome) = item(job, false);
        self.background.send(item).await.map_err(|_| Error::Busy)?;
        outcome.await.map_err(|_| Error::Busy)?
    }

    /// False once the task has ended, by a stop or by a panic in an item.
    pub(super) fn is_running(&self) -> bool {
        !self.urgent.is_closed()
    }

    /// Commits what is queued and ends the task.
    pub(super) async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.stop.send(done).await.is_ok() {
            let _ = ended.await;
        }
    }
}

/// A job with the way back to its caller.
fn item<T, F>(job: F, single: bool) -> (Item, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
{
    let (answer, outcome) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
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
    (Item { job, single }, outcome)
}

/// The writer's side of the queues.
struct Waiting {
    urgent: mpsc::Receiver<Item>,
    background: mpsc::Receiver<Item>,
    stops: mpsc::Receiver<oneshot::Sender<()>>,
}

impl Waiting {
    /// Adds what waits now to a group: urgent items first, in order.
    fn fill(&mut self, group: &mut Vec<Item>) {
        while group.len() < GROUP - BACKGROUND
            && let Ok(item) = self.urgent.try_recv()
        {
            group.push(item);
        }
        for _ in 0..BACKGROUND {
            let Ok(item) = self.background.try_recv() else { break };
            group.push(item);
        }
    }
}

async fn run(mut connection: SqliteConnection, mut waiting: Waiting) {
    let done = loop {
        let mut group = Vec::with_capacity(GROUP);
        tokio::select! {
            biased;
            Some(item) = waiting.urgent.recv() => group.push(item),
            Some(item) = waiting.background.recv() => group.push(item),
            Some(done) = waiting.stops.recv() => break Some(done),
            else => break None,
        }
        waiting.fill(&mut group);
        commit(&mut connection, group).await;
    };
    waiting.urgent.close();
    waiting.background.close();
    loop {
        let mut rest = Vec::new();
        waiting.fill(&mut rest);
        if rest.is_empty() {
            break;
        }
        commit(&mut connection, rest).await;
    }
    let _ = sqlx::Connection::close(connection).await;
    if let Some(done) = done {
        let _ = done.send(());
    }
}

async fn commit(connection: &mut SqliteConnection, items: Vec<Item>) {
    if let Err(error) = execute(connection, BEGIN).await {
        tracing::error!(%error, "a write transaction could not begin");
        // Dropping the items closes their answer channels: each caller gets `Busy`.
        let _ = execute(connection, "ROLLBACK").await;
        return;
    }
    let mut settles = Vec::with_capacity(items.len());
    let outcome = match run_items(connection, items, &mut settles).await {
        Ok(()) => execute(connection, "COMMIT").await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => settles.into_iter().for_each(|settle| settle(Ok(()))),
        Err(error) => {
            tracing::error!(%error, "a write transaction could not commit");
            // Nothing of this group is durable; leave no half-open transaction behind.
            let _ = execute(connection, "ROLLBACK").await;
            settles.into_iter().for_each(|settle| settle(Err(Error::Busy)));
        }
    }
}

/// Runs each item. The savepoint is always open, and renewed only when somebody may have to go back
/// to it: an error means that nothing of the group can be kept.
async fn run_items(connection: &mut SqliteConnection, items: Vec<Item>, settles: &mut Vec<Settle>) -> sqlx::Result<()> {
    // Whether the savepoint covers what is to be kept.
    let mut covers = false;
    for Item { job, single } in items {
        if covers && !single {
            execute(connection, RENEW).await?;
            covers = false;
        }
        let (keep, settle) = job(connection).await;
        settles.push(settle);
        match (keep, single) {
            (true, _) => covers = true,
            (false, false) => execute(connection, "ROLLBACK TO item").await?,
            // A full disk ends the whole transaction: it must show before the next item writes outside it.
            (false, true) => {
                execute(connection, RENEW).await?;
                covers = false;
            }
        }
    }
    Ok(())
}

/// What follows on one another goes together: each call is a way to another thread and back.
const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT item";
const RENEW: &str = "RELEASE item; SAVEPOINT item";

/// Through a query rather than as bare text, so that the statement is parsed once and kept.
async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> sqlx::Result<()> {
    sqlx::query(statement).execute(connection).await.map(|_| ())
}
