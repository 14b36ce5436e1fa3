//! Honest clients of both sockets: they keep what is not acked and send it again, take an entry only
//! if it is the next one, come back after every break, and record all of it.
//!
//! What a client knows and decides is a [`Talk`] without sockets or time ([`customer`], [`desk`]);
//! this module moves its frames over any network, real or simulated. Knows no campaign.

pub mod customer;
pub mod desk;
mod frame;

use crate::figures::{Latency, Shared, shared};
use crate::load::{Allowance, Seat, Ticket};
use crate::random::Random;
use crate::socket::{Door, Network, connect};
use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

/// A frame that cannot be written for so long means a dead connection.
const SEND_DEADLINE: Duration = Duration::from_secs(5);
/// How long a hole in the log, or a known end beyond ours, may last before the client resumes.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client decides, without sockets and time.
pub trait Talk: 'static {
    /// A connection begins: its first frame.
    fn greet(&mut self) -> String;
    /// A frame came.
    ///
    /// # Errors
    /// If it is none of the protocol's: the connection is worth nothing then.
    fn receive(&mut self, text: &str) -> Result<Turn>;
    /// The next frame to send, if there is one that was not sent on this connection.
    fn next_frame(&mut self) -> Option<String>;
    /// Whether [`Talk::next_frame`] has one.
    fn has_frame(&self) -> bool;
    /// What the server has refused for now may be sent again.
    fn retry(&mut self);
    /// The connection is over.
    fn lose(&mut self, reason: &str);
    /// The client is to do something.
    fn take(&mut self, task: Task);
    /// Nothing waits for an answer, and the client is live.
    fn is_idle(&self) -> bool;
    /// The limit of messages that a new client has.
    fn allowance(&self) -> Allowance;
}

/// What a frame asks of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Go,
    /// Send again after this time what was refused.
    Pause(Duration),
    /// Something is missing in the log: if it is still missing in a moment, resume.
    Behind,
    /// Nothing is missing any more.
    Whole,
}

/// Something to do.
#[derive(Debug)]
pub enum Task {
    /// Say this. A customer has one conversation, a desk many.
    Say {
        /// Where; of no meaning to a customer.
        conversation: Uuid,
        /// Under which id.
        id: Uuid,
        /// What.
        text: String,
        /// Held until it is acked.
        ticket: Option<Ticket>,
    },
    /// Press the button for a person.
    Human(Uuid),
    /// Follow a conversation, at a desk.
    Follow(Uuid),
    /// Take a conversation over, at a desk.
    Claim {
        /// Which.
        conversation: Uuid,
        /// Id of the operation.
        id: Uuid,
    },
    /// Break the connection, and come back.
    Cut,
    /// Break the connection, and come back when told.
    Sleep,
    /// Come back.
    Wake,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// A quiet client says that it lives; two such times without any frame mean a dead connection.
    pub ping: Duration,
    /// First and longest pause before it comes back; full jitter.
    pub pauses: (Duration, Duration),
}

impl Default for Habits {
    /// The widget's.
    fn default() -> Self {
        Self { ping: Duration::from_secs(25), pauses: (Duration::from_millis(500), Duration::from_secs(30)) }
    }
}

impl Habits {
    /// Quick ones, for campaigns that break connections all the time.
    pub fn quick() -> Self {
        Self { ping: Duration::from_secs(1), pauses: (Duration::from_millis(50), Duration::from_secs(1)) }
    }
}

/// When messages were due, and how long they took to their ack and to the other side's screen.
#[derive(Debug, Default)]
pub struct Probe {
    due: HashMap<u64, Instant>,
    /// Until the ack.
    pub ack: Latency,
    /// From the customer to a desk.
    pub to_desk: Latency,
    /// From a desk to the customer.
    pub to_customer: Latency,
    /// When each message was acked, in microseconds of the monotonic clock.
    pub acked_at: HashMap<u64, u64>,
}

