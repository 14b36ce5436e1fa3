//! The customer socket, `GET /v1/chat`: one task per connection.

use super::error::{ApiError, Problem};
use super::extract::WidgetOrigin;
use super::frame::{CHAT_PROTOCOL, ClientFrame, Close, Disclosure, ErrorCode, From, Hello, Reader, ServerFrame, event};
use super::socket::{Bucket, End, HELLO_DEADLINE, IDLE, Socket, id_of, limit, parse};
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::chat::handoff::{self, Place};
use crate::chat::{self, turn, visitor};
use crate::domain::{Author, ConversationId, State};
use crate::store::{self, Appended};
use axum::extract::State as Shares;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::Instant;
use uuid::Uuid;

/// Messages that a customer may send at once, and then one per `REFILL`.
const BURST: u32 = 12;
const REFILL: Duration = Duration::from_millis(1_500);
/// Frames of any kind that a client may send at once, and then one per `FRAME_REFILL`.
const FRAME_BURST: u32 = 60;
const FRAME_REFILL: Duration = Duration::from_millis(250);
const TOO_MANY: &str = "too many messages, please wait";

/// Upgrades to the customer socket.
///
/// # Errors
/// `origin_not_allowed`; `too_many` when all places are taken.
pub(super) async fn connect(
    _origin: WidgetOrigin,
    Shares(app): Shares<Shared>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let place = Arc::clone(&app.sockets).try_acquire_owned().map_err(|_| Problem::TooMany)?;
    Ok(limit(upgrade, CHAT_PROTOCOL).on_upgrade(move |socket| async move {
        let tasks = app.tasks.clone();
        // Tracked, so that a stop waits until the goodbye has been sent.
        let talk = tasks.track_future(async move {
            let mut socket = Socket::new(socket);
            let end = talk(&app, &mut socket).await;
            socket.hang_up(end).await;
        });
        talk.await;
        drop(place);
    }))
}

async fn talk(app: &Shared, socket: &mut Socket) -> End {
    let hello = tokio::select! {
        () = app.stop.cancelled() => return Close::Restarting.into(),
        hello = tokio::time::timeout(HELLO_DEADLINE, socket.receive()) => match hello {
            Ok(Ok(text)) => text,
            Ok(Err(end)) => return end,
            Err(_) => return Close::HelloMissing.into(),
        },
    };
    let hello = match parse::<ClientFrame>(&hello) {
        Ok(ClientFrame::Hello(hello)) => hello,
        Ok(_) => return Close::HelloMissing.into(),
        Err(why) => {
            let _ = socket.send_error(None, ErrorCode::BadFrame, &why).await;
            return Close::HelloMissing.into();
        }
    };
    let mut session = match Session::begin(app, socket, hello).await {
        Ok(session) => session,
        Err(end) => return end,
    };
    loop {
        if let Err(end) = session.step(socket).await {
            return end;
        }
    }
}

/// What a customer's connection knows.
struct Session<'a> {
    app: &'a Shared,
    conversation: ConversationId,
    signals: Receiver<Signal>,
    /// The last event that was sent.
    seq: i64,
    frames: Bucket,
    messages: Bucket,
    /// When the client last sent anything.
    heard: Instant,
}

