//! What a node does when it cannot trust its bus: it asks the database what changed, and tells its own listeners.
//! This is the pure part: which rows to look at, and who is told. Every change of a conversation raises its
//! `last_seq`, and every reading is a row of `turn`, so comparing two numbers finds whatever a signal should have told.
//!
//! Two questions about the log, because they have two dangers:
//!
//! - *Customers*: the node knows which conversations its sockets look at, and asks for exactly these. A number that
//!   is not the one it told of last is told. No clock is involved, so nothing can be missed, however late a
//!   transaction commits.
//! - *Desks* look at all conversations, so the question is by time: which were updated lately? `updated_at` is
//!   taken before the commit, by the clock of the node that wrote. A row may therefore appear late, behind rows that
//!   were seen already. A watermark of the newest time seen would miss it for ever; so each look goes back by
//!   a window, and what was told before is remembered for as long. Each second's look goes back by [`SHORT`], every
//!   tenth by [`LONG`], which is longer than any statement may take (30 s) and the difference of clocks together.

use crate::domain::{ConversationId, Timestamp};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How far an ordinary look goes back: a commit that takes longer is found by a long one.
pub const SHORT: Duration = Duration::from_secs(5);
/// How far a long look goes back. It must exceed the longest statement and the difference of the nodes' clocks.
pub const LONG: Duration = Duration::from_secs(45);
/// One look in so many is long.
const LONG_EVERY: u32 = 10;

/// A conversation that sockets of this node look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Which.
    pub id: ConversationId,
    /// Its newest event.
    pub seq: i64,
}

/// A conversation that was updated lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// Which.
    pub id: ConversationId,
    /// Its newest event.
    pub seq: i64,
    /// Its newest reading; 0 if there is none.
    pub turn: i64,
    /// When its newest event was written, by the writer's clock.
    pub updated_at: Timestamp,
}

/// What this node's listeners were told.
#[derive(Debug, Default)]
pub struct Repair {
    customers: HashMap<ConversationId, i64>,
    desks: HashMap<ConversationId, Updated>,
    looks: u32,
}

impl Repair {
    /// The customers' conversations that are to be signalled: those that are not as they were told, among them
    /// each that is looked at for the first time. `watched` are all that sockets look at now.
    pub fn look_for_customers(&mut self, watched: &[ConversationId], rows: &[Newest]) -> Vec<ConversationId> {
        if self.customers.len() > watched.len() {
            let watched: HashSet<&ConversationId> = watched.iter().collect();
            self.customers.retain(|id, _| watched.contains(id));
        }
        let news = rows.iter().filter(|row| self.customers.insert(row.id, row.seq) != Some(row.seq));
        news.map(|row| row.id).collect()
    }

    /// From when on the next look for the desks asks.
    pub fn since(&mut self, now: Timestamp) -> Timestamp {
        let long = self.looks.is_multiple_of(LONG_EVERY);
        self.looks = self.looks.wrapping_add(1);
        now.before(if long { LONG } else { SHORT })
    }

    /// The conversations that the desks are to be told of, by `rows`, the answer to that look.
    pub fn look_for_desks(&mut self, rows: &[Updated], now: Timestamp) -> Vec<ConversationId> {
        // A row that is older than this is in no look any more. One from a clock that runs ahead stays longer.
        let oldest = now.before(LONG);
        self.desks.retain(|_, row| row.updated_at >= oldest);
        let is_news = |row: &&Updated| {
            let before = self.desks.insert(row.id, **row);
            before.is_none_or(|before| (before.seq, before.turn) != (row.seq, row.turn))
        };
        rows.iter().filter(is_news).map(|row| row.id).collect()
    }

    /// Nobody looks at all conversations now: whoever comes next begins with a snapshot.
    pub fn forget_desks(&mut self) {
        self.desks.clear();
        // Its first look is a long one, since what is committed late is not in the snapshot.
        self.looks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> ConversationId {
        ConversationId(Uuid::from_u128(number))
    }

    fn newest(number: u128, seq: i64) -> Newest {
        Newest { id: id(number), seq }
    }

    fn updated(number: u128, seq: i64, at: i64) -> Updated {
        Updated { id: id(number), seq, turn: 0, updated_at: Timestamp(at * 1000) }
    }

    #[test]
    fn a_customer_is_told_of_each_change_once() {
        let mut repair = Repair::default();
        let watched = [id(1), id(2)];
        // The first sight is told: something may have happened between the socket's reading and this look.
        assert_eq!(repair.look_for_customers(&watched, &[newest(1, 4), newest(2, 9)]), watched);
        assert!(repair.look_for_customers(&watched, &[newest(1, 4), newest(2, 9)]).is_empty());
        assert_eq!(repair.look_for_customers(&watched, &[newest(1, 4), newest(2, 10)]), [id(2)]);
        // A database that was put back to a backup.
        assert_eq!(repair.look_for_customers(&watched, &[newest(1, 3), newest(2, 10)]), [id(1)]);
        // Nothing is remembered of those nobody looks at, and nothing told of those that were deleted.
        assert!(repair.look_for_customers(&[id(2)], &[newest(2, 10)]).is_empty());
        assert_eq!(repair.customers.len(), 1);
        assert!(repair.look_for_customers(&[id(2)], &[]).is_empty());
    }

    /// A writer takes its time, commits later; a desk looks each second. Every commit must be told.
    #[test]
    fn a_commit_however_late_reaches_the_desks() {
        for late in 0..30 {
            let mut repair = Repair::default();
            let (written, committed) = (100, 100 + late);
            let told_at = (90..200).find(|second| {
                let now = Timestamp(second * 1000);
                let since = repair.since(now);
                let visible = |row: &Updated, from: i64| row.updated_at >= since && *second >= from;
                let busy = updated(2, *second, *second);
                let rows: Vec<Updated> = [(busy, *second), (updated(1, 5, written), committed)]
                    .into_iter()
                    .filter(|(row, from)| visible(row, *from))
                    .map(|(row, _)| row)
                    .collect();
                repair.look_for_desks(&rows, now).contains(&id(1))
            });
            let latest = if late <= 5 { committed + 1 } else { committed + i64::from(LONG_EVERY) };
            let told_at = told_at.expect("it was never told");
            assert!((committed..=latest).contains(&told_at), "committed at {committed}, told at {told_at}");
        }
    }

    #[test]
    fn desks_are_told_of_events_and_readings_once() {
        let mut repair = Repair::default();
        let now = Timestamp(100_000);
        let row = updated(1, 5, 99);
        let changed = |repair: &mut Repair, row| repair.look_for_desks(&[row], now);
        assert_eq!(changed(&mut repair, row), [id(1)]);
        assert!(changed(&mut repair, row).is_empty());
        assert_eq!(changed(&mut repair, Updated { turn: 5, ..row }), [id(1)], "a reading alone");
    }

    #[test]
    fn what_left_the_window_is_forgotten() {
        let mut repair = Repair::default();
        repair.look_for_desks(&[updated(1, 5, 99), updated(2, 1, 140)], Timestamp(100_000));
        repair.look_for_desks(&[], Timestamp(150_000));
        assert_eq!(repair.desks.len(), 1);
        repair.forget_desks();
        assert!(repair.desks.is_empty());
        assert_eq!(repair.since(Timestamp(150_000)), Timestamp(105_000));
        assert_eq!(repair.since(Timestamp(151_000)), Timestamp(146_000));
    }
}
