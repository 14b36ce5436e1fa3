//! What both sockets share: limits, sending with a deadline, and reading text frames.
//!
//! There is no outgoing queue. A socket's task reads the log and sends it, one frame at a time; while the
//! client does not read, the task waits, signals collapse into "look again" (those of typing are dropped), and
//! after the deadline the socket is closed as a slow reader. So a slow client costs one page of the log beside
//! the kernel's buffer, which `serve.rs` bounds, and resume repairs it. Nothing is read from a client either while
//! its last frame is being stored or answered: who sends faster than the server stores waits in the network.

use super::frame::{Close, ErrorCode, ServerFrame};
use crate::telemetry;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Error as TransportError;
use uuid::Uuid;

/// Largest frame: a message of 4,000 characters of four bytes, and its envelope.
const MAX_FRAME: usize = 20 * 1024;
/// Read buffer, which every socket holds all the time; the library's default of 128 KiB would cost gigabytes. Most
/// frames are smaller, and it grows for those that are not.
const READ_BUFFER: usize = 1024;
/// Largest frame to a customer, far above an event's size. It is no buffer that is held: each frame is flushed.
pub(super) const CUSTOMER_FRAME: usize = 256 * 1024;
/// The same for a desk, whose snapshot has up to 1,000 cards.
pub(super) const DESK_FRAME: usize = 4 * 1024 * 1024;
/// A client that takes nothing for so long is closed.
const SEND_DEADLINE: Duration = Duration::from_secs(10);
/// A client that sends nothing for so long is gone: it pings every 25 s, and two pings did not come. No less, because
/// browsers let the timers of a hidden page run only once a minute.
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// A client that says it lacks an event which was sent at least so long ago has not got it; until then it may be on
/// its way.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// Clients come back after a restart within this time, spread evenly, and within less where they are few.
const MOST_SPREAD: Duration = Duration::from_secs(10);
const LEAST_SPREAD: Duration = Duration::from_secs(1);
const SPREAD_EACH: Duration = Duration::from_millis(1);
/// Clients who could not be let in try again after so long, and up to so much later.
const LEAST_PAUSE: Duration = Duration::from_secs(2);
const PAUSE_SPREAD: Duration = Duration::from_secs(8);
/// How long a goodbye may take; a stop waits for it.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long the first frame may take.
pub(super) const HELLO_DEADLINE: Duration = Duration::from_secs(5);

/// The limits on an upgrade.
pub(super) fn limit(upgrade: WebSocketUpgrade, protocol: &'static str, largest: usize) -> WebSocketUpgrade {
    upgrade
        .protocols([protocol])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(largest)
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
}

/// Counts an open socket until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(&'static str);

impl Counted {
    /// `kind` is `customer` or `desk`.
    pub(super) fn new(kind: &'static str) -> Self {
        metrics::gauge!(telemetry::SOCKETS, "kind" => kind).increment(1);
        Self(kind)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(telemetry::SOCKETS, "kind" => self.0).decrement(1);
    }
}

/// Why a socket's task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client is gone, or broke the transport's rules.
    Gone,
    /// We close, saying why.
    Close(Close),
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

/// One client's socket.
#[derive(Debug)]
pub(super) struct Socket {
    inner: WebSocket,
}

impl Socket {
    pub(super) fn new(inner: WebSocket) -> Self {
        Self { inner }
    }

    /// Sends one frame, or ends the socket if the client does not take it.
    pub(super) async fn send(&mut self, frame: &impl Serialize) -> Result<(), End> {
        let Ok(text) = serde_json::to_string(frame) else { return Ok(()) };
        self.send_message(Message::Text(Utf8Bytes::from(text))).await
    }

    pub(super) async fn send_error(&mut self, id: Option<Uuid>, code: ErrorCode, message: &str) -> Result<(), End> {
        self.send(&ServerFrame::Error { id, code, message, retry_after_ms: None }).await
    }