impl<'a> Session<'a> {
    async fn begin(app: &'a Shared, socket: &mut Socket, hello: Hello) -> Result<Self, End> {
        if hello.site != "default" {
            socket.send_error(None, ErrorCode::NotFound, "there is no such site").await?;
            return Err(Close::NotAllowed.into());
        }
        let arrival = visitor::Arrival {
            token: hello.token,
            identity: hello.identity,
            conversation: hello.conversation,
            fresh: hello.fresh,
            locale: hello.locale,
            page: hello.page,
            invitation: hello.invitation,
        };
        let named = hello.conversation;
        let entry = match visitor::enter(app, arrival).await {
            Ok(entry) => entry,
            Err(error) => {
                tracing::error!(%error, "a customer could not be let in");
                socket.send(&ServerFrame::Busy { retry_after_ms: 2_000 }).await?;
                return Err(End::Gone);
            }
        };
        let conversation = &entry.conversation;
        // Listen before reading the log, so that nothing falls between the two.
        let signals = app.bus.subscribe(conversation.id);
        let prompts = app.prompts();
        let business = prompts.business();
        let wait = handoff::usual_wait(app).await.unwrap_or_default();
        socket
            .send(&ServerFrame::Welcome {
                conversation: conversation.id,
                token: entry.token.as_deref(),
                epoch: app.store.epoch(),
                seq: conversation.last_seq,
                state: conversation.state,
                disclosure: Disclosure { text: &business.disclosure.text, version: &business.disclosure.version },
                open: app.desk.is_staffed(),
                wait,
                business: &business.name,
                bot_name: &business.bot_name,
                greeting: &business.greeting,
                rate: &prompts.handoff().rate,
            })
            .await?;
        if let Some(refused) = &entry.refused {
            socket.send_error(None, ErrorCode::Identity, &refused.to_string()).await?;
        }
        let claimed = hello.after.unwrap_or(0);
        let foreign = hello.epoch.as_deref().is_some_and(|epoch| epoch != app.store.epoch());
        let other = named.is_some_and(|named| named != conversation.id);
        let from = if foreign || other || claimed < 0 || claimed > conversation.last_seq {
            if claimed != 0 {
                socket.send(&ServerFrame::Reset { reason: if foreign { "epoch" } else { "seq" } }).await?;
            }
            0
        } else {
            claimed
        };
        let mut session = Self {
            app,
            conversation: conversation.id,
            signals,
            seq: from,
            frames: Bucket::new(FRAME_BURST, FRAME_REFILL),
            messages: Bucket::new(BURST, REFILL),
            heard: Instant::now(),
        };
        session.send_news(socket).await?;
        socket.send(&ServerFrame::Resumed { seq: session.seq }).await?;
        if conversation.state == State::Queued {
            session.send_position(socket).await?;
        }
        Ok(session)
    }

    async fn step(&mut self, socket: &mut Socket) -> Result<(), End> {
        tokio::select! {
            () = self.app.stop.cancelled() => Err(Close::Restarting.into()),
            signal = self.signals.recv() => match signal {
                Ok(Signal::Typing(_, role, name)) if role != Author::Customer => {
                    socket.send(&ServerFrame::Typing { conversation: None, from: From { role, name: name.as_deref() } })
                        .await
                }
                Ok(Signal::Queue(_)) => self.send_position(socket).await,
                Ok(Signal::Typing(..)) => Ok(()),
                Ok(_) | Err(RecvError::Lagged(_)) => self.send_news(socket).await,
                Err(RecvError::Closed) => {
                    // The topic was dropped while nobody listened; take it up again.
                    self.signals = self.app.bus.subscribe(self.conversation);
                    self.send_news(socket).await
                }
            },
            frame = tokio::time::timeout_at(self.heard + IDLE, socket.receive()) => {
                let text = frame.map_err(|_| End::Gone)??;
                self.heard = Instant::now();
                self.take(socket, &text).await
            }
        }
    }

