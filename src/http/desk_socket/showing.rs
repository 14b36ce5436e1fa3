//! What a desk is shown: the list at first, then what signals tell of. Whatever was missed is read from storage.

use super::{PROVEN_AT_LEAST, Session};
use crate::bus::Signal;
use crate::chat::{desk, summary};
use crate::domain::{Author, ConversationId, EventKind, Timestamp};
use crate::http::frame::{Close, From, Me, Reader, ServerFrame, Turn, event};
use crate::http::socket::{End, ON_ITS_WAY, Socket};
use crate::store::{PAGE, is_last_page};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;

/// What signals ask for, taken together: however many tell of a conversation, it is looked at once.
#[derive(Default)]
pub(super) struct Wanted {
    changed: Vec<ConversationId>,
    explained: Vec<(ConversationId, i64)>,
    typing: Vec<(ConversationId, Author, Option<String>)>,
    presence: bool,
    /// Everything, because signals were missed.
    all: bool,
    /// Everything, because something is gone.
    reset: bool,
    rights: bool,
}

impl Session<'_> {
    pub(super) async fn send_snapshot(&mut self, socket: &mut Socket) -> Result<(), End> {
        let cards = desk::cards(self.app).await.map_err(|error| {
            tracing::error!(%error, "the desk could not be listed");
            End::Gone
        })?;
        let demo = self.app.store.count_samples().await.is_ok_and(|count| count > 0);
        let me = Me { agent: &self.user.agent, status: self.app.desk.presence(self.user.agent.id) };
        let agents = self.app.desk.colleagues();
        let (version, epoch) = (self.next_version(), self.app.store.epoch());
        socket.send(&ServerFrame::Snapshot { version, me, cards, agents, epoch, demo }).await
    }

    async fn send_agents(&mut self, socket: &mut Socket) -> Result<(), End> {
        let (version, agents) = (self.next_version(), self.app.desk.colleagues());
        socket.send(&ServerFrame::Agents { version, agents }).await
    }

    /// This signal and those that wait behind it.
    pub(super) fn gather(&mut self, first: Result<Signal, RecvError>) -> Result<Wanted, End> {
        let mut wanted = Wanted::default();
        let mut next = first.map_err(|error| match error {
            RecvError::Closed => TryRecvError::Closed,
            RecvError::Lagged(count) => TryRecvError::Lagged(count),
        });
        loop {
            match next {
                Ok(signal) => self.add(&mut wanted, signal),
                Err(TryRecvError::Empty) => return Ok(wanted),
                Err(TryRecvError::Lagged(_)) => wanted.all = true,
                Err(TryRecvError::Closed) => return Err(Close::Restarting.into()),
            }
            next = self.signals.try_recv();
        }
    }

    fn add(&self, wanted: &mut Wanted, signal: Signal) {
        match signal {
            Signal::Changed(id) | Signal::Appended(id, _) => wanted.changed.push(id),
            Signal::Explained(id, seq) if self.open.contains_key(&id) => wanted.explained.push((id, seq)),
            Signal::Typing(id, role, name) if self.open.contains_key(&id) => {
                wanted.typing.retain(|(other, ..)| *other != id);
                wanted.typing.push((id, role, name));
            }
            Signal::Presence => wanted.presence = true,
            Signal::Reset => wanted.reset = true,
            Signal::Again => wanted.all = true,
            Signal::Rights(agent) => wanted.rights |= agent == self.user.agent.id,
            Signal::Explained(..) | Signal::Typing(..) | Signal::Queue(_) => {}
        }
    }

    pub(super) async fn follow(&mut self, socket: &mut Socket, wanted: Wanted) -> Result<(), End> {
        if wanted.rights {
            // Something was taken away: what was proven before counts no longer.
            self.proven = Timestamp(0);
        }
        if wanted.rights || wanted.all || !self.is_proven_within(PROVEN_AT_LEAST) {
            self.check_rights().await?;
        }
        if wanted.reset {
            self.open.clear();
            socket.send(&ServerFrame::Reset { reason: "samples_removed", after: None }).await?;
        }
        if wanted.reset || wanted.all {
            self.backlog.clear();
            self.send_snapshot(socket).await?;
            return self.send_all_news(socket).await;
        }
        if wanted.presence {
            self.send_agents(socket).await?;
        }
        for conversation in wanted.changed {
            self.backlog.add(conversation, self.open.contains_key(&conversation));
        }
        self.send_cards(socket).await?;
        for (conversation, seq) in wanted.explained {
            self.send_turn(socket, conversation, seq).await?;
        }
        for (conversation, role, name) in wanted.typing {
            let from = From { role, name: name.as_deref() };
            socket.send(&ServerFrame::Typing { conversation: Some(conversation), from }).await?;
        }
        Ok(())
    }

    /// What every open conversation has gained.
    async fn send_all_news(&mut self, socket: &mut Socket) -> Result<(), End> {
        let open: Vec<ConversationId> = self.open.keys().copied().collect();
        for conversation in open {
            self.send_news(socket, conversation).await?;
        }
        Ok(())
    }

    /// Answers a ping. Whoever lacks a frame that was sent a while ago gets the list anew, and open conversations are
    /// looked at though no signal told of them.
    pub(super) async fn compare(&mut self, socket: &mut Socket, has: Option<u64>) -> Result<(), End> {
        if has.is_some_and(|has| has != self.version) && self.sent.elapsed() >= ON_ITS_WAY {
            self.send_snapshot(socket).await?;
        }
        self.send_all_news(socket).await?;
        socket.send(&ServerFrame::Pong { seq: None, version: Some(self.version) }).await
    }

    /// Sends the cards of conversations that changed, as many as are due, and what those that are open have gained.
    pub(super) async fn send_cards(&mut self, socket: &mut Socket) -> Result<(), End> {
        let changed = self.backlog.take(Instant::now());
        let cards = desk::cards_of(self.app, &changed).await;
        if let Err(error) = &cards {
            tracing::error!(%error, "cards could not be read");
            // Leaves a gap, which the next card or ping shows to the desk: it then gets the list anew.
            self.next_version();
        }
        let mut cards = cards.ok();
        for conversation in changed {
            if let Some(cards) = &mut cards {
                let version = self.next_version();
                let frame = match cards.remove(&conversation) {
                    Some(card) => ServerFrame::Card { version, card },
                    None => ServerFrame::Gone { version, conversation },
                };
                socket.send(&frame).await?;
            }
            self.send_news(socket, conversation).await?;
        }
        Ok(())
    }

    /// Sends what an open conversation has gained: events first, then the readings of them.
    pub(super) async fn send_news(&mut self, socket: &mut Socket, conversation: ConversationId) -> Result<(), End> {
        let Some(mut sent) = self.open.get(&conversation).copied() else { return Ok(()) };
        let mut told = false;
        loop {
            let events = self.app.store.events_after(conversation, sent.seq).await;
            let turns = self.app.store.turns_after(conversation, sent.turn).await;
            let (Ok(events), Ok(turns)) = (events, turns) else {
                tracing::error!("the log could not be read for the desk");
                return Ok(());
            };
            // What else is written changes nothing that a summary tells before the next reading.
            let telling = |kind| matches!(kind, EventKind::State | EventKind::LeftMessage);
            told |= !turns.is_empty() || events.iter().any(|entry| telling(entry.kind));
            for entry in &events {
                socket.send(&event(entry, Reader::Staff)).await?;
                sent.seq = entry.seq;
            }
            for turn in &turns {
                socket.send(&ServerFrame::Turn(Turn::from(turn))).await?;
                sent.turn = turn.seq;
            }
            self.open.insert(conversation, sent);
            // What is written after this read is signalled after it.
            if is_last_page(&events) && turns.len() < PAGE as usize {
                break;
            }
        }
        if told { self.send_summary(socket, conversation).await } else { Ok(()) }
    }

    async fn send_summary(&self, socket: &mut Socket, conversation: ConversationId) -> Result<(), End> {
        match summary::of(self.app, conversation).await {
            Ok(summary) => socket.send(&ServerFrame::Summary { conversation, summary: Box::new(summary) }).await,
            Err(error) => {
                tracing::error!(%error, "a summary could not be made");
                Ok(())
            }
        }
    }

    /// Sends one reading again, because it has gained something.
    async fn send_turn(&self, socket: &mut Socket, conversation: ConversationId, seq: i64) -> Result<(), End> {
        let turns = self.app.store.turns_after(conversation, seq - 1).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a reading could not be read for the desk");
            Vec::new()
        });
        match turns.first().filter(|turn| turn.seq == seq) {
            Some(turn) => socket.send(&ServerFrame::Turn(Turn::from(turn))).await,
            None => Ok(()),
        }
    }
}
