//! The fan-out within this process.

use super::Signal;
use crate::domain::ConversationId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// Signals that a topic keeps for a slow listener. One that falls behind is told `Lagged` and
/// reads the log from where it stands, so a small number is enough.
const KEPT: usize = 8;
/// The same for the desk's topic, which carries every conversation.
const KEPT_DESK: usize = 1_024;
/// Topics that are kept before those without a listener are looked for.
const KEPT_TOPICS: usize = 1_024;
/// Topics that are told to look again at a time, and the pause after them: each look is a read of the database.
const AT_A_TIME: usize = 200;
const BREATH: Duration = Duration::from_millis(10);

/// Topics and their listeners.
#[derive(Debug)]
pub(super) struct Local {
    topics: Mutex<Topics>,
    desk: broadcast::Sender<Signal>,
    /// Somebody sat down or stood up on another node.
    pub(super) seats: Notify,
    /// The queue moved on another node.
    pub(super) queue: Notify,
    /// Signals may have been lost.
    pub(super) doubt: Notify,
}

#[derive(Debug, Default)]
struct Topics {
    by_conversation: HashMap<ConversationId, broadcast::Sender<Signal>>,
    /// At how many those without a listener are dropped.
    sweep_at: usize,
}

impl Topics {
    fn sweep(&mut self) {
        self.by_conversation.retain(|_, topic| topic.receiver_count() > 0);
        self.sweep_at = self.by_conversation.len() * 2;
    }
}

impl Default for Local {
    fn default() -> Self {
        Self {
            topics: Mutex::default(),
            desk: broadcast::channel(KEPT_DESK).0,
            seats: Notify::new(),
            queue: Notify::new(),
            doubt: Notify::new(),
        }
    }
}

impl Local {
    /// Tells those who listen to the conversation, and every desk that it is for.
    pub(super) fn publish(&self, signal: &Signal) {
        // A place in the queue is told to who waits; hundreds of them would push what desks need out of their buffer.
        if !matches!(signal, Signal::Queue(_)) {
            self.publish_to_desks(signal);
        }
        if let Signal::Changed(id) | Signal::Appended(id, _) | Signal::Queue(id) | Signal::Typing(id, ..) = signal {
            self.publish_to(*id, signal);
        }
    }

    /// Tells every desk.
    pub(super) fn publish_to_desks(&self, signal: &Signal) {
        // No listener is no failure: the log has it.
        let _ = self.desk.send(signal.clone());
    }

    /// Tells those alone who listen to the conversation.
    pub(super) fn publish_to(&self, id: ConversationId, signal: &Signal) {
        let mut topics = self.topics();
        if let Some(topic) = topics.by_conversation.get(&id)
            && topic.send(signal.clone()).is_err()
        {
            topics.by_conversation.remove(&id);
        }
    }

    pub(super) fn subscribe(&self, conversation: ConversationId) -> broadcast::Receiver<Signal> {
        let mut topics = self.topics();
        // Nothing may ever be published to who has left.
        if topics.by_conversation.len() >= topics.sweep_at.max(KEPT_TOPICS) {
            topics.sweep();
        }
        topics.by_conversation.entry(conversation).or_insert_with(|| broadcast::channel(KEPT).0).subscribe()
    }

    pub(super) fn subscribe_desk(&self) -> broadcast::Receiver<Signal> {
        self.desk.subscribe()
    }

    /// Conversations that somebody listens to.
    pub(super) fn watched(&self) -> Vec<ConversationId> {
        let mut topics = self.topics();
        topics.sweep();
        topics.by_conversation.keys().copied().collect()
    }

    pub(super) fn has_desks(&self) -> bool {
        self.desk.receiver_count() > 0
    }