    async fn take(&mut self, socket: &mut Socket, text: &str) -> Result<(), End> {
        if !self.frames.take(self.heard) {
            return socket.send_error(id_of(text), ErrorCode::RateLimited, TOO_MANY).await;
        }
        let frame = match parse::<ClientFrame>(text) {
            Ok(frame) => frame,
            Err(why) => return socket.send_error(id_of(text), ErrorCode::BadFrame, &why).await,
        };
        let (app, conversation): (&App, _) = (self.app, self.conversation);
        let counted = !matches!(frame, ClientFrame::Ping {} | ClientFrame::Typing {} | ClientFrame::Read { .. });
        if counted && !self.messages.take(self.heard) {
            return socket.send_error(id_of(text), ErrorCode::RateLimited, TOO_MANY).await;
        }
        let (id, outcome) = match frame {
            ClientFrame::Hello(_) => {
                return socket.send_error(None, ErrorCode::BadFrame, "hello is the first frame only").await;
            }
            ClientFrame::Typing {} => {
                app.bus.publish(&Signal::Typing(conversation, Author::Customer, None));
                return Ok(());
            }
            ClientFrame::Ping {} => {
                // The log's end, not ours: a client that missed the last event learns it here.
                let newest = app.store.conversation(conversation).await.ok().flatten().map(|found| found.last_seq);
                return socket.send(&ServerFrame::Pong { seq: newest }).await;
            }
            ClientFrame::Read { seq } => {
                if let Err(error) = app.store.mark_read(conversation, seq).await {
                    tracing::warn!(%error, "a read mark was lost");
                }
                return Ok(());
            }
            ClientFrame::Say { id, text } => {
                let outcome = turn::say(app, conversation, id, &text).await;
                self.answer(outcome.as_ref());
                (id, outcome)
            }
            ClientFrame::Human { id } => {
                let outcome = turn::press_human(app, conversation, id).await;
                self.answer(outcome.as_ref());
                (id, outcome)
            }
            ClientFrame::Rate { id, kind, score, comment } => {
                (id, visitor::rate(app, conversation, id, kind, score, comment).await)
            }
            ClientFrame::Feedback { id, seq, helpful } => {
                let outcome = visitor::give_feedback(app, conversation, id, seq, helpful).await;
                if !helpful {
                    self.answer(outcome.as_ref());
                }
                (id, outcome)
            }
            ClientFrame::Leave { id, email, text } => {
                (id, visitor::leave_message(app, conversation, id, &text, email).await)
            }
        };
        send_outcome(socket, id, None, outcome).await
    }

    fn answer(&self, outcome: Result<&Appended, &chat::Error>) {
        if outcome.is_ok() {
            turn::answer_later(self.app, self.conversation);
        }
    }

    /// Sends every event after the last one that was sent.
    async fn send_news(&mut self, socket: &mut Socket) -> Result<(), End> {
        loop {
            let events = match self.app.store.events_after(self.conversation, self.seq).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::error!(%error, "the log could not be read for a customer");
                    return Ok(());
                }
            };
            if events.is_empty() {
                return Ok(());
            }
            for entry in &events {
                socket.send(&event(entry, Reader::Customer)).await?;
                self.seq = entry.seq;
            }
        }
    }

    async fn send_position(&mut self, socket: &mut Socket) -> Result<(), End> {
        match handoff::place(self.app, self.conversation).await {
            Ok(Some(Place { position, open, wait, back_at })) => {
                socket.send(&ServerFrame::Position { position, open, wait, back_at }).await
            }
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "a queue position could not be read");
                Ok(())
            }
        }
    }
}

/// The `ack` or the `error` of an operation.
pub(super) async fn send_outcome(
    socket: &mut Socket,
    id: Uuid,
    conversation: Option<ConversationId>,
    outcome: chat::Result<Appended>,
) -> Result<(), End> {
    let (code, message) = match outcome {
        Ok(appended) => {
            let frame = ServerFrame::Ack { id, conversation, seq: Some(appended.seq), at: appended.at };
            return socket.send(&frame).await;
        }
        Err(chat::Error::Store(error)) => match error {
            store::Error::NotFound => (ErrorCode::NotFound, "there is no such conversation".to_owned()),
            store::Error::Conflict | store::Error::Exists(_) => (ErrorCode::Conflict, error.to_string()),
            store::Error::Closed => (ErrorCode::Closed, error.to_string()),
            store::Error::NotOwner => (ErrorCode::Forbidden, error.to_string()),
            store::Error::Busy => return socket.send(&ServerFrame::Busy { retry_after_ms: 1_000 }).await,
            other => {
                tracing::error!(error = %other, "an operation failed in storage");
                (ErrorCode::Internal, "something failed on our side".to_owned())
            }
        },
        Err(chat::Error::Text(chat::text::TextError::TooLong)) => {
            (ErrorCode::TooLong, chat::text::TextError::TooLong.to_string())
        }
        Err(chat::Error::Text(error)) => (ErrorCode::Empty, error.to_string()),
        Err(chat::Error::Field(field, why)) => (ErrorCode::Invalid, format!("{field}: {why}")),
        Err(error) => {
            tracing::error!(%error, "an operation failed");
            (ErrorCode::Internal, "something failed on our side".to_owned())
        }
    };
    socket.send_error(Some(id), code, &message).await
}
