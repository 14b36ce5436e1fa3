//! The desk socket, `GET /v1/desk`: a snapshot, then deltas; one task per open desk.

mod backlog;
mod showing;

use self::backlog::Backlog;
use self::showing::Wanted;
use super::chat_socket::send_outcome;
use super::error::{ApiError, Problem};
use super::extract::{AgentUser, OwnOrigin};
use super::frame::{Close, DESK_PROTOCOL, DeskFrame, ErrorCode, Facts, Reads, ServerFrame};
use super::rate::Bucket;
use super::socket::{Counted, DESK_FRAME, End, HELLO_DEADLINE, IDLE, Socket, id_of, limit, parse};
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::chat::{handoff, queue};
use crate::domain::{AgentId, Author, ConversationId, Presence, Timestamp};
use crate::store::Appended;
use axum::extract::State as Shares;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;
use uuid::Uuid;

/// Conversations that one desk looks at in full at a time.
const OPEN_AT_ONCE: usize = 64;
/// Operations at once, then one per `REFILL`.
const BURST: u32 = 60;
const REFILL: Duration = Duration::from_millis(200);
/// How old the proof of its session may be when a desk sends a frame or is told something. What takes a session away is
/// signalled; its expiry is not, and a signal may get lost.
const PROVEN_AT_LEAST: Duration = Duration::from_secs(10);
/// How long a desk may stay whose session cannot be looked at, because the database does not answer.
const UNPROVEN_AT_MOST: Duration = Duration::from_secs(120);

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
    Ok(limit(upgrade, DESK_PROTOCOL, DESK_FRAME).on_upgrade(move |socket| {
        app.tasks.clone().track_future(async move {
            let mut socket = Socket::new(socket);
            let _counted = Counted::new("desk");
            let end = sit(&app, &user, &mut socket).await;
            // They come back with the customers.
            let open = app.config.sockets.saturating_sub(app.sockets.available_permits());
            socket.hang_up(end, open).await;
            drop(place);
        })
    }))
}

async fn sit(app: &Shared, user: &AgentUser, socket: &mut Socket) -> End {
    let hello = tokio::select! {
        () = app.stop.cancelled() => return Close::Restarting.into(),
        hello = tokio::time::timeout(HELLO_DEADLINE, socket.receive()) => hello,
    };
    let status = match hello {
        Ok(Ok(text)) => match parse::<DeskFrame>(&text) {
            Ok(DeskFrame::Hello { status }) => status,
            _ => return Close::HelloMissing.into(),
        },
        Ok(Err(end)) => return end,
        Err(_) => return Close::HelloMissing.into(),
    };
    let _seat = Seat::take(app, user, status);
    if app.bus.is_relayed() {
        app.desk.is_known().await;
    }
    let mut session = Session {
        app,
        user,
        signals: app.bus.subscribe_desk(),
        open: HashMap::new(),
        backlog: Backlog::new(),
        version: 0,
        sent: Instant::now(),
        bucket: Bucket::new(BURST, REFILL),
        heard: Instant::now(),
        proven: Timestamp(0),
    };
    // It may have ended since the handshake, before anybody listened here.
    if let Err(end) = session.check_rights().await {
        return end;
    }
    match session.send_snapshot(socket).await {
        Err(end) => end,
        Ok(()) => loop {
            if let Err(end) = session.step(socket).await {
                break end;
            }
        },
    }
}

/// An agent's place at an open desk, given up when it is dropped: whatever ends the desk, nobody stays who is not there.
struct Seat<'a> {
    app: &'a App,
    agent: AgentId,
}

impl<'a> Seat<'a> {
    fn take(app: &'a App, user: &AgentUser, status: Option<Presence>) -> Self {
        app.desk.sit_down(user.agent.id, &user.agent.name, status);
        announce_presence(app);
        Self { app, agent: user.agent.id }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.app.desk.stand_up(self.agent);
        announce_presence(self.app);
    }
}

/// Tells the desks who is there, and those who wait whether anybody is.
fn announce_presence(app: &App) {
    app.bus.publish(&Signal::Presence);
    queue::announce(app);
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
    backlog: Backlog,
    /// Of the list of cards and colleagues, as it was sent; raised by one with each frame that tells of it.
    version: u64,
    /// When it was raised.
    sent: Instant,
    bucket: Bucket,
    /// When the client last sent anything.
    heard: Instant,
    /// When its session was last found good.
    proven: Timestamp,
}

impl Session<'_> {
    /// The version of the frame that is sent next.
    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.sent = Instant::now();
        self.version
    }

    async fn step(&mut self, socket: &mut Socket) -> Result<(), End> {
        tokio::select! {
            () = self.app.stop.cancelled() => Err(Close::Restarting.into()),
            signal = self.signals.recv() => {
                let wanted = self.gather(signal)?;
                self.follow(socket, wanted).await
            }
            () = self.backlog.due() => self.follow(socket, Wanted::default()).await,
            frame = tokio::time::timeout_at(self.heard + IDLE, socket.receive()) => {
                let text = frame.map_err(|_| End::from(Close::Silent))??;
                self.heard = Instant::now();
                self.take(socket, &text).await
            }
        }
    }

    /// Ends the desk if its session has expired or was ended, or the account was closed. While that cannot be read the
    /// desk stays for a while; then the socket ends, and whoever comes back is asked for the session anyway.
    async fn check_rights(&mut self) -> Result<(), End> {
        let now = self.app.clock.now();
        match self.app.store.session(self.user.session.clone(), now).await {
            Ok(Some(_)) => {
                self.proven = now;
                Ok(())
            }
            Ok(None) => Err(Close::NotAllowed.into()),
            Err(error) => {
                tracing::warn!(%error, "a desk's session could not be read");
                if self.is_proven_within(UNPROVEN_AT_MOST) { Ok(()) } else { Err(End::Gone) }
            }
        }
    }

    /// Was the session found good so lately? A clock that was set back says no.
    fn is_proven_within(&self, time: Duration) -> bool {
        let age = u64::try_from(self.app.clock.now().since(self.proven));
        age.is_ok_and(|age| Duration::from_millis(age) < time)
    }

    async fn take(&mut self, socket: &mut Socket, text: &str) -> Result<(), End> {
        if let Err(wait) = self.bucket.take(self.heard) {
            return socket.send_limited(id_of(text), wait, "too many operations, please wait").await;
        }
        let frame = match parse::<DeskFrame>(text) {
            Ok(frame) => frame,
            Err(why) => return socket.send_error(id_of(text), ErrorCode::BadFrame, &why).await,
        };
        if !self.is_proven_within(PROVEN_AT_LEAST) {
            self.check_rights().await?;
        }
        let (app, agent) = (self.app, &self.user.agent);
        let (id, conversation, outcome) = match frame {
            DeskFrame::Hello { .. } => {
                return socket.send_error(None, ErrorCode::BadFrame, "hello is the first frame only").await;
            }
            DeskFrame::Ping { version } => return self.compare(socket, version).await,
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
