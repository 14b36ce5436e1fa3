//! One customer: a widget's socket that says one text at a time and waits for the bot's answer.
//!
//! It keeps to the server's limit of messages by itself, resumes after a break and looks in the
//! history for what it had sent, and begins a new conversation when a person got the old one: the bot
//! is silent there. Knows nothing of rates and percentiles.

use crate::figures::Phase;
use anyhow::{Context as _, Result, bail};
use candor::clock::Clock;
use futures_util::{SinkExt as _, StreamExt as _};
use proving::figures::Shared;
use proving::load::{Allowance, REFILL, Seat, Ticket};
use proving::socket::{Door, Tcp, connect};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

/// A quiet socket says that it lives, as the widget does.
const PING: Duration = Duration::from_secs(25);
/// Longest handshake and hello.
const HELLO: Duration = Duration::from_secs(30);
/// Attempts to come back after a break.
const ATTEMPTS: u32 = 5;

/// One text to be said, and where its times go.
pub(crate) struct Order {
    /// What to say.
    pub(crate) text: String,
    /// When it was due, and when waiting for the answer ends.
    pub(crate) ticket: Ticket,
    /// The figures that it belongs to.
    pub(crate) phase: Shared<Phase>,
}

/// A connected customer.
pub(crate) struct Customer {
    network: Tcp,
    door: Door,
    socket: WebSocketStream<TcpStream>,
    token: String,
    conversation: String,
    seq: i64,
    bot_answers: bool,
    allowance: Allowance,
}

/// What the server said, as far as it matters here.
enum Heard {
    Ack(Uuid, i64),
    /// A customer's message in the log.
    Said(Uuid),
    /// A message of the bot in the log.
    Reply(i64),
    /// Whether the bot answers from now on.
    Owner(bool),
    Busy(Duration),
    Refused(String),
    /// The log has a hole before this event.
    Gap,
    Resumed,
    Other,
}

/// The fields of any frame that are of interest.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    what: &'a str,
    kind: Option<&'a str>,
    id: Option<Uuid>,
    seq: Option<i64>,
    state: Option<&'a str>,
    from: Option<From<'a>>,
    token: Option<String>,
    conversation: Option<String>,
    code: Option<&'a str>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct From<'a> {
    role: &'a str,
}

/// A turn that is under way.
struct Open {
    id: Uuid,
    acked: Option<i64>,
    /// The first ack is the one that counts, also when the text had to be said again.
    ack_counted: bool,
}

impl Customer {
    /// Opens a socket with a conversation of its own.
    pub(crate) async fn arrive(address: SocketAddr) -> Result<Self> {
        let (network, door) = (Tcp::new(&[address]), Door::customer(&format!("http://{address}")));
        let socket = connect(&network, &door).await?;
        let mut customer = Self {
            network,
            door,
            socket,
            token: String::new(),
            conversation: String::new(),
            seq: 0,
            bot_answers: true,
            allowance: Allowance::customer(),
        };
        customer.greet(&json!({ "type": "hello", "site": "default" }), None).await?;
        Ok(customer)
    }

    /// Says the first frame and reads until the log has been sent. Tells whether the message
    /// `looked_for` is in it, and whether the bot wrote after it.
    async fn greet(&mut self, hello: &Value, looked_for: Option<Uuid>) -> Result<(bool, bool)> {
        self.seq = 0;
        self.socket.send(Message::text(hello.to_string())).await?;
        let (mut found, mut answered) = (false, false);
        timeout(HELLO, async {
            loop {
                match self.hear().await? {
                    Heard::Resumed => return Ok((found, answered)),
                    Heard::Said(id) if Some(id) == looked_for => found = true,
                    Heard::Reply(_) if found => answered = true,
                    Heard::Owner(bot) => self.bot_answers = bot,
                    Heard::Busy(_) => bail!("the server is too busy to let a customer in"),
                    _ => {}
                }
            }
        })
        .await
        .context("no welcome")?
    }

