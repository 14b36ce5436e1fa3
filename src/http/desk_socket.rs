//! The desk socket, `GET /v1/desk`: a snapshot, then deltas; one task per open desk.

use super::chat_socket::send_outcome;
use super::error::{ApiError, Problem};
use super::extract::{AgentUser, OwnOrigin};
use super::frame::{
    Close, DESK_PROTOCOL, DeskFrame, ErrorCode, Facts, From, Me, Reader, Reads, ServerFrame, Turn, event,
};
use super::socket::{Bucket, End, HELLO_DEADLINE, IDLE, Socket, id_of, limit, parse};
use crate::app::Shared;
use crate::bus::Signal;
use crate::chat::{desk, handoff, summary};
use crate::domain::{Author, ConversationId, EventKind};
use crate::store::Appended;
use axum::extract::State as Shares;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::Instant;
use uuid::Uuid;

/// Conversations that one desk looks at in full at a time.
const OPEN_AT_ONCE: usize = 64;
/// Operations at once, then one per `REFILL`.
const BURST: u32 = 60;
const REFILL: Duration = Duration::from_millis(200);

/// Upgrades to the desk socket.
///
/// # Errors
/// `origin_not_allowed`, `not_signed_in`, `too_many`.
pub(super) async fn connect(
    _origin: OwnOrigin,
    user: AgentUser,
    Shares(app): Shares<Shared>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let place = Arc::clone(&app.desk_sockets).try_acquire_owned().map_err(|_| Problem::TooMany)?;
    Ok(limit(upgrade, DESK_PROTOCOL).on_upgrade(move |socket| async move {
        let tasks = app.tasks.clone();
        let work = tasks.track_future(async move {
            let mut socket = Socket::new(socket);
            let end = sit(&app, &user, &mut socket).await;
            socket.hang_up(end).await;
        });
        work.await;
        drop(place);
    }))
}

async fn sit(app: &Shared, user: &AgentUser, socket: &mut Socket) -> End {
    let hello = tokio::select! {
        () = app.stop.cancelled() => return Close::Restarting.into(),
        hello = tokio::time::timeout(HELLO_DEADLINE, socket.receive()) => hello,
    };
    match hello {
        Ok(Ok(text)) if matches!(parse::<DeskFrame>(&text), Ok(DeskFrame::Hello {})) => {}
        Ok(Err(end)) => return end,
        _ => return Close::HelloMissing.into(),
    }
    app.desk.sit_down(user.agent.id, &user.agent.name);
    announce_presence(app);
    let mut session = Session {
        app,
        user,
        signals: app.bus.subscribe_desk(),
        open: HashMap::new(),
        bucket: Bucket::new(BURST, REFILL),
        heard: Instant::now(),
    };
    let end = match session.send_snapshot(socket).await {
        Err(end) => end,
        Ok(()) => loop {
            if let Err(end) = session.step(socket).await {
                break end;
            }
        },
    };
    app.desk.stand_up(user.agent.id);
    announce_presence(app);
    end
}

/// Tells the desks who is there, and those who wait whether anybody is.
fn announce_presence(app: &Shared) {
    app.bus.publish(&Signal::Presence);
    handoff::announce_queue(app);
}

/// What a desk has of an open conversation.
#[derive(Clone, Copy)]
struct Sent {
    seq: i64,
    turn: i64,
}

struct Session<'a> {
    app: &'a Shared,
    user: &'a AgentUser,
    signals: Receiver<Signal>,
    open: HashMap<ConversationId, Sent>,
    bucket: Bucket,
    /// When the client last sent anything.
    heard: Instant,
}

