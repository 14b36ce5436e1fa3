//! SQLite's one writer, with group commit: whatever waits while a transaction runs shares the next one.
//! What a refused item wrote is undone without harm to its neighbours, and nobody hears "done" before
//! the COMMIT that made it durable. There is no timer: an idle writer commits a lone item at once.
//!
//! Two queues: what somebody waits for at a socket goes first and is refused when too much waits; what
//! happens in the background waits for its place. Under load a customer's message is durable at once, and the
//! bot's answers take the time that is left.

use super::database::Connection;
use super::readers::Readers;
use super::sqlite::{DatabaseFile, Fault, Lost};
use super::{Error, Result};
use crate::telemetry::{COMMIT_ITEMS, COMMIT_SECONDS, COMMITS, STORE_QUEUE, STORE_REFUSED};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Items that may wait before a caller is told that storage is busy: as many as it stores in about a second, which is
/// sooner than whoever was refused comes back.
const QUEUE: usize = 4_096;
/// Items in one transaction.
const GROUP: usize = 64;
/// Those of the background among them at most, so that they neither hold up the others nor starve.
const BACKGROUND: usize = 16;
/// While storage takes no writes, a small one is tried so often.
const PROBE: Duration = Duration::from_secs(1);
/// After so many writes (some twenty kilobytes of log each) the log is moved into the database between two
/// transactions, as far as that was not done beside.
const CHECKPOINT: usize = 1_000;

/// The same while more urgent ones wait than a transaction takes.
const BACKGROUND_PRESSED: usize = 2;

/// Called after the group's commit: `Ok` if it is durable.
type Settle = Box<dyn FnOnce(Result<()>) + Send>;
/// Runs inside the group's transaction; says what is to become of what it wrote.
type Job = Box<dyn for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, (Verdict, Settle)> + Send>;

/// What becomes of what an item wrote.
enum Verdict {
    /// It is kept.
    Keep,
    /// It alone is undone.
    Undo,
    /// The file is at fault, not the item: nothing of the group can be kept.
    Fail(Trouble),
}

/// Why a group cannot be kept.
enum Trouble {
    /// The file or its disk.
    Fault(Fault, String),
    /// Something that should not happen: an item's panic, a statement of the writer's own that is refused.
    Defect(String),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Some(fault) => Self::Fault(fault, error.to_string()),
            None => Self::Defect(error.to_string()),
        }
    }
}

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
    /// `connection` is the one that writes; after a failing disk, `file` makes another, and `readers` too.
    pub(super) fn start(connection: SqliteConnection, file: DatabaseFile, readers: Readers) -> Self {
        let (urgent, urgent_items) = mpsc::channel(QUEUE);
        let (background, background_items) = mpsc::channel(QUEUE);
        let (stop, stops) = mpsc::channel(1);
        let waiting = Waiting { urgent: urgent_items, background: background_items, stops };
        // Not among the app's tasks: the writer must outlive them, since they end by writing.
        let committer = Committer { connection: Some(connection), file, readers, since_checkpoint: 0 };
        TaskTracker::new().spawn(run(committer, waiting));
        Self { urgent, background, stop }
    }

    /// Runs `job` inside the next group's transaction and returns after that group's commit.
    /// An error from `job` undoes its own statements only. [`Error::Busy`] at once if too much waits.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.write_urgently(job, false).await
    }

    /// The same for a job that writes with one statement, or none: it needs no savepoint of its own.
    pub(super) async fn write_single<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.write_urgently(job, true).await
    }

    async fn write_urgently<T, F>(&self, job: F, single: bool) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (item, outcome) = item(job, single);
        self.urgent.try_send(item).map_err(|_| refused())?;
        outcome.await.map_err(|_| refused())?
    }

    /// The same for work in the background: after what is urgent, and waiting for its place however much waits.
    pub(super) async fn write_in_background<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (item, outcome) = item(job, false);
        self.background.send(item).await.map_err(|_| refused())?;
        outcome.await.map_err(|_| refused())?
    }

    /// Urgent items that wait for a transaction.
    pub(super) fn urgent_waiting(&self) -> usize {
        self.urgent.max_capacity() - self.urgent.capacity()
    }

    /// False once the task has ended, by a stop.
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

