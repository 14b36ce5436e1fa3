//! The customer socket, `GET /v1/chat`: one task per connection. Ten thousand of them are idle most of the time,
//! so what only a busy one needs is boxed: a task is as large as the largest thing that it may wait for.

use super::error::{ApiError, Problem};
use super::extract::WidgetOrigin;
use super::frame::{CHAT_PROTOCOL, ClientFrame, Close, Disclosure, ErrorCode, From, Hello, Reader, ServerFrame, event};
use super::install::{Seen, Step};
use super::rate::{Bucket, VisitorRates};
use super::socket::{
    CUSTOMER_FRAME, Counted, End, HELLO_DEADLINE, IDLE, ON_ITS_WAY, Socket, id_of, limit, parse, try_again_after,
};
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::chat::queue::{self, Place};
use crate::chat::{self, pre_chat, rights, turn, visitor};
use crate::domain::{Author, ConversationId, Event, State, VisitorId};
use crate::store::{self, Appended, is_last_page};
use crate::telemetry;
use axum::Extension;
use axum::extract::State as Shares;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;
use uuid::Uuid;

/// Frames of any kind that a client may send at once, and then one per `FRAME_REFILL`.
const FRAME_BURST: u32 = 60;
const FRAME_REFILL: Duration = Duration::from_millis(250);
const TOO_MANY: &str = "too many messages, please wait";
/// A client that lacks more events than this gets the newest ones only.
const FAR_BEHIND: i64 = 5_000;
/// How many those are.
const NEWEST: i64 = 500;
/// Milliseconds, and up to as many more, after which a refused operation is tried again.
const BUSY_MS: u64 = 1_000;

/// Upgrades to the customer socket.
///
/// # Errors
/// `origin_not_allowed`; `too_many` when all places are taken.
pub(super) async fn connect(
    _origin: WidgetOrigin,
    Shares(app): Shares<Shared>,
    Extension(rates): Extension<Arc<VisitorRates>>,
    Extension(seen): Extension<Arc<Seen>>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let place = Arc::clone(&app.sockets).try_acquire_owned().map_err(|_| Problem::TooMany)?;
    Ok(limit(upgrade, CHAT_PROTOCOL, CUSTOMER_FRAME).on_upgrade(move |socket| {
        // Tracked, so that a stop waits until the goodbye has been sent.
        app.tasks.clone().track_future(async move {
            let mut socket = Socket::new(socket);
            let _counted = Counted::new("customer");
            let end = talk(&app, (&rates, &seen), &mut socket).await;
            let open = app.config.sockets.saturating_sub(app.sockets.available_permits());
            Box::pin(socket.hang_up(end, open)).await;
            drop(place);
        })
    }))
}

async fn talk(app: &Shared, (rates, seen): (&VisitorRates, &Seen), socket: &mut Socket) -> End {
    let mut session = match Box::pin(greet(app, (rates, seen), socket)).await {
        Ok(session) => session,
        Err(end) => return end,
    };
    loop {
        if let Err(end) = session.step(socket).await {
            return end;
        }
    }
}

async fn greet<'a>(
    app: &'a Shared,
    (rates, seen): (&'a VisitorRates, &Seen),
    socket: &mut Socket,
) -> Result<Session<'a>, End> {
    let hello = tokio::select! {
        () = app.stop.cancelled() => return Err(Close::Restarting.into()),
        hello = tokio::time::timeout(HELLO_DEADLINE, socket.receive()) => match hello {
            Ok(hello) => hello?,
            Err(_) => return Err(Close::HelloMissing.into()),
        },
    };
    match parse::<ClientFrame>(&hello) {
        Ok(ClientFrame::Hello(hello)) => {
            if let Some(page) = &hello.page {
                seen.note(page, Step::Socket, app.clock.now());
            }
            Session::begin(app, rates, socket, hello).await
        }
        Ok(_) => Err(Close::HelloMissing.into()),
        Err(why) => {
            let _ = socket.send_error(None, ErrorCode::BadFrame, &why).await;
            Err(Close::HelloMissing.into())
        }
    }
}

/// What a customer's connection knows.
struct Session<'a> {
    app: &'a Shared,
    rates: &'a VisitorRates,
    visitor: VisitorId,
    conversation: ConversationId,
    signals: Receiver<Signal>,
    /// The last event that was sent, and when.
    seq: i64,
    sent: Instant,
    frames: Bucket,
    /// When the client last sent anything.
    heard: Instant,
}

/// What signals ask for, taken together: however many there are, the log is read once.
#[derive(Default)]
struct Wanted {
    news: bool,
    position: bool,
    typing: Option<(Author, Option<String>)>,
}