    /// Refuses a frame that is one too many, and says when there is room for it.
    pub(super) async fn send_limited(&mut self, id: Option<Uuid>, wait: Duration, message: &str) -> Result<(), End> {
        let retry_after_ms = Some(milliseconds(wait).max(1));
        self.send(&ServerFrame::Error { id, code: ErrorCode::RateLimited, message, retry_after_ms }).await
    }

    async fn send_message(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(SEND_DEADLINE, self.inner.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(Close::SlowReader.into()),
        }
    }

    /// The next text frame. Pings are answered by the library. Safe to cancel.
    pub(super) async fn receive(&mut self) -> Result<Utf8Bytes, End> {
        loop {
            match self.inner.recv().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Binary(_))) => return Err(Close::NotText.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Err(End::Gone),
                Some(Err(error)) => return Err(broken(error)),
            }
        }
    }

    /// Says why, if there is a reason, and hangs up. The socket is one of `open`, which is how many will come back
    /// after a restart.
    pub(super) async fn hang_up(mut self, end: End, open: usize) {
        let End::Close(close) = end else { return };
        let goodbye = async {
            if close == Close::Restarting {
                let retry_after_ms = milliseconds(come_back_after(open));
                self.send(&ServerFrame::Restarting { retry_after_ms }).await.ok()?;
            }
            let (code, reason) = close.frame();
            let frame = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
            self.inner.send(frame).await.ok()?;
            // Let the client's own close arrive, so that it sees ours and not a reset.
            self.inner.recv().await
        };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }
}

/// When one of `open` clients comes back after a restart: at a random moment, so that they do not come at once.
fn come_back_after(open: usize) -> Duration {
    let spread = SPREAD_EACH * u32::try_from(open).unwrap_or(u32::MAX);
    random_within(spread.clamp(LEAST_SPREAD, MOST_SPREAD))
}

/// When a client whose conversation could not be opened tries again, in milliseconds: not when all others do.
pub(super) fn try_again_after() -> u64 {
    milliseconds(LEAST_PAUSE + random_within(PAUSE_SPREAD))
}

fn random_within(spread: Duration) -> Duration {
    let mut random = [0; 4];
    // Without randomness they come at once, which back-off survives.
    let _ = getrandom::fill(&mut random);
    spread.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}

/// Whole milliseconds, as frames tell times.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a transport error deserves: the client is told if it broke a rule, else it is gone.
fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<TransportError>() {
        Some(TransportError::Capacity(_)) => Close::TooLarge.into(),
        Some(TransportError::Utf8(_)) => Close::NotUtf8.into(),
        _ => End::Gone,
    }
}

/// Reads a frame. The error says what is wrong in words for a developer.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// The `id` of a frame that could not be read as a whole, so that its sender knows which it was.
pub(super) fn id_of(text: &str) -> Option<Uuid> {
    #[derive(serde::Deserialize)]
    struct Only {
        id: Uuid,
    }
    serde_json::from_str::<Only>(text).ok().map(|only| only.id)
}

#[cfg(test)]
mod tests {
    use super::{come_back_after, id_of};

    #[test]
    fn a_broken_frame_still_says_which_it_was() {
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(id_of(&format!("{{\"type\":\"say\",\"id\":\"{id}\",\"text\":7}}")), Some(id));
        assert_eq!(id_of("not json"), None);
    }
    #[test]
    fn clients_come_back_spread_over_a_time_that_grows_with_them() {
        for (open, most) in [(0, 1_000), (3_000, 3_000), (50_000, 10_000)] {
            let times: Vec<u128> = (0..200).map(|_| come_back_after(open).as_millis()).collect();
            assert!(times.iter().all(|time| *time <= most), "{open}: {times:?}");
            let late = times.iter().filter(|time| **time > most / 2).count();
            assert!((50..150).contains(&late), "{open}: {late} of 200 in the second half");
        }
    }
}