/// A write that was not taken.
fn refused() -> Error {
    metrics::counter!(STORE_REFUSED).increment(1);
    Error::Busy
}

/// A job with the way back to its caller.
fn item<T, F>(job: F, single: bool) -> (Item, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Send + 'static,
{
    let (answer, outcome) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        Box::pin(async move {
            let result = job(connection).await;
            let verdict = match &result {
                Ok(_) => Verdict::Keep,
                Err(Error::Database(error)) => match Fault::of(error) {
                    Some(fault) => Verdict::Fail(Trouble::Fault(fault, error.to_string())),
                    None => Verdict::Undo,
                },
                Err(_) => Verdict::Undo,
            };
            let settle: Settle = Box::new(move |committed| {
                // A caller that went away has nobody to tell.
                let _ = answer.send(committed.and(result));
            });
            (verdict, settle)
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
        let background = if self.urgent.is_empty() { BACKGROUND } else { BACKGROUND_PRESSED };
        for _ in 0..background {
            let Ok(item) = self.background.try_recv() else { break };
            group.push(item);
        }
    }
}

async fn run(mut committer: Committer, mut waiting: Waiting) {
    let done = loop {
        let mut group = Vec::with_capacity(GROUP);
        tokio::select! {
            biased;
            // Without a sender on either way the store was dropped: both ways end together.
            item = waiting.urgent.recv() => match item {
                Some(item) => group.push(item),
                None => break None,
            },
            Some(item) = waiting.background.recv() => group.push(item),
            Some(done) = waiting.stops.recv() => break Some(done),
            // An empty group is the small write that tells whether trouble is over.
            () = tokio::time::sleep(PROBE), if committer.file.is_troubled() => {}
            () = committer.file.alarmed() => {}
        }
        waiting.fill(&mut group);
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        for (queue, waits) in [("urgent", waiting.urgent.len()), ("background", waiting.background.len())] {
            metrics::gauge!(STORE_QUEUE, "queue" => queue).set(waits as f64);
        }
        committer.commit(group).await;
    };
    waiting.urgent.close();
    waiting.background.close();
    loop {
        let mut rest = Vec::new();
        waiting.fill(&mut rest);
        if rest.is_empty() {
            break;
        }
        committer.commit(rest).await;
    }
    if let Some(connection) = committer.connection {
        let _ = sqlx::Connection::close(connection).await;
    }
    match done {
        Some(done) => {
            let _ = done.send(());
        }
        // Nobody closes a store that was dropped.
        None => committer.file.stop().await,
    }
}

/// The connection that writes, and what is done when it cannot.
struct Committer {
    /// None while there is none.
    connection: Option<SqliteConnection>,
    file: DatabaseFile,
    readers: Readers,
    /// Writes since the last checkpoint on this connection.
    since_checkpoint: usize,
}

impl Committer {
    /// One transaction. Whoever's item is not in a commit that succeeded hears `Busy`: an item that is dropped
    /// closes its answer channel.
    async fn commit(&mut self, items: Vec<Item>) {
        let count = items.len();
        let begin = Instant::now();
        let mut settles = Vec::with_capacity(count);
        let outcome = self.try_commit(items, &mut settles).await;
        match outcome {
            Ok(()) => {
                settles.into_iter().for_each(|settle| settle(Ok(())));
                self.file.note_sound();
                metrics::counter!(COMMITS).increment(1);
                metrics::histogram!(COMMIT_SECONDS).record(begin.elapsed());
                #[expect(clippy::cast_precision_loss, reason = "at most a group")]
                metrics::histogram!(COMMIT_ITEMS).record(count as f64);
                self.checkpoint(count).await;
            }
            Err(trouble) => {
                self.roll_back().await;
                settles.into_iter().for_each(|settle| settle(Err(refused())));
                match trouble {
                    Trouble::Fault(fault, error) => self.file.note(fault, &error),
                    Trouble::Defect(error) => tracing::error!(%error, "a write transaction failed"),
                }
            }
        }
    }

    /// Returns once everything that is kept is durable.
    async fn try_commit(&mut self, items: Vec<Item>, settles: &mut Vec<Settle>) -> std::result::Result<(), Trouble> {
        let count = items.len();
        self.connect().await?;
        let Some(connection) = &mut self.connection else { return Err(Trouble::Defect("no connection".to_owned())) };
        execute(connection, BEGIN).await?;
        run_items(connection, items, settles).await?;
        match self.file.next_commit() {
            // The number shows after a failing disk whether everything is there that was acknowledged.
            Some(number) => {
                let statement = "UPDATE meta SET value = $1 WHERE key = 'commits'; COMMIT";
                sqlx::query(statement).bind(number.to_string()).execute(&mut *connection).await?;
                self.file.committed(count);
            }
            None => execute(connection, "COMMIT").await?,
        }
        // Looked at after the commit, so that nobody is told of one that nobody can find.
        if !self.file.is_in_place() {
            return Err(Trouble::Fault(Fault::Moved, "noticed at a commit".to_owned()));
        }
        Ok(())
    }

    /// The connection, made anew where it was lost, and from what the disk has where that is not certain.
    async fn connect(&mut self) -> std::result::Result<(), Trouble> {
        if self.file.has_lost() {
            return Err(Trouble::Defect("nothing is written after a loss".to_owned()));
        }
        if self.file.is_suspect() {
            let connection = self.connection.take();
            let recovered = self.file.recover(connection, &self.readers).await;
            self.connection = Some(recovered.map_err(|lost| match lost {
                Lost::NotYet(error) => error.into(),
                lost @ Lost::Commit { .. } => Trouble::Defect(lost.to_string()),
            })?);
        }
        if self.connection.is_none() {
            self.connection = Some(self.file.connect().await?);
        }
        Ok(())
    }

    /// Leaves no half-open transaction behind: where even that fails, the connection is given up.
    async fn roll_back(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        // SQLite may have rolled back by itself, and then says that there is nothing to roll back.
        let _ = execute(connection, "ROLLBACK").await;
        if execute(connection, "SELECT 1").await.is_err() {
            self.connection = None;
        }
    }

    async fn checkpoint(&mut self, written: usize) {
        self.since_checkpoint += written;
        if self.since_checkpoint >= CHECKPOINT
            && let Some(connection) = &mut self.connection
        {
            self.since_checkpoint = 0;
            self.file.checkpoint(connection).await;
        }
    }
}

/// Runs each item. The savepoint is always open, and renewed only when somebody may have to go back
/// to it: an error means that nothing of the group can be kept.
async fn run_items(
    connection: &mut SqliteConnection,
    items: Vec<Item>,
    settles: &mut Vec<Settle>,
) -> std::result::Result<(), Trouble> {
    // Whether the savepoint covers what is to be kept.
    let mut covers = false;
    for Item { job, single } in items {
        if covers && !single {
            execute(connection, RENEW).await?;
            covers = false;
        }
        // Where it stopped is unknown: nothing of the group is kept, and the next one begins anew.
        let finished = AssertUnwindSafe(async { job(Connection::Sqlite(connection)).await }).catch_unwind().await;
        let (verdict, settle) = finished.map_err(|_| Trouble::Defect("an item panicked".to_owned()))?;
        settles.push(settle);
        match (verdict, single) {
            (Verdict::Keep, _) => covers = true,
            (Verdict::Undo, false) => execute(connection, "ROLLBACK TO item").await?,
            // A full disk ends the whole transaction: it must show before the next item writes outside it.
            (Verdict::Undo, true) => {
                execute(connection, RENEW).await?;
                covers = false;
            }
            (Verdict::Fail(trouble), _) => return Err(trouble),
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