impl Session<'_> {
    async fn send_snapshot(&mut self, socket: &mut Socket) -> Result<(), End> {
        let cards = desk::cards(self.app).await.map_err(|error| {
            tracing::error!(%error, "the desk could not be listed");
            End::Gone
        })?;
        let demo = self.app.store.count_samples().await.is_ok_and(|count| count > 0);
        let me = Me { agent: &self.user.agent, status: self.app.desk.presence(self.user.agent.id) };
        let agents = self.app.desk.colleagues();
        socket.send(&ServerFrame::Snapshot { me, cards, agents, epoch: self.app.store.epoch(), demo }).await
    }

    async fn step(&mut self, socket: &mut Socket) -> Result<(), End> {
        tokio::select! {
            () = self.app.stop.cancelled() => Err(Close::Restarting.into()),
            signal = self.signals.recv() => match signal {
                Ok(signal) => self.follow(socket, signal).await,
                Err(RecvError::Lagged(_)) => {
                    self.send_snapshot(socket).await?;
                    let open: Vec<ConversationId> = self.open.keys().copied().collect();
                    for conversation in open {
                        self.send_news(socket, conversation).await?;
                    }
                    Ok(())
                }
                Err(RecvError::Closed) => Err(Close::Restarting.into()),
            },
            frame = tokio::time::timeout_at(self.heard + IDLE, socket.receive()) => {
                let text = frame.map_err(|_| End::Gone)??;
                self.heard = Instant::now();
                self.take(socket, &text).await
            }
        }
    }

    async fn follow(&mut self, socket: &mut Socket, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::Changed(conversation) => {
                self.send_card(socket, conversation).await?;
                self.send_news(socket, conversation).await
            }
            Signal::Explained(conversation, seq) if self.open.contains_key(&conversation) => {
                self.send_turn(socket, conversation, seq).await
            }
            Signal::Typing(conversation, role, name) if self.open.contains_key(&conversation) => {
                let from = From { role, name: name.as_deref() };
                socket.send(&ServerFrame::Typing { conversation: Some(conversation), from }).await
            }
            Signal::Explained(..) | Signal::Typing(..) | Signal::Queue(_) => Ok(()),
            Signal::Presence => socket.send(&ServerFrame::Agents { agents: self.app.desk.colleagues() }).await,
            Signal::Reset => {
                self.open.clear();
                socket.send(&ServerFrame::Reset { reason: "samples_removed" }).await?;
                self.send_snapshot(socket).await
            }
            Signal::Rights(agent) if agent == self.user.agent.id => self.check_rights().await,
            Signal::Rights(_) => Ok(()),
        }
    }

    /// Ends the desk if its session has expired or was ended, or the account was closed.
    async fn check_rights(&self) -> Result<(), End> {
        match self.app.store.session(self.user.session.clone(), self.app.clock.now()).await {
            Ok(Some(_)) => Ok(()),
            _ => Err(Close::NotAllowed.into()),
        }
    }

    async fn send_card(&mut self, socket: &mut Socket, conversation: ConversationId) -> Result<(), End> {
        match desk::card(self.app, conversation).await {
            Ok(Some(card)) => socket.send(&ServerFrame::Card { card }).await,
            Ok(None) => socket.send(&ServerFrame::Gone { conversation }).await,
            Err(error) => {
                tracing::error!(%error, "a card could not be read");
                Ok(())
            }
        }
    }

    /// Sends what an open conversation has gained: events first, then the readings of them.
    async fn send_news(&mut self, socket: &mut Socket, conversation: ConversationId) -> Result<(), End> {
        let Some(mut sent) = self.open.get(&conversation).copied() else { return Ok(()) };
        let mut told = false;
        loop {
            let events = self.app.store.events_after(conversation, sent.seq).await;
            let turns = self.app.store.turns_after(conversation, sent.turn).await;
            let (Ok(events), Ok(turns)) = (events, turns) else {
                tracing::error!("the log could not be read for the desk");
                return Ok(());
            };
            if events.is_empty() && turns.is_empty() {
                break;
            }
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

    async fn take(&mut self, socket: &mut Socket, text: &str) -> Result<(), End> {
        if !self.bucket.take(self.heard) {
            return socket.send_error(id_of(text), ErrorCode::RateLimited, "too many operations, please wait").await;
        }
        let frame = match parse::<DeskFrame>(text) {
            Ok(frame) => frame,
            Err(why) => return socket.send_error(id_of(text), ErrorCode::BadFrame, &why).await,
        };
        let (app, agent) = (self.app, &self.user.agent);
        let (id, conversation, outcome) = match frame {
            DeskFrame::Hello {} => {
                return socket.send_error(None, ErrorCode::BadFrame, "hello is the first frame only").await;
            }
            DeskFrame::Ping {} => {
                // A session that has ended meanwhile ends the desk.
                self.check_rights().await?;
                return socket.send(&ServerFrame::Pong { seq: None }).await;
            }
            DeskFrame::Typing { conversation } => {
                let found = app.store.conversation(conversation).await.ok().flatten();
                if found.is_some_and(|found| found.agent_id == Some(agent.id)) {
                    app.bus.publish(&Signal::Typing(conversation, Author::Agent, Some(agent.name.clone())));
                }
                return Ok(());
            }
            DeskFrame::Status { id, status } => {
                app.desk.set_presence(agent.id, status);
                announce_presence(app);
                return self.confirm(socket, id).await;
            }
            DeskFrame::Open { id, conversation, after } => {
                return self.open(socket, id, conversation, after).await;
            }
            DeskFrame::Shut { id, conversation } => {
                self.open.remove(&conversation);
                return self.confirm(socket, id).await;
            }
            DeskFrame::Claim { id, conversation } => (id, conversation, handoff::claim(app, agent, conversation).await),
            DeskFrame::Release { id, conversation } => {
                (id, conversation, handoff::release(app, agent, conversation).await)
            }
            DeskFrame::Transfer { id, conversation, agent: to } => {
                (id, conversation, handoff::transfer(app, agent, conversation, to).await)
            }
            DeskFrame::Say { id, conversation, text } => {
                (id, conversation, handoff::say(app, agent, conversation, id, &text).await)
            }
            DeskFrame::Note { id, conversation, text } => {
                (id, conversation, handoff::note(app, agent, conversation, id, &text).await)
            }
            DeskFrame::ReturnToBot { id, conversation } => {
                (id, conversation, handoff::return_to_bot(app, agent, conversation).await)
            }
            DeskFrame::Close { id, conversation } => (id, conversation, handoff::close(app, agent, conversation).await),
        };
        send_outcome(socket, id, Some(conversation), outcome).await
    }

    async fn open(
        &mut self,
        socket: &mut Socket,
        id: Uuid,
        conversation: ConversationId,
        after: Option<i64>,
    ) -> Result<(), End> {
        let found = match self.app.store.conversation(conversation).await {
            Ok(Some(found)) => found,
            Ok(None) => return socket.send_error(Some(id), ErrorCode::NotFound, "there is no such conversation").await,
            Err(error) => {
                tracing::error!(%error, "a conversation could not be opened");
                return socket.send_error(Some(id), ErrorCode::Internal, "something failed on our side").await;
            }
        };
        if self.open.len() >= OPEN_AT_ONCE && !self.open.contains_key(&conversation) {
            return socket.send_error(Some(id), ErrorCode::Invalid, "too many conversations are open here").await;
        }
        let seq = after.filter(|seq| (0..=found.last_seq).contains(seq)).unwrap_or(0);
        // Readings are sent again from the start: they are few, and may be newer than their event.
        self.open.insert(conversation, Sent { seq, turn: 0 });
        self.send_news(socket, conversation).await?;
        let at = Appended { seq: found.last_seq, at: self.app.clock.now(), repeated: false };
        send_outcome(socket, id, Some(conversation), Ok(at)).await?;
        let seq = self.open.get(&conversation).map_or(0, |sent| sent.seq);
        let facts =
            Facts { locale: found.locale.as_deref(), page: found.page.as_deref(), created_at: found.created_at };
        let reads = Reads { customer: found.customer_read };
        socket.send(&ServerFrame::Opened { conversation, seq, facts, reads }).await
    }

    async fn confirm(&self, socket: &mut Socket, id: Uuid) -> Result<(), End> {
        socket.send(&ServerFrame::Ack { id, conversation: None, seq: None, at: self.app.clock.now() }).await
    }
}
