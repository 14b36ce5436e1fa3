//! Hints between tasks: "look again". The database is the truth; a lost signal costs a moment,
//! never a message. Knows nothing of storage, sockets or texts.

use crate::domain::{Author, ConversationId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Signals that a topic keeps for a slow listener. One that falls behind is told `Lagged` and
/// reads the log from where it stands, so a small number is enough.
const KEPT: usize = 64;
/// The same for the desk's topic, which carries every conversation.
const KEPT_DESK: usize = 1_024;

/// Something that listeners may want to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A conversation has new events or turns.
    Changed(ConversationId),
    /// The words of a decided turn, by the conversation and the turn's event, were explained.
    Explained(ConversationId, i64),
    /// Somebody is typing.
    Typing(ConversationId, Author, Option<String>),
    /// A waiting conversation's place in the queue may have changed.
    Queue(ConversationId),
    /// Who is at the desk has changed.
    Presence,
    /// Everything may have changed (sample data was removed): load the desk afresh.
    Reset,
    /// The rights of an account changed: its sockets must prove themselves again.
    Rights(crate::domain::AgentId),
}

/// The in-process fan-out.
#[derive(Clone, Debug)]
pub struct Bus {
    topics: Arc<Mutex<HashMap<ConversationId, broadcast::Sender<Signal>>>>,
    desk: broadcast::Sender<Signal>,
}

impl Default for Bus {
    fn default() -> Self {
        Self { topics: Arc::default(), desk: broadcast::channel(KEPT_DESK).0 }
    }
}

impl Bus {
    /// Tells those who listen to the conversation, and every desk.
    pub fn publish(&self, signal: &Signal) {
        // No listener is no failure: the log has it.
        let _ = self.desk.send(signal.clone());
        if let Signal::Changed(id) | Signal::Queue(id) | Signal::Typing(id, ..) = signal {
            let mut topics = self.topics();
            if let Some(topic) = topics.get(id)
                && topic.send(signal.clone()).is_err()
            {
                topics.remove(id);
            }
        }
    }

    /// Signals of one conversation.
    #[must_use]
    pub fn subscribe(&self, conversation: ConversationId) -> broadcast::Receiver<Signal> {
        self.topics().entry(conversation).or_insert_with(|| broadcast::channel(KEPT).0).subscribe()
    }

    /// Signals of all conversations, and of the desk itself.
    #[must_use]
    pub fn subscribe_desk(&self) -> broadcast::Receiver<Signal> {
        self.desk.subscribe()
    }

    /// The map is only ever locked for a look-up, so a poisoned lock holds a sound map.
    fn topics(&self) -> MutexGuard<'_, HashMap<ConversationId, broadcast::Sender<Signal>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bus, Signal};
    use crate::domain::ConversationId;

    #[test]
    fn a_signal_reaches_its_topic_and_the_desk_and_nobody_else() {
        let bus = Bus::default();
        let (a, b) = (ConversationId(uuid::Uuid::from_u128(1)), ConversationId(uuid::Uuid::from_u128(2)));
        let (mut on_a, mut on_b, mut desk) = (bus.subscribe(a), bus.subscribe(b), bus.subscribe_desk());
        bus.publish(&Signal::Changed(a));
        assert_eq!(on_a.try_recv(), Ok(Signal::Changed(a)));
        assert_eq!(desk.try_recv(), Ok(Signal::Changed(a)));
        assert!(on_b.try_recv().is_err());
    }

    #[test]
    fn a_topic_nobody_listens_to_is_dropped() {
        let bus = Bus::default();
        let id = ConversationId(uuid::Uuid::from_u128(1));
        drop(bus.subscribe(id));
        bus.publish(&Signal::Changed(id));
        assert!(bus.topics().is_empty());
    }
}
