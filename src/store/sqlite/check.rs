//! The check after an unclean stop: `quick_check` beside the running server, bounded in time. What it finds is told,
//! never repaired.

use super::{Check, DatabaseFile, Fault};
use sqlx::{Connection as _, SqliteConnection};
use std::time::{Duration, Instant};

/// Longest check. While it reads, the log grows.
const LIMIT: Duration = Duration::from_secs(120);
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;
/// Most findings that are asked for.
const FINDINGS: &str = "PRAGMA quick_check(10)";

impl DatabaseFile {
    /// Starts the check; its outcome is in the database's health.
    pub(super) fn start_check(&self) {
        let database = self.clone();
        self.0.tasks.spawn(async move {
            let begin = Instant::now();
            let check = match quick_check(&database).await {
                Ok(found) if found == ["ok"] => Check::Sound,
                Ok(found) => {
                    // SQLite's own words name pages, rows and indexes, no content.
                    tracing::error!(findings = ?found, "the database is damaged: run `candor verify`, then restore a backup");
                    Check::Damaged
                }
                Err(error) if Fault::of(&error) == Some(Fault::Damaged) => {
                    tracing::error!(%error, "the database is damaged: run `candor verify`, then restore a backup");
                    Check::Damaged
                }
                Err(error) => {
                    tracing::warn!(%error, "the check after an unclean stop did not end: run `candor verify` when there is time");
                    Check::Unfinished
                }
            };
            tracing::info!(?check, seconds = begin.elapsed().as_secs_f32(), "checked the database after an unclean stop");
            database.0.health.note_check(check);
        });
    }
}

async fn quick_check(database: &DatabaseFile) -> sqlx::Result<Vec<String>> {
    let _open = database.0.gate.read().await;
    let options = database.0.options.clone().pragma("query_only", "ON");
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let until = Instant::now() + LIMIT;
    let (stop, watched) = (database.0.stop.clone(), database.clone());
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || Instant::now() < until && !stop.is_cancelled() && !watched.is_suspect());
    let found = sqlx::query_scalar(FINDINGS).fetch_all(&mut connection).await;
    connection.lock_handle().await?.remove_progress_handler();
    let _ = connection.close().await;
    found
}