impl Probe {
    /// A message is due now, or was at `due`.
    pub fn expect(&mut self, mark: u64, due: Instant) {
        self.due.insert(mark, due);
    }

    pub(crate) fn acked(&mut self, mark: u64) {
        if let Some(due) = self.due.get(&mark) {
            self.ack.record(due.elapsed());
            self.acked_at.entry(mark).or_insert_with(crate::process::monotonic_us);
        }
    }

    pub(crate) fn arrived(&mut self, mark: u64, at_desk: bool) {
        if let Some(due) = self.due.remove(&mark) {
            let latency = if at_desk { &mut self.to_desk } else { &mut self.to_customer };
            latency.record(due.elapsed());
        }
    }
}

/// How a client's connection is.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Connections that were made.
    pub connections: u64,
    /// Connections or attempts that failed.
    pub breaks: u64,
    /// The last reason.
    pub reason: String,
}

/// A running client. It ends when this is dropped.
#[derive(Debug)]
pub struct Client<T> {
    /// What it knows.
    pub talk: Shared<T>,
    /// How its connection is.
    pub status: Shared<Status>,
    tasks: UnboundedSender<Task>,
    running: JoinHandle<()>,
}

impl<T> Drop for Client<T> {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl<T: Talk> Client<T> {
    /// Starts a client on this thread. One with a `seat` takes what it says from there, one at a time.
    pub fn start<N: Network>(
        network: N,
        door: Door,
        talk: T,
        habits: Habits,
        random: Random,
        seat: Option<Seat<Task>>,
    ) -> Self {
        let (talk, status) = (shared(talk), shared(Status::default()));
        let (tasks, inbox) = mpsc::unbounded_channel();
        let line = Line { network, door, talk: talk.clone(), status: status.clone(), habits, random, inbox, seat };
        let running = tokio::task::spawn_local(line.live());
        Self { talk, status, tasks, running }
    }

    /// Gives it something to do.
    pub fn give(&self, task: Task) {
        // It only ends with this handle.
        let _ = self.tasks.send(task);
    }

    /// Waits until nothing waits for an answer; false when `deadline` passes first.
    pub async fn idle(&self, deadline: Instant) -> bool {
        while !self.talk.borrow().is_idle() {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(5)).await;
        }
        true
    }
}

/// Why a connection ended.
enum End {
    /// The client wants to come back at once.
    Cut,
    /// The client wants to stay away.
    Sleep,
}

/// A client's line to the server.
struct Line<N, T> {
    network: N,
    door: Door,
    talk: Shared<T>,
    status: Shared<Status>,
    habits: Habits,
    random: Random,
    inbox: UnboundedReceiver<Task>,
    seat: Option<Seat<Task>>,
}

impl<N: Network, T: Talk> Line<N, T> {
    async fn live(mut self) {
        let mut pause = self.habits.pauses.0;
        // The server counts a visitor's messages however many connections they take.
        let mut allowance = self.talk.borrow().allowance();
        loop {
            let begin = Instant::now();
            let reason = match self.meet(&mut allowance).await {
                Ok(End::Cut) => {
                    self.talk.borrow_mut().lose("cut by itself");
                    pause = self.habits.pauses.0;
                    continue;
                }
                Ok(End::Sleep) => {
                    self.talk.borrow_mut().lose("asleep");
                    if !self.sleep().await {
                        return;
                    }
                    continue;
                }
                Err(error) => {
                    self.status.borrow_mut().breaks += 1;
                    format!("{error:#}")
                }
            };
            self.talk.borrow_mut().lose(&reason);
            self.status.borrow_mut().reason = reason;
            // A connection that held for a while was a good one: the server is there.
            pause = if begin.elapsed() > Duration::from_secs(2) {
                self.habits.pauses.0
            } else {
                (pause * 2).min(self.habits.pauses.1)
            };
            sleep(pause.mul_f64(self.random.fraction())).await;
        }
    }

