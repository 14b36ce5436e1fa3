//! WebSocket connections to a server, over the machine's network or a simulated one. Knows the
//! handshake, not the frames.

use anyhow::{Context as _, Result};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
const BUFFER: usize = 4 * 1024;
/// Source addresses that sockets are spread over, because one has 28,000 ports.
const SOURCES: usize = 8;

/// Where streams come from.
pub trait Network: Clone + 'static {
    /// A connected stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Opens one.
    fn open(&self) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// This machine's network: one address, or several that are tried in turn.
#[derive(Clone, Debug)]
pub struct Tcp {
    addresses: Rc<[SocketAddr]>,
    opened: Rc<Cell<usize>>,
}

impl Tcp {
    /// Connects to one of `addresses` after the other; there must be one at least.
    pub fn new(addresses: &[SocketAddr]) -> Self {
        Self { addresses: addresses.into(), opened: Rc::new(Cell::new(0)) }
    }

    /// The same addresses with a turn of its own, beginning at number `first`.
    #[must_use]
    pub fn beginning_at(&self, first: usize) -> Self {
        Self { addresses: Rc::clone(&self.addresses), opened: Rc::new(Cell::new(first)) }
    }
}

impl Network for Tcp {
    type Stream = TcpStream;

    async fn open(&self) -> io::Result<TcpStream> {
        let turn = self.opened.get();
        self.opened.set(turn.wrapping_add(1));
        let address = self.addresses.get(turn % self.addresses.len().max(1)).copied();
        let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        let socket = TcpSocket::new_v4()?;
        if address.ip().is_loopback() && self.addresses.len() == 1 {
            // Loopback is all of 127.0.0.0/8. Port 0 is bound late, so ports may repeat over sources.
            let last = u8::try_from(turn % SOURCES).unwrap_or(0) + 1;
            socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0))?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// What a handshake asks for.
#[derive(Clone, Debug)]
pub struct Door {
    /// Path of the socket.
    pub path: &'static str,
    /// Subprotocol, if there is one.
    pub protocol: Option<&'static str>,
    /// The page's origin; its host is the one that is asked for.
    pub origin: String,
    /// The session of a member of staff.
    pub cookie: Option<String>,
}

impl Door {
    /// The customer socket.
    pub fn customer(origin: &str) -> Self {
        Self { path: "/v1/chat", protocol: Some("candor.v1"), origin: origin.to_owned(), cookie: None }
    }

    /// The desk socket of a session.
    pub fn desk(origin: &str, cookie: &str) -> Self {
        let cookie = Some(cookie.to_owned());
        Self { path: "/v1/desk", protocol: Some("candor.desk.v1"), origin: origin.to_owned(), cookie }
    }
}

/// Opens a WebSocket.
///
/// # Errors
/// If there is no connection, or the handshake is refused or takes too long.
pub async fn connect<N: Network>(network: &N, door: &Door) -> Result<WebSocketStream<N::Stream>> {
    let host = door.origin.trim_start_matches("http://");
    let mut request = format!("ws://{host}{}", door.path).into_client_request()?;
    request.headers_mut().insert("origin", door.origin.parse()?);
    if let Some(protocol) = door.protocol {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
    }
    if let Some(cookie) = &door.cookie {
        request.headers_mut().insert("cookie", cookie.parse()?);
    }
    // The library's buffers of 128 KiB a socket would be most of the generator's work.
    let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
    let handshake = async {
        let stream = network.open().await?;
        Ok::<_, anyhow::Error>(client_async_with_config(request, stream, Some(config)).await?.0)
    };
    timeout(HANDSHAKE, handshake).await.context("no handshake")?
}
