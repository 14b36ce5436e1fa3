//! The queue as those who wait are told of it: read as a whole when it has changed, however many wait, and answered
//! from memory. A place that each of them read for itself would be the more work, the longer the queue is, and the
//! busier the desk. Storage says who waits and in which order; nothing here decides.

use super::Result;
use super::desk::{self, Wait};
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::domain::{ConversationId, Timestamp};
use crate::store::{PastWait, Queued};
use crate::telemetry;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Least time between two readings of the queue.
const PAUSE: Duration = Duration::from_millis(500);
/// A reading takes one part in so many of a core at most, whatever there is to read.
const LOAD: u32 = 20;
/// Places that are told at once, and the pause after them: where one person comes first, hundreds move, and their
/// sockets are not to keep the processor from somebody who has something to say.
const TOLD_AT_ONCE: usize = 16;
const BREATH: Duration = Duration::from_millis(5);
/// What each place that was told adds to the time until the next reading.
const PAUSE_EACH: Duration = Duration::from_millis(2);
/// How long a place is believed while somebody waits: a promise may turn out wrong though nobody moves.
const STALE: Duration = Duration::from_secs(15);
/// The same where there are other nodes, whose signals may get lost.
const STALE_AMONG_NODES: Duration = Duration::from_secs(1);

/// Where somebody stands who waits, and what they may expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// 1 for the next.
    pub position: i64,
    /// Somebody takes conversations.
    pub open: bool,
    /// How long it takes, where that can be said.
    pub wait: Option<Wait>,
    /// When people are there again, if nobody is and the hours say it.
    pub back_at: Option<Timestamp>,
}

/// The queue of this node's last reading.
#[derive(Debug, Default)]
pub struct Queue {
    view: RwLock<Arc<View>>,
    news: Notify,
}

#[derive(Debug, Default)]
struct View {
    places: HashMap<ConversationId, Place>,
    /// Priorities of the real ones, the highest first.
    priorities: Vec<i64>,
    waits: Vec<PastWait>,
}

impl Queue {
    /// The place of a conversation; none if it does not wait, or has not been told of yet: whoever listens to it is
    /// told when it is.
    #[must_use]
    pub fn place(&self, conversation: ConversationId) -> Option<Place> {
        self.view().places.get(&conversation).copied()
    }

    /// What somebody may expect with so many others ahead; none while there are too few waits to say.
    #[must_use]
    pub fn expected_wait(&self, ahead: i64) -> Option<Wait> {
        desk::expected_wait(&self.view().waits, ahead)
    }

    /// What somebody may expect who joins with this priority.
    #[must_use]
    pub fn wait_of_next(&self, priority: i64) -> Option<Wait> {
        let view = self.view();
        let ahead = view.priorities.partition_point(|other| *other >= priority);
        desk::expected_wait(&view.waits, i64::try_from(ahead).unwrap_or(i64::MAX))
    }

    fn somebody_waits(&self) -> bool {
        !self.view().places.is_empty()
    }

    /// The queue may have changed, as this node knows.
    pub fn look(&self) {
        self.news.notify_one();
    }

    // Each step leaves a whole view, so a poisoned lock holds a sound one.
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new view in place: those whose place it changes.
    fn replace(&self, view: View) -> Vec<ConversationId> {
        let view = Arc::new(view);
        let mut held = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *held, Arc::clone(&view));
        drop(held);
        let moved = view.places.iter().filter(|(id, place)| before.places.get(id) != Some(place));
        moved.map(|(id, _)| *id).collect()
    }
}

/// Has everybody who waits told if their place has changed.
pub fn announce(app: &App) {
    app.queue.look();
    app.bus.announce_queue();
}

/// What somebody may expect who asks for a person now.
#[must_use]
pub fn usual_wait(app: &App) -> Option<Wait> {
    app.queue.wait_of_next(app.prompts().reason("button").map_or(0, |texts| texts.priority))
}

/// Reads the queue at the start and whenever it has changed, and has those told whose place is another one, until the
/// server stops.
pub async fn follow(app: Shared) {
    let followed = async {
        loop {
            let begin = Instant::now();
            let moved = read(&app).await;
            let took = begin.elapsed();
            let moved = match moved {
                Ok(moved) => moved,
                Err(error) => {
                    tracing::error!(%error, "the queue could not be read");
                    tokio::time::sleep(PAUSE.max(took * LOAD)).await;
                    continue;
                }
            };
            for some in moved.chunks(TOLD_AT_ONCE) {
                some.iter().for_each(|id| app.bus.publish_here(&Signal::Queue(*id)));
                tokio::time::sleep(BREATH).await;
            }
            let each = PAUSE_EACH * u32::try_from(moved.len()).unwrap_or(u32::MAX);
            tokio::time::sleep(PAUSE.max(took * LOAD).max(each)).await;
            let among_nodes = app.bus.is_relayed();
            let stale = if among_nodes { STALE_AMONG_NODES } else { STALE };
            tokio::select! {
                () = app.queue.news.notified() => {}
                () = app.bus.queue_moved() => {}
                () = tokio::time::sleep(stale), if among_nodes || app.queue.somebody_waits() => {}
            }
        }
    };
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = followed => {}
    }
}

