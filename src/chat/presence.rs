//! Who is at a desk, on this node and on others. What happens here is known at once, from memory; it is written for
//! the others, and what they wrote is read whenever they say so, and regularly. Who is asked answers from
//! memory, never from the database.
//!
//! A node that dies cannot say so. Its seats carry a time that it moves on as long as it lives; a node whose time
//! stands still for `LEASE`, by this node's clock, is dead. No two clocks are compared.

use super::Result;
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::domain::{AgentId, NodeId, Presence, Timestamp};
use crate::store::{OtherSeat, OwnSeat};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often this node says that it lives.
const BEAT: Duration = Duration::from_secs(10);
/// How often it looks at what others wrote, besides whenever they say so.
const LOOK: Duration = Duration::from_secs(2);
/// How long a node may be silent. With the time until its last beat was seen it is less than 30 s.
const LEASE: Duration = Duration::from_secs(25);
/// The longest wait until a seat is written.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
/// How soon a failed write or look is made again.
const AGAIN: Duration = Duration::from_secs(1);

/// Who is at the desk.
#[derive(Debug, Default)]
pub struct Desk {
    seats: Mutex<Seats>,
    /// A seat of this node changed, and is to be written.
    changed: Notify,
    /// The last of these changes that others can read of.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Seats {
    here: HashMap<AgentId, Seat>,
    /// Counts the changes of them.
    changes: u64,
    elsewhere: Elsewhere,
}

#[derive(Clone, Debug)]
struct Seat {
    name: String,
    presence: Presence,
    /// Counts what the agent said of themselves.
    said: i64,
    sockets: usize,
}

/// One person at the desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Colleague {
    /// Who.
    pub id: AgentId,
    /// Shown name.
    pub name: String,
    /// Takes new conversations?
    pub status: Presence,
}

impl Desk {
    /// One more desk of this agent is open. The first one makes them available, or what they had said of themselves
    /// before a drop (`before`); their desks at other nodes know better, and so do further ones here.
    pub fn sit_down(&self, id: AgentId, name: &str, before: Option<Presence>) {
        let mut seats = self.seats();
        let (presence, said) = seats.elsewhere.said_last(id).unwrap_or((before.unwrap_or(Presence::Online), 0));
        let fresh = || Seat { name: name.to_owned(), presence, said, sockets: 0 };
        let seat = seats.here.entry(id).or_insert_with(fresh);
        seat.sockets += 1;
        seat.name = name.to_owned();
        seats.changes += 1;
        drop(seats);
        self.changed.notify_one();
    }

    /// Waits until other nodes can read of everybody who sits here now: before that, an agent who takes a conversation
    /// could seem absent to them. Not for long: without a database nothing can be taken anyway.
    pub async fn is_known(&self) {
        let changes = self.seats().changes;
        let mut written = self.written.subscribe();
        // The sender is this value's own; what ends the wait otherwise is its time.
        let _ = tokio::time::timeout(KNOWN_WITHIN, written.wait_for(|written| *written >= changes)).await;
    }

    /// One desk of this agent was closed; with the last one they are gone.
    pub fn stand_up(&self, id: AgentId) {
        let mut seats = self.seats();
        if let Some(seat) = seats.here.get_mut(&id) {
            seat.sockets = seat.sockets.saturating_sub(1);
            if seat.sockets == 0 {
                seats.here.remove(&id);
            }
        }
        drop(seats);
        self.changed.notify_one();
    }

    /// Sets what an agent with an open desk says of themselves.
    pub fn set_presence(&self, id: AgentId, presence: Presence) {
        let mut seats = self.seats();
        let elsewhere = seats.elsewhere.said_last(id).map_or(0, |(_, said)| said);
        if let Some(seat) = seats.here.get_mut(&id) {
            seat.presence = presence;
            seat.said = seat.said.max(elsewhere) + 1;
        }
        drop(seats);
        self.changed.notify_one();
    }

    /// What an agent says of themselves; offline without an open desk.
    #[must_use]
    pub fn presence(&self, id: AgentId) -> Presence {
        let seats = self.seats();
        let here = seats.here.get(&id).map(|seat| (seat.presence, seat.said));
        let last = here.into_iter().chain(seats.elsewhere.said_last(id)).max_by_key(|(_, said)| *said);
        last.map_or(Presence::Offline, |(presence, _)| presence)
    }

