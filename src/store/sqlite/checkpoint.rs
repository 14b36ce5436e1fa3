//! The work beside the writer: moving the log into the database without keeping anybody waiting, replacing reading
//! connections that died, and the gauges of files and disk.

use super::{DatabaseFile, Fault, beside, file_system, folder_of};
use crate::store::readers::Readers;
use crate::telemetry::{CHECKPOINT_SECONDS, DISK_FREE_BYTES, WAL_BYTES};
use sqlx::{Connection as _, SqliteConnection};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// While the writer is busy, the log is moved this often at least ...
const BUSY: Duration = Duration::from_secs(30);
/// ... and after so many writes.
const WRITES: usize = 500;
/// Without a commit for so long, the log is emptied.
const IDLE: Duration = Duration::from_secs(5);
/// So many writes are none: a server on its own renews its lease every few seconds.
const FEW: usize = 5;
/// How often reading connections are asked whether they live.
const LOOKS_PER_MEND: u32 = 5;

/// What was there at the last look and at the last checkpoint.
struct Seen {
    writes: usize,
    /// When that number last changed.
    changed: Instant,
    /// Those at the latest moment at which more than a few had come ...
    busy: usize,
    /// ... and when that was.
    busy_at: Instant,
    moved: usize,
    moved_at: Instant,
}

impl DatabaseFile {
    /// Starts the work; it ends with [`DatabaseFile::stop`].
    pub(super) fn start_upkeep(&self, readers: Readers) {
        let database = self.clone();
        self.0.tasks.spawn(async move {
            let stop = database.0.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = keep_up(&database, &readers) => {}
            }
        });
    }

    /// Moves what it can of the log into the database, on the writer's own connection and between two of its
    /// transactions. Only here does the log ever become empty under load, so that it begins anew.
    pub(in crate::store) async fn checkpoint(&self, connection: &mut SqliteConnection) {
        run(self, connection, "PRAGMA wal_checkpoint(PASSIVE)", "writer").await;
    }
}

async fn keep_up(database: &DatabaseFile, readers: &Readers) {
    let now = Instant::now();
    let mut seen = Seen { writes: 0, changed: now, busy: 0, busy_at: now, moved: 0, moved_at: now };
    let mut looks: u32 = 0;
    loop {
        tokio::time::sleep(EVERY).await;
        looks = looks.wrapping_add(1);
        if !database.is_in_place() {
            // Nothing is opened by a name that now means something else.
            database.note(Fault::Moved, &"noticed between two writes");
            continue;
        }
        let log = std::fs::metadata(beside(&database.0.path, "-wal")).map_or(0, |found| found.len());
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(WAL_BYTES).set(log as f64);
        if let Some(free) = file_system::free_bytes(folder_of(&database.0.path)) {
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            metrics::gauge!(DISK_FREE_BYTES).set(free as f64);
        }
        if looks.is_multiple_of(LOOKS_PER_MEND) {
            readers.mend().await;
        }
        look(database, &mut seen, log).await;
    }
}

/// Decides whether a checkpoint is due, and makes it.
async fn look(database: &DatabaseFile, seen: &mut Seen, log: u64) {
    let writes = database.0.writes.load(Ordering::Acquire);
    if writes != seen.writes {
        (seen.writes, seen.changed) = (writes, Instant::now());
    }
    if writes - seen.busy > FEW {
        (seen.busy, seen.busy_at) = (writes, Instant::now());
    }
    // What was deleted is to be gone from the log too, also where the server's own few writes never end.
    let nearly_idle = seen.busy_at.elapsed() >= IDLE && seen.moved_at.elapsed() >= BUSY;
    let statement = if log > 0 && (seen.changed.elapsed() >= IDLE || nearly_idle) {
        ("PRAGMA wal_checkpoint(TRUNCATE)", "truncate")
    } else if writes != seen.moved && (writes - seen.moved >= WRITES || seen.moved_at.elapsed() >= BUSY) {
        ("PRAGMA wal_checkpoint(PASSIVE)", "passive")
    } else {
        return;
    };
    let _open = database.0.gate.read().await;
    // In trouble the log is all that is certain.
    if database.is_suspect() {
        return;
    }
    // A reader that is in the way is not waited for: meanwhile the writer would have to wait too.
    let options = database.0.options.clone().busy_timeout(Duration::ZERO);
    match SqliteConnection::connect_with(&options).await {
        Ok(mut connection) => {
            let done = run(database, &mut connection, statement.0, statement.1).await;
            let _ = connection.close().await;
            if !done {
                return;
            }
        }
        Err(error) => tracing::warn!(%error, "no connection for a checkpoint"),
    }
    (seen.moved, seen.moved_at) = (writes, Instant::now());
}

/// Says whether the whole log was moved: somebody who reads or writes may be in the way.
async fn run(
    database: &DatabaseFile,
    connection: &mut SqliteConnection,
    statement: &'static str,
    kind: &'static str,
) -> bool {
    let begin = Instant::now();
    let outcome: sqlx::Result<(i64, i64, i64)> = sqlx::query_as(statement).fetch_one(connection).await;
    metrics::histogram!(CHECKPOINT_SECONDS, "kind" => kind).record(begin.elapsed());
    let error = match outcome {
        Ok((blocked, log, moved)) => return blocked == 0 && moved >= log,
        Err(error) => error,
    };
    match Fault::of(&error) {
        // Somebody writes or reads: the next look comes soon.
        Some(Fault::Locked) | None => tracing::debug!(%error, kind, "a checkpoint was not possible"),
        Some(fault) => database.note(fault, &error),
    }
    false
}
