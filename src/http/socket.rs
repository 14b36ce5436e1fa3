//! What both sockets share: limits, sending with a deadline, and reading text frames.
//!
//! There is no outgoing queue. A socket's task reads the log and sends it; while the client does
//! not read, the task waits, signals collapse into "look again", and after the deadline the socket
//! is closed as a slow reader. So a slow client costs one small buffer, and resume repairs it.

use super::frame::{Close, ErrorCode, ServerFrame};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error as TransportError;
use uuid::Uuid;

/// Largest frame: a message of 4,000 characters of four bytes, and its envelope.
const MAX_FRAME: usize = 20 * 1024;
/// Read and write buffers; the library's default of 128 KiB a socket would cost gigabytes.
const BUFFER: usize = 4 * 1024;
/// A client that takes nothing for so long is closed.
const SEND_DEADLINE: Duration = Duration::from_secs(10);
/// A client that sends nothing for so long is gone: it should ping every 25 s.
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// How long the first frame may take.
pub(super) const HELLO_DEADLINE: Duration = Duration::from_secs(5);

/// The limits on an upgrade.
pub(super) fn limit(upgrade: WebSocketUpgrade, protocol: &'static str) -> WebSocketUpgrade {
    upgrade
        .protocols([protocol])
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(256 * 1024)
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
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
        self.send(&ServerFrame::Error { id, code, message }).await
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

    /// Says why, if there is a reason, and hangs up.
    pub(super) async fn hang_up(mut self, end: End) {
        let End::Close(close) = end else { return };
        let (code, reason) = close.frame();
        let frame = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        let _ = tokio::time::timeout(Duration::from_secs(1), self.inner.send(frame)).await;
        // Let the client's own close arrive, so that it sees ours and not a reset.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.inner.recv()).await;
    }
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

/// A bucket of permissions to send: `burst` at once, then one per `every`.
#[derive(Debug)]
pub(super) struct Bucket {
    left: f64,
    burst: f64,
    every: Duration,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        Self { left: f64::from(burst), burst: f64::from(burst), every, at: Instant::now() }
    }

    /// Takes one permission if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / self.every.as_secs_f64();
        self.at = now;
        self.left = (self.left + gained).min(self.burst);
        if self.left >= 1.0 {
            self.left -= 1.0;
            true
        } else {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, id_of};
    use std::time::Duration;

    #[test]
    fn a_bucket_fills_with_time() {
        let mut bucket = Bucket::new(2, Duration::from_secs(1));
        let start = bucket.at;
        let mut taken_at = |seconds| (0..5).filter(|_| bucket.take(start + Duration::from_secs(seconds))).count();
        assert_eq!(taken_at(0), 2);
        assert_eq!(taken_at(1), 1);
        assert_eq!(taken_at(100), 2, "it never holds more than its burst");
    }

    #[test]
    fn a_broken_frame_still_says_which_it_was() {
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(id_of(&format!("{{\"type\":\"say\",\"id\":\"{id}\",\"text\":7}}")), Some(id));
        assert_eq!(id_of("not json"), None);
    }
}