    /// Takes tasks until it is woken; false if nobody is there to do so.
    async fn sleep(&mut self) -> bool {
        loop {
            match self.inbox.recv().await {
                None => return false,
                Some(Task::Wake) => return true,
                Some(Task::Cut | Task::Sleep) => {}
                Some(task) => self.talk.borrow_mut().take(task),
            }
        }
    }

    /// One connection from its handshake to its end.
    async fn meet(&mut self, allowance: &mut Allowance) -> Result<End> {
        // A handshake that gets no answer is a silent server as well.
        let handshake = timeout(self.habits.ping * 5, connect(&self.network, &self.door));
        let mut socket = handshake.await.context("no handshake")??;
        self.status.borrow_mut().connections += 1;
        let hello = self.talk.borrow_mut().greet();
        send(&mut socket, hello).await?;
        let (mut heard, mut pinged) = (Instant::now(), Instant::now());
        let mut retry_at: Option<Instant> = None;
        let mut behind_since: Option<Instant> = None;
        let mut offered = false;
        loop {
            if retry_at.is_some_and(|at| at <= Instant::now()) {
                retry_at = None;
                self.talk.borrow_mut().retry();
            }
            while retry_at.is_none() && self.talk.borrow().has_frame() && allowance.take() {
                let Some(frame) = self.talk.borrow_mut().next_frame() else { break };
                send(&mut socket, frame).await?;
            }
            if !offered
                && let Some(seat) = &self.seat
                && self.talk.borrow().is_idle()
                && allowance.at() <= Instant::now()
            {
                offered = seat.offer_itself();
            }
            let mut wake = (pinged + self.habits.ping).min(heard + self.habits.ping * 2);
            if retry_at.is_none() && (self.talk.borrow().has_frame() || (self.seat.is_some() && !offered)) {
                wake = wake.min(allowance.at().max(Instant::now() + Duration::from_millis(1)));
            }
            for at in [retry_at, behind_since.map(|since| since + PATIENCE)].into_iter().flatten() {
                wake = wake.min(at);
            }
            let order = async {
                match &mut self.seat {
                    Some(seat) if offered => seat.order().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                message = socket.next() => {
                    heard = Instant::now();
                    match message.context("the socket was closed")?? {
                        Message::Text(text) => match self.talk.borrow_mut().receive(&text)? {
                            Turn::Go => {}
                            Turn::Pause(pause) => retry_at = Some(heard + pause),
                            Turn::Behind => behind_since = behind_since.or(Some(heard)),
                            Turn::Whole => behind_since = None,
                        },
                        Message::Close(frame) => bail!("the server closed the socket: {frame:?}"),
                        _ => {}
                    }
                }
                task = self.inbox.recv() => match task {
                    None | Some(Task::Sleep) => return Ok(End::Sleep),
                    Some(Task::Cut) => return Ok(End::Cut),
                    Some(Task::Wake) => {}
                    Some(task) => self.talk.borrow_mut().take(task),
                },
                task = order => {
                    let Some(task) = task else { return Ok(End::Sleep) };
                    offered = false;
                    self.talk.borrow_mut().take(task);
                }
                () = sleep_until(wake) => {}
            }
            let now = Instant::now();
            if behind_since.is_some_and(|since| since + PATIENCE <= now) {
                bail!("something is missing in the log");
            }
            if heard + self.habits.ping * 2 <= now {
                bail!("the server is silent");
            }
            if pinged + self.habits.ping <= now {
                pinged = now;
                send(&mut socket, "{\"type\":\"ping\"}".to_owned()).await?;
            }
        }
    }
}

async fn send<S>(socket: &mut WebSocketStream<S>, text: String) -> Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    timeout(SEND_DEADLINE, socket.send(Message::text(text))).await.context("the server takes nothing")??;
    Ok(())
}