    /// Takes texts from its seat until there are none any more.
    pub(crate) async fn live(mut self, mut seat: Seat<Order>) -> Result<()> {
        loop {
            let ready = self.allowance.at();
            loop {
                tokio::select! {
                    () = sleep_until(ready) => break,
                    heard = self.hear() => self.idle(heard).await?,
                }
            }
            if !seat.offer_itself() {
                return Ok(());
            }
            let order = loop {
                tokio::select! {
                    order = seat.order() => break order,
                    heard = self.hear_or_ping() => self.idle(heard).await?,
                }
            };
            let Some(order) = order else { return Ok(()) };
            let outcome = self.take(&order).await;
            drop(order);
            outcome?;
            if !self.bot_answers {
                self.begin_anew().await?;
            }
        }
    }

    async fn idle(&mut self, heard: Result<Heard>) -> Result<()> {
        match heard {
            Ok(Heard::Owner(false)) => self.begin_anew().await,
            Ok(_) => Ok(()),
            Err(_) => self.resume(None).await.map(|_| ()),
        }
    }

    /// One turn, from saying the text until the bot's answer is in the log.
    async fn take(&mut self, order: &Order) -> Result<()> {
        let phase = &order.phase;
        let mut open = Open { id: Clock::System.id(), acked: None, ack_counted: false };
        let mut heard = self.say(open.id, &order.text).await;
        loop {
            match heard {
                Ok(Heard::Ack(id, seq)) if id == open.id => {
                    open.acked = Some(seq);
                    if !open.ack_counted {
                        open.ack_counted = true;
                        phase.borrow_mut().acked_at(order.ticket.due);
                    }
                }
                Ok(Heard::Reply(seq)) if open.acked.is_some_and(|asked| asked < seq) => {
                    phase.borrow_mut().answered_at(order.ticket.due);
                    return Ok(());
                }
                // The answer would have come first: an earlier turn gave the conversation away.
                Ok(Heard::Owner(false)) => {
                    phase.borrow_mut().said_again += 1;
                    self.begin_anew().await?;
                    open = Open { id: Clock::System.id(), acked: None, ..open };
                    heard = self.say(open.id, &order.text).await;
                    continue;
                }
                Ok(Heard::Busy(pause)) => {
                    phase.borrow_mut().busy += 1;
                    tokio::time::sleep(pause).await;
                    heard = self.say(open.id, &order.text).await;
                    continue;
                }
                Ok(Heard::Refused(code)) => {
                    phase.borrow_mut().refuse(code);
                    tokio::time::sleep(Duration::from_secs_f64(REFILL)).await;
                    heard = self.say(open.id, &order.text).await;
                    continue;
                }
                Ok(Heard::Gap) => phase.borrow_mut().gaps += 1,
                Ok(_) => {}
                Err(error) => {
                    phase.borrow_mut().broke(&error);
                    let (found, answered) = self.resume(Some(open.id)).await?;
                    if !found {
                        phase.borrow_mut().lost += 1;
                        return Ok(());
                    }
                    if answered {
                        phase.borrow_mut().answered_at(order.ticket.due);
                        return Ok(());
                    }
                    // Durable, so the answer comes after whatever the log ends with.
                    open.acked = open.acked.or(Some(0));
                }
            }
            heard = match timeout_at(order.ticket.deadline, self.hear_or_ping()).await {
                Ok(heard) => heard,
                Err(_) => return self.give_up(order, &open).await,
            };
        }
    }

    /// No answer in time: what was never acked must at least be in the history.
    async fn give_up(&mut self, order: &Order, open: &Open) -> Result<()> {
        let (found, answered) = self.resume(Some(open.id)).await?;
        let mut phase = order.phase.borrow_mut();
        if !found {
            phase.lost += 1;
        } else if answered {
            phase.answered_at(order.ticket.due);
        } else {
            phase.unanswered.push(order.text.clone());
            // A late answer must not be taken for the answer to the next text.
            self.bot_answers = false;
        }
        Ok(())
    }

