//! Looks into the database for what the bus may not have told this node: with no bus at all, everybody sees
//! everything within about a second. Runs where there are other nodes.

use super::Result;
use crate::app::{App, Shared};
use crate::bus::repair::{Newest, Repair, Updated};
use crate::domain::ConversationId;
use crate::store::{NEWEST_PAGE, UPDATED_PAGE};
use crate::telemetry;
use std::time::Duration;

/// The pause between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// The longest one: after so many failures in a row the database has other worries.
const LONGEST: Duration = Duration::from_secs(5);

/// Looks until the server stops.
pub async fn run(app: Shared) {
    let mut repair = Repair::default();
    let mut pause = EVERY;
    while tokio::time::timeout(pause, app.stop.cancelled()).await.is_err() {
        pause = match look(&app, &mut repair).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "what changed could not be looked for");
                (pause * 2).min(LONGEST)
            }
        };
    }
}

async fn look(app: &App, repair: &mut Repair) -> Result<()> {
    look_for_customers(app, repair).await?;
    if app.bus.has_desks() {
        look_for_desks(app, repair).await
    } else {
        repair.forget_desks();
        Ok(())
    }
}

async fn look_for_customers(app: &App, repair: &mut Repair) -> Result<()> {
    let watched = app.bus.watched();
    let mut rows = Vec::with_capacity(watched.len());
    for page in watched.chunks(NEWEST_PAGE) {
        let newest = app.store.newest_events(page).await?;
        rows.extend(newest.into_iter().map(|(id, seq)| Newest { id, seq }));
    }
    let changed = repair.look_for_customers(&watched, &rows);
    count("customers", &changed);
    changed.into_iter().for_each(|id| app.bus.publish_change_to_customers(id));
    Ok(())
}

async fn look_for_desks(app: &App, repair: &mut Repair) -> Result<()> {
    let now = app.clock.now();
    let since = repair.since(now);
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = app.store.updated_since(since, after).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.updated_at, last.id));
        rows.extend(page.iter().map(|row| Updated {
            id: row.id,
            seq: row.last_seq,
            turn: row.last_turn,
            updated_at: row.updated_at,
        }));
        // What was updated meanwhile is the next look's: under load there would always be something more.
        if page.len() < UPDATED_PAGE {
            break;
        }
    }
    let changed = repair.look_for_desks(&rows, now);
    count("desks", &changed);
    changed.into_iter().for_each(|id| app.bus.publish_change_to_desks(id));
    Ok(())
}

fn count(whom: &'static str, changed: &[ConversationId]) {
    let changed = u64::try_from(changed.len()).unwrap_or(0);
    metrics::counter!(telemetry::REPAIRS, "whom" => whom).increment(changed);
}