    /// Whether anybody takes new conversations.
    #[must_use]
    pub fn is_staffed(&self) -> bool {
        self.colleagues().iter().any(|colleague| colleague.status == Presence::Online)
    }

    /// Everybody with an open desk, by name.
    #[must_use]
    pub fn colleagues(&self) -> Vec<Colleague> {
        let seats = self.seats();
        let mut last: HashMap<AgentId, (i64, &str, Presence)> =
            seats.here.iter().map(|(id, seat)| (*id, (seat.said, seat.name.as_str(), seat.presence))).collect();
        for row in seats.elsewhere.rows.iter().filter(|row| row.status != Presence::Offline) {
            let seat = last.entry(row.agent_id).or_insert((row.said, &row.name, row.status));
            if row.said > seat.0 {
                *seat = (row.said, seat.1, row.status);
            }
        }
        let mut all: Vec<Colleague> =
            last.into_iter().map(|(id, (_, name, status))| Colleague { id, name: name.to_owned(), status }).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        all
    }

    /// This node's seats, for others, and the number of their last change.
    fn own(&self) -> (Vec<OwnSeat>, u64) {
        let seats = self.seats();
        let own = |(id, seat): (&AgentId, &Seat)| OwnSeat { agent_id: *id, status: seat.presence, said: seat.said };
        (seats.here.iter().map(own).collect(), seats.changes)
    }

    /// Takes over what others wrote.
    fn observe(&self, rows: Vec<OtherSeat>, now: Timestamp) -> Observed {
        let before = self.colleagues();
        let mut seats = self.seats();
        let dead = seats.elsewhere.observe(rows, now);
        let Seats { here, elsewhere, .. } = &mut *seats;
        for (id, seat) in here {
            // What they said at another node holds here too, also when they close their desk there.
            if let Some((presence, said)) = elsewhere.said_last(*id).filter(|(_, said)| *said > seat.said) {
                (seat.presence, seat.said) = (presence, said);
                self.changed.notify_one();
            }
        }
        drop(seats);
        Observed { changed: self.colleagues() != before, dead }
    }

    /// When the next node is dead, if none is heard of again.
    fn next_end(&self) -> Option<Timestamp> {
        let seats = self.seats();
        let Elsewhere { rows, heard } = &seats.elsewhere;
        rows.iter().filter_map(|row| heard.get(&row.node)).map(|(_, first)| first.after(LEASE)).min()
    }

    /// The maps are whole after every operation, so a poisoned lock holds sound ones.
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look at the others brought.
#[derive(Debug, PartialEq, Eq)]
struct Observed {
    /// Somebody came, went or said something else.
    changed: bool,
    /// Nodes that died, with their last sign of life.
    dead: Vec<(NodeId, Timestamp)>,
}

/// The seats at other nodes that live.
#[derive(Debug, Default)]
struct Elsewhere {
    rows: Vec<OtherSeat>,
    /// Each node's latest sign of life, by its clock, and when it was first seen, by ours.
    heard: HashMap<NodeId, (Timestamp, Timestamp)>,
}

impl Elsewhere {
    /// Takes over all rows there are; returns those that died.
    fn observe(&mut self, rows: Vec<OtherSeat>, now: Timestamp) -> Vec<(NodeId, Timestamp)> {
        let mut heard = HashMap::new();
        for row in &rows {
            let known = self.heard.get(&row.node).filter(|(sign, _)| *sign == row.seen_at);
            heard.insert(row.node, (row.seen_at, known.map_or(now, |(_, first)| *first)));
        }
        let dead: Vec<(NodeId, Timestamp)> = heard
            .iter()
            .filter(|(_, (_, first))| *first <= now.before(LEASE))
            .map(|(node, (sign, _))| (*node, *sign))
            .collect();
        self.rows = rows.into_iter().filter(|row| !dead.iter().any(|(gone, _)| *gone == row.node)).collect();
        // The dead as well, for as long as they have rows: they are not to be taken for new ones.
        self.heard = heard;
        dead
    }