/// Reads the queue once: whose place is another one.
async fn read(app: &App) -> Result<Vec<ConversationId>> {
    let now = app.clock.now();
    let waiting = app.store.queue().await?;
    let waits = app.store.recent_waits(now.before(desk::RECENT)).await?;
    metrics::gauge!(telemetry::WAITING).set(u32::try_from(waiting.len()).unwrap_or(u32::MAX));
    let open = app.desk.is_staffed();
    let prompts = app.prompts();
    let hours = prompts.business().hours.as_ref().filter(|_| !open);
    let back_at = hours.and_then(|hours| hours.next_opening(now)).map(|opening| opening.at);
    Ok(app.queue.replace(look_over(&waiting, waits, open, back_at, now)))
}

fn look_over(waiting: &[Queued], waits: Vec<PastWait>, open: bool, back_at: Option<Timestamp>, now: Timestamp) -> View {
    let (mut all, mut real) = (0, 0);
    let mut places = HashMap::with_capacity(waiting.len());
    for one in waiting {
        // Nobody waits behind sample data.
        (all, real) = (all + 1, real + i64::from(!one.demo));
        let position = if one.demo { all } else { real };
        let waited_s = now.since(one.since) / 1000;
        // None once it has turned out wrong.
        let promise = || desk::expected_wait(&waits, position - 1).filter(|wait| waited_s <= wait.high_s);
        let wait = if open { promise() } else { None };
        places.insert(one.id, Place { position, open, wait, back_at });
    }
    let priorities = waiting.iter().filter(|one| !one.demo).map(|one| one.priority).collect();
    View { places, priorities, waits }
}

#[cfg(test)]
mod tests {
    use super::{Place, Queue, look_over};
    use crate::chat::desk::Wait;
    use crate::domain::{ConversationId, Timestamp};
    use crate::store::{PastWait, Queued};
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn id(number: u128) -> ConversationId {
        ConversationId(Uuid::from_u128(number))
    }

    fn queued(number: u128, demo: bool, priority: i64, waited_s: i64) -> Queued {
        Queued { id: id(number), demo, priority, since: Timestamp(NOW.0 - waited_s * 1_000) }
    }

    #[test]
    fn real_people_do_not_stand_behind_sample_data() {
        let waiting = [queued(1, true, 9, 0), queued(2, false, 5, 0), queued(3, true, 5, 0), queued(4, false, 1, 0)];
        let view = look_over(&waiting, Vec::new(), true, None, NOW);
        let position = |number| view.places[&id(number)].position;
        assert_eq!([1, 2, 3, 4].map(position), [1, 1, 3, 2]);
    }

    #[test]
    fn a_promise_that_turned_out_wrong_is_not_repeated() {
        let waits = vec![PastWait { ahead: 0, waited: 60_000 }; 5];
        let wait = Some(Wait { low_s: 60, high_s: 60 });
        let place =
            |waited_s, open| look_over(&[queued(1, false, 5, waited_s)], waits.clone(), open, None, NOW).places[&id(1)];
        assert_eq!(place(59, true), Place { position: 1, open: true, wait, back_at: None });
        assert_eq!(place(61, true).wait, None);
        assert_eq!(place(59, false).wait, None, "nobody is there");
    }

    #[test]
    fn only_those_are_told_whose_place_changes() {
        let queue = Queue::default();
        let view = |waiting: &[Queued]| look_over(waiting, Vec::new(), true, None, NOW);
        let (first, second, third) = (queued(1, false, 5, 9), queued(2, false, 5, 8), queued(3, false, 1, 7));
        let mut told = queue.replace(view(&[first, second, third]));
        told.sort();
        assert_eq!(told, [id(1), id(2), id(3)]);
        assert!(queue.replace(view(&[first, second, third])).is_empty());
        assert_eq!(queue.replace(view(&[first, third])), [id(3)]);
        assert_eq!(queue.place(id(2)), None);
        assert_eq!(queue.place(id(3)).map(|place| place.position), Some(2));
    }

    #[test]
    fn whoever_joins_stands_behind_those_of_the_same_priority() {
        let queue = Queue::default();
        let waits: Vec<PastWait> = (0..10).map(|ahead| PastWait { ahead, waited: ahead * 60_000 }).collect();
        let waiting: Vec<Queued> =
            (0..9).map(|number| queued(number, false, 9 - i64::try_from(number).unwrap(), 0)).collect();
        queue.replace(look_over(&waiting, waits, true, None, NOW));
        assert_eq!(queue.wait_of_next(4), queue.expected_wait(6));
        assert_eq!(queue.wait_of_next(4), Some(Wait { low_s: 240, high_s: 480 }));
    }
}
