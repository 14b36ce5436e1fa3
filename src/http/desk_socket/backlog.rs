//! Conversations that changed and are still to be shown to a desk: each once, however often it changed, the ones that
//! it looks at first, and not so many at a time that reading them keeps the processor from whoever writes. Knows
//! nothing of frames.

use crate::domain::ConversationId;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Conversations that are read with one statement.
const AT_ONCE: usize = 64;
/// The pause after so many, where still more wait.
const BREATH: Duration = Duration::from_millis(50);

/// What waits to be shown.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: VecDeque<ConversationId>,
    present: HashSet<ConversationId>,
    next: Instant,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), present: HashSet::new(), next: Instant::now() }
    }

    /// A conversation changed. `first`: somebody looks at it.
    pub(super) fn add(&mut self, id: ConversationId, first: bool) {
        let fresh = self.present.insert(id);
        if first {
            if !fresh {
                self.waiting.retain(|other| *other != id);
            }
            self.waiting.push_front(id);
        } else if fresh {
            self.waiting.push_back(id);
        }
    }

    /// Everything is shown anew.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.present.clear();
    }

    /// Waits until [`Backlog::take`] has something.
    pub(super) async fn due(&self) {
        if self.waiting.is_empty() {
            std::future::pending().await
        } else {
            sleep_until(self.next).await;
        }
    }

    /// The ones that are to be shown now; none if it is too soon.
    pub(super) fn take(&mut self, now: Instant) -> Vec<ConversationId> {
        if now < self.next {
            return Vec::new();
        }
        let some: Vec<ConversationId> = self.waiting.drain(..self.waiting.len().min(AT_ONCE)).collect();
        some.iter().for_each(|id| {
            self.present.remove(id);
        });
        if some.len() == AT_ONCE {
            self.next = now + BREATH;
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, BREATH, Backlog};
    use crate::domain::ConversationId;
    use tokio::time::Instant;
    use uuid::Uuid;

    fn id(number: usize) -> ConversationId {
        ConversationId(Uuid::from_u128(number as u128))
    }

    #[test]
    fn each_is_shown_once_and_the_open_ones_first() {
        let (mut backlog, now) = (Backlog::new(), Instant::now());
        [1, 2, 3, 1].into_iter().for_each(|number| backlog.add(id(number), false));
        backlog.add(id(3), true);
        assert_eq!(backlog.take(now), [id(3), id(1), id(2)]);
        assert!(backlog.take(now).is_empty());
        backlog.add(id(1), false);
        assert_eq!(backlog.take(now), [id(1)], "it changed again");
        backlog.add(id(2), false);
        backlog.clear();
        assert!(backlog.take(now).is_empty());
    }

    #[tokio::test]
    async fn a_flood_is_shown_in_parts() {
        let mut backlog = Backlog::new();
        (0..AT_ONCE + 1).for_each(|number| backlog.add(id(number), false));
        let begin = Instant::now();
        assert_eq!(backlog.take(begin).len(), AT_ONCE);
        assert!(backlog.take(begin).is_empty(), "others come first");
        backlog.due().await;
        assert!(begin.elapsed() >= BREATH);
        assert_eq!(backlog.take(Instant::now()), [id(AT_ONCE)]);
    }
}