    fn said_last(&self, id: AgentId) -> Option<(Presence, i64)> {
        let own = self.rows.iter().filter(|row| row.agent_id == id);
        own.max_by_key(|row| row.said).map(|row| (row.status, row.said))
    }
}

/// Writes this node's seats and reads those of others, until the server stops.
pub async fn run(app: Shared) {
    let mut written = Written::default();
    let (mut beat, mut look) = (tokio::time::Instant::now(), tokio::time::Instant::now());
    // After a failure the next look waits: an end that has passed would have it look without a pause.
    let mut is_read = true;
    loop {
        let end =
            app.desk.next_end().filter(|_| is_read).map_or(LOOK, |end| {
                Duration::from_millis(u64::try_from(end.since(app.clock.now())).unwrap_or(0).max(1))
            });
        let look_at = look.min(tokio::time::Instant::now() + end);
        tokio::select! {
            () = app.stop.cancelled() => break,
            () = app.desk.changed.notified() => {
                beat = tokio::time::Instant::now() + pause(write(&app, &mut written).await, BEAT);
            }
            () = tokio::time::sleep_until(beat) => {
                beat = tokio::time::Instant::now() + pause(write(&app, &mut written).await, BEAT);
            }
            () = app.bus.seats_changed() => {
                let outcome = read(&app).await;
                is_read = outcome.is_ok();
                look = tokio::time::Instant::now() + pause(outcome, LOOK);
            }
            () = tokio::time::sleep_until(look_at) => {
                let outcome = read(&app).await;
                is_read = outcome.is_ok();
                look = tokio::time::Instant::now() + pause(outcome, LOOK);
            }
        }
    }
    // Whoever is still here is on the way out.
    if !written.seats.is_empty() && app.store.save_seats(app.node, Vec::new(), app.clock.now()).await.is_ok() {
        app.bus.announce_seats();
    }
}

fn pause(outcome: Result<()>, usual: Duration) -> Duration {
    match outcome {
        Ok(()) => usual,
        Err(error) => {
            tracing::warn!(%error, "who is at the desk could not be shared with other nodes");
            AGAIN
        }
    }
}

/// What the others can read of this node.
#[derive(Default)]
struct Written {
    seats: Vec<OwnSeat>,
}

async fn write(app: &App, written: &mut Written) -> Result<()> {
    let (mut seats, changes) = app.desk.own();
    seats.sort_by_key(|seat| seat.agent_id);
    if seats.is_empty() && written.seats.is_empty() {
        return Ok(());
    }
    app.store.save_seats(app.node, seats.clone(), app.clock.now()).await?;
    app.desk.written.send_replace(changes);
    if seats != written.seats {
        written.seats = seats;
        app.bus.announce_seats();
    }
    Ok(())
}

/// Reads who sits at other nodes.
///
/// # Errors
/// Storage errors.
pub(super) async fn read(app: &App) -> Result<()> {
    let rows = app.store.seats_elsewhere(app.node).await?;
    let observed = app.desk.observe(rows, app.clock.now());
    if observed.changed {
        app.bus.publish_here(&Signal::Presence);
        // Those who wait are told whether anybody is there. The other nodes see for themselves.
        app.queue.look();
    }
    for (node, seen_at) in observed.dead {
        tracing::warn!(%node, "a node gives no sign of life: nobody sits there any more");
        app.store.drop_seats(node, seen_at).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    const DANA: AgentId = AgentId(Uuid::from_u128(1));
    const SAM: AgentId = AgentId(Uuid::from_u128(2));

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    fn row(agent_id: AgentId, node: u128, status: Presence, said: i64, seen: i64) -> OtherSeat {
        OtherSeat {
            agent_id,
            name: "Dana".to_owned(),
            node: NodeId(Uuid::from_u128(node)),
            status,
            said,
            seen_at: at(seen),
        }
    }

    #[tokio::test]
    async fn whoever_sits_down_is_known_once_it_is_written() {
        let desk = Desk::default();
        desk.sit_down(DANA, "Dana", None);
        assert!(desk.is_known().now_or_never().is_none(), "nobody wrote it");
        let (seats, changes) = desk.own();
        assert_eq!(seats.len(), 1);
        desk.written.send_replace(changes);
        assert!(desk.is_known().now_or_never().is_some());
        desk.sit_down(SAM, "Sam", None);
        assert!(desk.is_known().now_or_never().is_none(), "what was written lacks Sam");
    }

    #[test]
    fn an_agent_is_there_until_their_last_desk_closes() {
        let desk = Desk::default();
        assert!(!desk.is_staffed());
        desk.sit_down(DANA, "Dana", None);
        desk.sit_down(DANA, "Dana", None);
        desk.stand_up(DANA);
        assert!(desk.is_staffed());
        desk.set_presence(DANA, Presence::Away);
        assert!(!desk.is_staffed(), "away takes nobody");
        desk.stand_up(DANA);
        assert_eq!(desk.presence(DANA), Presence::Offline);
        desk.sit_down(DANA, "Dana", Some(Presence::Away));
        assert_eq!(desk.presence(DANA), Presence::Away, "a drop does not make somebody available");
        desk.stand_up(DANA);
        assert!(desk.colleagues().is_empty());
    }

    #[test]
    fn who_sits_elsewhere_is_there_as_well() {
        let desk = Desk::default();
        let there = vec![row(DANA, 8, Presence::Online, 0, 500), row(SAM, 9, Presence::Away, 3, 77)];
        assert_eq!(desk.observe(there.clone(), at(10)), Observed { changed: true, dead: Vec::new() });
        assert!(desk.is_staffed());
        assert_eq!((desk.presence(DANA), desk.presence(SAM)), (Presence::Online, Presence::Away));
        assert_eq!(desk.colleagues().len(), 2);
        assert!(!desk.observe(there, at(15)).changed, "nothing new");
        assert!(desk.observe(Vec::new(), at(16)).changed);
        assert!(!desk.is_staffed());
    }

    #[test]
    fn what_somebody_said_last_holds_wherever_they_sit() {
        let desk = Desk::default();
        desk.observe(vec![row(DANA, 8, Presence::Away, 4, 1)], at(0));
        desk.sit_down(DANA, "Dana", None);
        assert_eq!(desk.presence(DANA), Presence::Away, "a second desk changes nothing");
        desk.set_presence(DANA, Presence::Online);
        assert_eq!((desk.presence(DANA), desk.own().0[0].said), (Presence::Online, 5));
        // At the other node they go away again, and then close that desk.
        desk.observe(vec![row(DANA, 8, Presence::Away, 6, 2)], at(1));
        assert_eq!(desk.presence(DANA), Presence::Away);
        desk.observe(Vec::new(), at(2));
        assert_eq!(desk.presence(DANA), Presence::Away);
        assert_eq!(desk.colleagues(), [Colleague { id: DANA, name: "Dana".to_owned(), status: Presence::Away }]);
    }

    #[test]
    fn a_dead_node_is_believed_for_its_lease_and_no_clocks_are_compared() {
        let desk = Desk::default();
        // The other node's clock is years away; it beats every ten seconds until 40 and dies.
        let beat = |now: i64| 9_000_000 + (now.min(40) / 10) * 10;
        for now in (0..=40).step_by(5) {
            assert!(desk.observe(vec![row(DANA, 8, Presence::Online, 0, beat(now))], at(now)).dead.is_empty());
            assert!(desk.is_staffed(), "at {now}");
        }
        assert_eq!(desk.next_end(), Some(at(65)));
        assert!(desk.observe(vec![row(DANA, 8, Presence::Online, 0, beat(64))], at(64)).dead.is_empty());
        let observed = desk.observe(vec![row(DANA, 8, Presence::Online, 0, beat(65))], at(65));
        assert_eq!(observed.dead, [(NodeId(Uuid::from_u128(8)), at(9_000_040))]);
        assert!(observed.changed && !desk.is_staffed(), "within 30 s of its last beat");
        assert_eq!(desk.next_end(), None);
        // Its rows could not be removed.
        let again = desk.observe(vec![row(DANA, 8, Presence::Online, 0, beat(66))], at(66));
        assert!(!again.changed && again.dead.len() == 1);
        // It was only slow.
        assert!(desk.observe(vec![row(DANA, 8, Presence::Online, 0, 9_000_090)], at(70)).changed);
        assert!(desk.is_staffed());
    }
}