    async fn say(&mut self, id: Uuid, text: &str) -> Result<Heard> {
        self.allowance.spend();
        let text = serde_json::to_string(text)?;
        self.socket.send(Message::text(format!("{{\"type\":\"say\",\"id\":\"{id}\",\"text\":{text}}}"))).await?;
        Ok(Heard::Other)
    }

    async fn begin_anew(&mut self) -> Result<()> {
        let hello = json!({ "type": "hello", "site": "default", "token": self.token, "fresh": true });
        self.bot_answers = true;
        self.come_back(&hello, None).await?;
        Ok(())
    }

    /// Comes back after a break; see [`Self::greet`] for what it tells.
    async fn resume(&mut self, looked_for: Option<Uuid>) -> Result<(bool, bool)> {
        let hello =
            json!({ "type": "hello", "site": "default", "token": self.token, "conversation": self.conversation });
        self.come_back(&hello, looked_for).await
    }

    async fn come_back(&mut self, hello: &Value, looked_for: Option<Uuid>) -> Result<(bool, bool)> {
        let mut pause = Duration::from_millis(200);
        let mut attempt = 1;
        loop {
            let outcome = match connect(&self.network, &self.door).await {
                Ok(socket) => {
                    self.socket = socket;
                    self.greet(hello, looked_for).await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if attempt == ATTEMPTS => return Err(error.context("a customer could not come back")),
                Err(_) => tokio::time::sleep(pause).await,
                Ok(found) => return Ok(found),
            }
            attempt += 1;
            pause *= 2;
        }
    }

    /// The next frame, or a sign of life when there was none for a while. Safe to cancel: a ping that
    /// was cut off only follows the next frame.
    async fn hear_or_ping(&mut self) -> Result<Heard> {
        match timeout(PING, self.hear()).await {
            Ok(heard) => heard,
            Err(_) => {
                self.socket.send(Message::text("{\"type\":\"ping\"}")).await?;
                Ok(Heard::Other)
            }
        }
    }

    /// The next frame. Safe to cancel.
    async fn hear(&mut self) -> Result<Heard> {
        loop {
            match self.socket.next().await.context("the socket was closed")?? {
                Message::Text(text) => return self.read(&text),
                Message::Close(frame) => bail!("the server closed the socket: {frame:?}"),
                _ => {}
            }
        }
    }

    fn read(&mut self, text: &str) -> Result<Heard> {
        let frame: Frame<'_> = serde_json::from_str(text).with_context(|| format!("not a frame: {text}"))?;
        Ok(match (frame.what, frame.id, frame.seq) {
            ("ack", Some(id), Some(seq)) => Heard::Ack(id, seq),
            ("event", _, Some(seq)) if seq <= self.seq => Heard::Other,
            ("event", id, Some(seq)) => {
                let whole = seq == self.seq + 1;
                self.seq = seq;
                match (frame.kind, frame.from.map(|from| from.role), id) {
                    _ if !whole => Heard::Gap,
                    (Some("message"), Some("customer"), Some(id)) => Heard::Said(id),
                    (Some("message"), Some("bot"), _) => Heard::Reply(seq),
                    (Some("state"), ..) => Heard::Owner(matches!(frame.state, Some("bot" | "offered"))),
                    _ => Heard::Other,
                }
            }
            ("welcome", ..) => {
                self.token = frame.token.unwrap_or_else(|| std::mem::take(&mut self.token));
                self.conversation = frame.conversation.unwrap_or_default();
                Heard::Other
            }
            ("resumed", ..) => Heard::Resumed,
            ("busy", ..) => Heard::Busy(Duration::from_millis(frame.retry_after_ms.unwrap_or(1_000))),
            ("error", ..) => Heard::Refused(frame.code.unwrap_or("?").to_owned()),
            _ => Heard::Other,
        })
    }
}