impl Wanted {
    /// `has` is the last event that was sent.
    fn add(&mut self, signal: Signal, has: i64) {
        match signal {
            Signal::Typing(_, Author::Customer, _) => {}
            Signal::Typing(_, role, name) => self.typing = Some((role, name)),
            Signal::Queue(_) => self.position = true,
            // That is there already.
            Signal::Appended(_, seq) if seq <= has => {}
            // What was being typed is there.
            _ => *self = Self { news: true, typing: None, ..*self },
        }
    }
}

impl<'a> Session<'a> {
    async fn begin(app: &'a Shared, rates: &'a VisitorRates, socket: &mut Socket, hello: Hello) -> Result<Self, End> {
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
            Err(error @ chat::Error::IdentityRequired) => {
                socket.send_error(None, ErrorCode::IdentityRequired, &error.to_string()).await?;
                return Err(Close::NotAllowed.into());
            }
            Err(error) => {
                tracing::error!(%error, "a customer could not be let in");
                socket.send(&ServerFrame::Busy { id: None, retry_after_ms: try_again_after() }).await?;
                return Err(End::Gone);
            }
        };
        let conversation = &entry.conversation;
        // Listen before reading the log, so that nothing falls between the two.
        let signals = app.bus.subscribe(conversation.id);
        let prompts = app.prompts();
        let business = prompts.business();
        let wait = queue::usual_wait(app);
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
                analysis: entry.analysis,
                erase: business.customers_may_erase,
                attachments: app.attachments.as_ref().map(|_| chat::attachments::MAX_BYTES),
                // The notice that a bot answers is the first event.
                pre_chat: business.pre_chat.as_ref().filter(|_| !entry.is_known && conversation.last_seq <= 1),
            })
            .await?;
        if let Some(refused) = &entry.refused {
            socket.send_error(None, ErrorCode::Identity, &refused.to_string()).await?;
        }
        let claimed = hello.after.unwrap_or(0);
        let foreign = hello.epoch.as_deref().is_some_and(|epoch| epoch != app.store.epoch());
        let other = named.is_some_and(|named| named != conversation.id);
        let unknown = other || claimed < 0 || claimed > conversation.last_seq;
        let from = if foreign || unknown { 0 } else { claimed };
        let far = conversation.last_seq - from > FAR_BEHIND;
        let from = if far { conversation.last_seq - NEWEST } else { from };
        if far || from != claimed {
            let reason = if foreign {
                "epoch"
            } else if unknown {
                "seq"
            } else {
                "too_far"
            };
            socket.send(&ServerFrame::Reset { reason, after: Some(from) }).await?;
        }
        let mut session = Self {
            app,
            rates,
            visitor: entry.visitor,
            conversation: conversation.id,
            signals,
            seq: from,
            sent: Instant::now(),
            frames: Bucket::new(FRAME_BURST, FRAME_REFILL),
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
            signal = self.signals.recv() => Box::pin(self.follow(socket, signal)).await,
            frame = tokio::time::timeout_at(self.heard + IDLE, socket.receive()) => {
                let text = frame.map_err(|_| End::from(Close::Silent))??;
                self.heard = Instant::now();
                Box::pin(self.take(socket, &text)).await
            }
        }
    }

    /// Does what this signal and those that wait behind it ask for.
    async fn follow(&mut self, socket: &mut Socket, first: Result<Signal, RecvError>) -> Result<(), End> {
        let mut wanted = Wanted::default();
        let mut next = first.map_err(|error| match error {
            RecvError::Closed => TryRecvError::Closed,
            RecvError::Lagged(count) => TryRecvError::Lagged(count),
        });
        loop {
            match next {
                Ok(signal) => wanted.add(signal, self.seq),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(_)) => wanted = Wanted { news: true, position: true, typing: None },
                Err(TryRecvError::Closed) => {
                    // The topic was dropped while nobody listened; take it up again.
                    self.signals = self.app.bus.subscribe(self.conversation);
                    wanted.news = true;
                    break;
                }
            }
            next = self.signals.try_recv();
        }
        if wanted.news {
            self.send_news(socket).await?;
        }
        if wanted.position {
            self.send_position(socket).await?;
        }
        match wanted.typing {
            Some((role, name)) => {
                let from = From { role, name: name.as_deref() };
                socket.send(&ServerFrame::Typing { conversation: None, from }).await
            }
            None => Ok(()),
        }
    }

    async fn take(&mut self, socket: &mut Socket, text: &str) -> Result<(), End> {
        if let Err(wait) = self.frames.take(self.heard) {
            return socket.send_limited(id_of(text), wait, TOO_MANY).await;
        }
        let frame = match parse::<ClientFrame>(text) {
            Ok(frame) => frame,
            Err(why) => return socket.send_error(id_of(text), ErrorCode::BadFrame, &why).await,
        };
        let (app, conversation): (&App, _) = (self.app, self.conversation);
        if let Some(id) = frame.id()
            && let Err(wait) = self.rates.take(self.visitor, self.heard)
        {
            return socket.send_limited(Some(id), wait, TOO_MANY).await;
        }
        let mut said = None;
        let (id, outcome) = match frame {
            ClientFrame::Hello(_) => {
                return socket.send_error(None, ErrorCode::BadFrame, "hello is the first frame only").await;
            }
            ClientFrame::Typing {} => {
                app.bus.publish(&Signal::Typing(conversation, Author::Customer, None));
                return Ok(());
            }
            ClientFrame::Ping { seq } => return self.compare(socket, seq).await,
            ClientFrame::Read { seq } => {
                if let Err(error) = app.store.mark_read(conversation, seq).await {
                    tracing::warn!(%error, "a read mark was lost");
                }
                return Ok(());
            }
            ClientFrame::Say { id, text } => {
                let outcome = turn::say(app, conversation, id, &text).await;
                let (outcome, fresh) =
                    outcome.map_or_else(|error| (Err(error), None), |(told, event)| (Ok(told), event));
                self.answer(outcome.as_ref());
                said = fresh;
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
            ClientFrame::End { id } => (id, rights::end(app, conversation, id).await),
            ClientFrame::Reopen { id } => (id, rights::reopen(app, conversation, id).await),
            ClientFrame::Erase { id } => (id, rights::erase(app, conversation, id).await),
            ClientFrame::PreChat { id, answers } => (id, pre_chat::answer(app, conversation, id, &answers).await),
            ClientFrame::Analysis { id, allowed } => (id, rights::allow_analysis(app, conversation, id, allowed).await),
        };
        if outcome.is_ok() {
            metrics::histogram!(telemetry::ACK_SECONDS).record(self.heard.elapsed());
        }
        send_outcome(socket, id, None, outcome).await?;
        // What was just written need not be read back, unless something before it is missing here.
        match said.filter(|said| said.seq == self.seq + 1) {
            Some(said) => self.send_entry(socket, &said).await,
            None => Ok(()),
        }
    }

    fn answer(&self, outcome: Result<&Appended, &chat::Error>) {
        if outcome.is_ok() {
            turn::answer_later(self.app, self.conversation);
        }
    }

    /// Answers a ping with the log's end. Whoever lacks something that no signal told of, or that was sent and did not
    /// arrive, gets it first.
    async fn compare(&mut self, socket: &mut Socket, has: Option<i64>) -> Result<(), End> {
        let newest = match self.app.store.last_seq(self.conversation).await {
            Ok(newest) => newest,
            Err(error) => {
                tracing::warn!(%error, "the log's end could not be read");
                None
            }
        };
        let mut is_reset = false;
        if let (Some(newest), Some(has)) = (newest, has) {
            if has > newest || has < 0 {
                is_reset = true;
                self.seq = 0;
                socket.send(&ServerFrame::Reset { reason: "seq", after: Some(0) }).await?;
            } else if has < self.seq && self.sent.elapsed() >= ON_ITS_WAY {
                self.seq = has;
            }
        }
        if newest.is_some_and(|newest| newest > self.seq) {
            self.send_news(socket).await?;
        }
        if is_reset {
            socket.send(&ServerFrame::Resumed { seq: self.seq }).await?;
        }
        socket.send(&ServerFrame::Pong { seq: newest, version: None }).await
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
            for entry in &events {
                self.send_entry(socket, entry).await?;
            }
            // What is written after this read is signalled after it.
            if is_last_page(&events) {
                return Ok(());
            }
        }
    }

    async fn send_entry(&mut self, socket: &mut Socket, entry: &Event) -> Result<(), End> {
        socket.send(&event(entry, Reader::Customer)).await?;
        self.seq = entry.seq;
        self.sent = Instant::now();
        Ok(())
    }

    async fn send_position(&mut self, socket: &mut Socket) -> Result<(), End> {
        match self.app.queue.place(self.conversation) {
            Some(Place { position, open, wait, back_at }) => {
                socket.send(&ServerFrame::Position { position, open, wait, back_at }).await
            }
            None => Ok(()),
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
            store::Error::Busy => {
                // Not all at the same moment: the id is as good as random.
                let retry_after_ms = BUSY_MS + id.as_u64_pair().1 % BUSY_MS;
                return socket.send(&ServerFrame::Busy { id: Some(id), retry_after_ms }).await;
            }
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
