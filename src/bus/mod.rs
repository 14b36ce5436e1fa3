//! Hints between tasks, and between nodes: "look again". The database is the truth; a lost signal costs a moment,
//! never a message. Knows nothing of storage's rows, sockets or texts, and no text leaves a node by it.

mod address;
mod local;
mod nats;
mod outgoing;
mod postgres;
mod relay;
pub mod repair;
#[cfg(test)]
mod tests;
mod wire;

pub use address::{Address, NoBus};

use crate::domain::{Author, ConversationId, NodeId};
use local::Local;
use relay::Relay;
use std::sync::Arc;
use tokio::sync::broadcast;
use wire::News;

/// Something that listeners may want to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A conversation has new events or turns.
    Changed(ConversationId),
    /// A conversation has its event of this number: who has it need not look. Other nodes hear of it as `Changed`.
    Appended(ConversationId, i64),
    /// The words of a decided turn, by the conversation and the turn's event, were explained.
    Explained(ConversationId, i64),
    /// Somebody is typing. May be lost; the name is known on the node alone on which they type.
    Typing(ConversationId, Author, Option<String>),
    /// A waiting conversation's place in the queue may have changed. For this node's listeners: see
    /// [`Bus::announce_queue`].
    Queue(ConversationId),
    /// Who is at the desk has changed. For this node's listeners: see [`Bus::announce_seats`].
    Presence,
    /// Everything may have changed (sample data was removed): load the desk afresh.
    Reset,
    /// The rights of an account changed: its sockets must prove themselves again.
    Rights(crate::domain::AgentId),
    /// Signals from other nodes may have been lost: read everything again from where you stand.
    Again,
}

/// The bus could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the bus: {0}")]
pub struct Error(String);

/// The fan-out within this process and, where there are other nodes, the relay to them. Cheap to clone.
/// [`Bus::default`] has no relay.
#[derive(Clone, Debug, Default)]
pub struct Bus {
    local: Arc<Local>,
    relay: Option<Relay>,
}

impl Bus {
    /// A bus with other nodes on it. `topic` says which belong together: those of one database. A bus that cannot
    /// be reached is no error: it is tried again for ever.
    ///
    /// # Errors
    /// If the address cannot be used at all.
    pub async fn open(address: &Address, topic: &str, node: NodeId) -> Result<Self, Error> {
        let local = Arc::<Local>::default();
        let relay = Relay::open(address, topic, node, Arc::clone(&local)).await?;
        Ok(Self { local, relay: Some(relay) })
    }

    /// Whether there may be other nodes.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        self.relay.is_some()
    }

    /// Tells those who listen to the conversation and every desk, on all nodes.
    pub fn publish(&self, signal: &Signal) {
        self.publish_here(signal);
        self.send(&News::Signal(signal.clone()));
    }

    /// The same on this node alone.
    pub fn publish_here(&self, signal: &Signal) {
        self.local.publish(signal);
    }

    /// Tells this node's listeners of one conversation, and no desk, that it changed.
    pub fn publish_change_to_customers(&self, conversation: ConversationId) {
        self.local.publish_to(conversation, &Signal::Changed(conversation));
    }

    /// Tells this node's desks, and no customer, that a conversation changed.
    pub fn publish_change_to_desks(&self, conversation: ConversationId) {
        self.local.publish_to_desks(&Signal::Changed(conversation));
    }

    /// Tells the other nodes that who sits at this one is written.
    pub fn announce_seats(&self) {
        self.send(&News::Seats);
    }

    /// Waits until who is at the desk may have changed on another node.
    pub async fn seats_changed(&self) {
        self.local.seats.notified().await;
    }

    /// Tells the other nodes that the queue moved: each tells its own listeners their places.
    pub fn announce_queue(&self) {
        self.send(&News::Queue);
    }

    /// Waits until the queue may have moved on another node.
    pub async fn queue_moved(&self) {
        self.local.queue.notified().await;
    }

    /// Signals of one conversation.
    #[must_use]
    pub fn subscribe(&self, conversation: ConversationId) -> broadcast::Receiver<Signal> {
        self.local.subscribe(conversation)
    }

    /// Signals of all conversations, and of the desk itself.
    #[must_use]
    pub fn subscribe_desk(&self) -> broadcast::Receiver<Signal> {
        self.local.subscribe_desk()
    }

    /// The conversations that somebody on this node listens to.
    #[must_use]
    pub fn watched(&self) -> Vec<ConversationId> {
        self.local.watched()
    }

    /// Whether anybody on this node listens to all conversations.
    #[must_use]
    pub fn has_desks(&self) -> bool {
        self.local.has_desks()
    }

    /// Sends what waits, for two seconds at most, and leaves the bus.
    pub async fn close(&self) {
        if let Some(relay) = &self.relay {
            relay.close().await;
        }
    }

    fn send(&self, news: &News) {
        if let Some(relay) = &self.relay {
            relay.offer(news);
        }
    }
}