    /// Tells everybody to look again, whenever there is doubt: the desks at once, the topics a few at a time.
    pub(super) async fn settle_doubts(&self) {
        loop {
            self.doubt.notified().await;
            self.publish_to_desks(&Signal::Again);
            self.seats.notify_one();
            self.queue.notify_one();
            for topics in self.watched().chunks(AT_A_TIME) {
                topics.iter().for_each(|id| self.publish_to(*id, &Signal::Again));
                tokio::time::sleep(BREATH).await;
            }
        }
    }

    /// The map is only ever locked for a look-up, so a poisoned lock holds a sound map.
    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, KEPT_TOPICS, Local, Signal};
    use crate::domain::ConversationId;
    use tokio::sync::broadcast::error::TryRecvError;

    fn conversation(number: u128) -> ConversationId {
        ConversationId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn a_signal_reaches_its_topic_and_the_desk_and_nobody_else() {
        let local = Local::default();
        let (a, b) = (conversation(1), conversation(2));
        let (mut on_a, mut on_b, mut desk) = (local.subscribe(a), local.subscribe(b), local.subscribe_desk());
        local.publish(&Signal::Changed(a));
        assert_eq!(on_a.try_recv(), Ok(Signal::Changed(a)));
        assert_eq!(desk.try_recv(), Ok(Signal::Changed(a)));
        assert!(on_b.try_recv().is_err());
        local.publish(&Signal::Queue(a));
        assert_eq!(on_a.try_recv(), Ok(Signal::Queue(a)));
        assert!(desk.try_recv().is_err(), "a place in the queue is for who waits");
        local.publish(&Signal::Appended(a, 3));
        assert_eq!((on_a.try_recv(), desk.try_recv()), (Ok(Signal::Appended(a, 3)), Ok(Signal::Appended(a, 3))));
        local.publish_to(b, &Signal::Changed(b));
        assert_eq!(on_b.try_recv(), Ok(Signal::Changed(b)));
        assert!(desk.try_recv().is_err(), "the desk was not meant");
    }

    #[test]
    fn a_topic_nobody_listens_to_is_dropped() {
        let local = Local::default();
        drop(local.subscribe(conversation(1)));
        local.publish(&Signal::Changed(conversation(1)));
        assert!(local.topics().by_conversation.is_empty());
        drop(local.subscribe(conversation(1)));
        let _kept = local.subscribe(conversation(2));
        assert_eq!(local.watched(), [conversation(2)]);
    }

    #[test]
    fn visitors_who_leave_without_a_word_take_no_memory() {
        let local = Local::default();
        let mut kept: Vec<_> = (0..100).map(|number| local.subscribe(conversation(number))).collect();
        (100..20_000).for_each(|number| drop(local.subscribe(conversation(number))));
        assert!(local.topics().by_conversation.len() <= KEPT_TOPICS);
        local.publish(&Signal::Changed(conversation(7)));
        assert_eq!(kept[7].try_recv(), Ok(Signal::Changed(conversation(7))), "who listens goes on");
    }

    #[test]
    fn a_listener_that_lags_is_told_so_and_goes_on() {
        let local = Local::default();
        let mut slow = local.subscribe(conversation(1));
        (0..KEPT + 5).for_each(|_| local.publish(&Signal::Changed(conversation(1))));
        assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(5)));
        assert_eq!(slow.try_recv(), Ok(Signal::Changed(conversation(1))));
    }

    #[tokio::test]
    async fn after_a_doubt_every_topic_and_desk_looks_again_once() {
        let local = Local::default();
        let mut topics: Vec<_> = (0..500).map(|number| local.subscribe(conversation(number))).collect();
        let mut desk = local.subscribe_desk();
        local.doubt.notify_one();
        let told = tokio::time::timeout(std::time::Duration::from_secs(1), local.settle_doubts()).await;
        assert!(told.is_err(), "it goes on for ever");
        assert_eq!(desk.try_recv(), Ok(Signal::Again));
        for topic in &mut topics {
            assert_eq!(topic.try_recv(), Ok(Signal::Again));
            assert!(topic.try_recv().is_err(), "once");
        }
    }
}
