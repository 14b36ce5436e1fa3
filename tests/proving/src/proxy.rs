//! A TCP proxy that breaks connections: delays, cuts, half-open lines, bytes that trickle, and messages
//! of a bus that get lost. What it does follows from a seed. Knows bytes, and of NATS the one frame
//! that carries a message.

use crate::random::Random;
use anyhow::Result;
use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// A line that trickles is a sound one after so many bytes: otherwise its fault would never end.
const TRICKLE_AT_MOST: u64 = 4_000;
/// A half-open line is cut at last, so that a long campaign does not run out of files.
const HALF_OPEN_AT_MOST: Duration = Duration::from_secs(30);

/// What happens to one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every piece is late.
    Delay(Duration),
    /// Both ends lose the connection after so many bytes: with a reset, or properly closed.
    Cut {
        /// Bytes of both directions.
        after: u64,
        /// RST instead of FIN.
        reset: bool,
    },
    /// Nothing is forwarded any more after so many bytes, and nobody is told.
    HalfOpen {
        /// Bytes of both directions.
        after: u64,
        /// From the client to the server.
        up: bool,
        /// From the server to the client.
        down: bool,
    },
    /// A few bytes at a time.
    Trickle {
        /// Bytes at a time.
        bytes: usize,
        /// Between them.
        pause: Duration,
    },
}

impl Fault {
    /// One of all kinds that end a connection sooner or later, or make it slow.
    pub fn any(random: &mut Random) -> Self {
        // A welcome and a short log are about 2 KiB, so cuts fall into handshakes, logs and quiet times.
        let after = crate::figures::count(random.below(6_000));
        match random.below(8) {
            0 => Self::Cut { after, reset: true },
            1 => Self::Cut { after, reset: false },
            2 => Self::HalfOpen { after, up: true, down: true },
            3 => Self::HalfOpen { after, up: true, down: false },
            4 => Self::HalfOpen { after, up: false, down: true },
            5 => Self::Delay(Duration::from_millis(crate::figures::count(random.below(80)))),
            6 => Self::Trickle { bytes: 1 + random.below(40), pause: Duration::from_millis(1) },
            _ => Self::Cut { after: after / 8, reset: random.chance(0.5) },
        }
    }
}

/// What happens to all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gate {
    /// Nothing passes, and new connections hang.
    closed: bool,
    /// Raised to cut all that are there.
    cuts: u64,
}

/// A running proxy. It ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    gate: watch::Sender<Gate>,
    shares: Rc<Shares>,
    accepting: JoinHandle<()>,
}

/// What the proxy's tasks share.
#[derive(Debug)]
struct Shares {
    target: Cell<SocketAddr>,
    random: RefCell<Random>,
    script: Cell<fn(&mut Random) -> Fault>,
    /// Share of a bus's messages that get lost.
    loss: Cell<f64>,
    is_bus: bool,
    accepted: Cell<u64>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.gate.send_modify(|gate| gate.cuts += 1);
    }
}

impl Proxy {
    /// Listens on a free port and forwards to `target`; at first nothing breaks.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(target: SocketAddr, random: Random) -> Result<Self> {
        Self::begin(target, random, false).await
    }

    /// In front of a NATS server: can lose messages as well.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start_bus(target: SocketAddr, random: Random) -> Result<Self> {
        Self::begin(target, random, true).await
    }

    async fn begin(target: SocketAddr, random: Random, is_bus: bool) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let gate = watch::Sender::new(Gate::default());
        let shares = Rc::new(Shares {
            target: Cell::new(target),
            random: RefCell::new(random),
            script: Cell::new(|_| Fault::None),
            loss: Cell::new(0.0),
            is_bus,
            accepted: Cell::new(0),
        });
        let accepting = tokio::task::spawn_local(accept(listener, gate.clone(), Rc::clone(&shares)));
        Ok(Self { address, gate, shares, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it took so far.
    pub fn accepted(&self) -> u64 {
        self.shares.accepted.get()
    }

    /// New connections get their fault from `script`.
    pub fn break_by(&self, script: fn(&mut Random) -> Fault) {
        self.shares.script.set(script);
    }

    /// Lets nothing pass, or everything again: a partition.
    pub fn close(&self, closed: bool) {
        self.gate.send_modify(|gate| gate.closed = closed);
    }

    /// Cuts every connection that is there.
    pub fn cut(&self) {
        self.gate.send_modify(|gate| gate.cuts += 1);
    }

    /// Loses this share of a bus's messages.
    pub fn lose(&self, share: f64) {
        self.shares.loss.set(share);
    }
}

async fn accept(listener: TcpListener, gate: watch::Sender<Gate>, shares: Rc<Shares>) {
    while let Ok((client, _)) = listener.accept().await {
        shares.accepted.set(shares.accepted.get() + 1);
        let (fault, random) = {
            let mut random = shares.random.borrow_mut();
            (shares.script.get()(&mut random), random.branch())
        };
        let (gate, shares) = (gate.subscribe(), Rc::clone(&shares));
        // A connection's task ends with its ends, or with the proxy's gate.
        drop(tokio::task::spawn_local(carry(client, fault, gate, shares, random)));
    }
}

async fn carry(
    mut client: TcpStream,
    fault: Fault,
    mut gate: watch::Receiver<Gate>,
    shares: Rc<Shares>,
    random: Random,
) {
    let cuts = gate.borrow().cuts;
    if gate.wait_for(|gate| !gate.closed || gate.cuts != cuts).await.is_err() || gate.borrow().cuts != cuts {
        return;
    }
    let Ok(mut server) = TcpStream::connect(shares.target.get()).await else { return };
    // Nagle's waiting would be a delay of its own. If the option is refused, that is one.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let reset = matches!(fault, Fault::Cut { reset: true, .. });
    if reset {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
    // Borrowed halves: owned ones would end the line properly when they are dropped.
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let carried = Rc::new(Cell::new(0));
    let filter = shares.is_bus.then(|| BusFilter::new(Rc::clone(&shares), random));
    let up = Pump { fault, up: true, gate: gate.clone(), carried: Rc::clone(&carried), filter };
    let down = Pump { fault, up: false, gate: gate.clone(), carried, filter: None };
    tokio::select! {
        () = up.run(from_client, to_server) => {}
        () = down.run(from_server, to_client) => {}
        _ = gate.wait_for(|gate| gate.cuts != cuts) => {}
    }
    if !reset {
        // Closed with something unread, a line is reset. Ends that are gone already want no goodbye.
        let goodbye = async {
            let _ = (client.shutdown().await, server.shutdown().await);
            let (mut of_client, mut of_server) = (tokio::io::sink(), tokio::io::sink());
            let _ = tokio::join!(
                tokio::io::copy(&mut client, &mut of_client),
                tokio::io::copy(&mut server, &mut of_server)
            );
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
}

struct Pump {
    fault: Fault,
    up: bool,
    gate: watch::Receiver<Gate>,
    carried: Rc<Cell<u64>>,
    filter: Option<BusFilter>,
}

impl Pump {
    /// Forwards until the connection is to end.
    async fn run(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let most = match self.fault {
                Fault::Trickle { bytes, .. } if self.carried.get() < TRICKLE_AT_MOST => bytes.clamp(1, buffer.len()),
                // So that the cut falls on its byte.
                Fault::Cut { .. } | Fault::HalfOpen { .. } => 64,
                Fault::None | Fault::Delay(_) | Fault::Trickle { .. } => buffer.len(),
            };
            let Some(room) = buffer.get_mut(..most) else { return };
            let Ok(length @ 1..) = from.read(room).await else { return };
            if self.gate.wait_for(|gate| !gate.closed).await.is_err() {
                return;
            }
            let carried = self.carried.get() + crate::figures::count(length);
            self.carried.set(carried);
            match self.fault {
                Fault::Cut { after, .. } if carried > after => return,
                Fault::HalfOpen { after, up, down } if carried > after && (if self.up { up } else { down }) => {
                    sleep(HALF_OPEN_AT_MOST).await;
                    return;
                }
                Fault::Delay(pause) => sleep(pause).await,
                Fault::Trickle { pause, .. } if carried < TRICKLE_AT_MOST => sleep(pause).await,
                _ => {}
            }
            let Some(piece) = buffer.get(..length) else { return };
            let sent = match &mut self.filter {
                None => to.write_all(piece).await,
                Some(filter) => to.write_all(&filter.pass(piece)).await,
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

/// Loses messages that a client publishes to NATS, and nothing else.
struct BusFilter {
    shares: Rc<Shares>,
    random: Random,
    buffer: Vec<u8>,
}

impl BusFilter {
    fn new(shares: Rc<Shares>, random: Random) -> Self {
        Self { shares, random, buffer: Vec::new() }
    }

    /// What of `piece`, and of what waited for its end, is to be forwarded.
    fn pass(&mut self, piece: &[u8]) -> Vec<u8> {
        self.buffer.extend_from_slice(piece);
        let mut passed = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n").map(|at| at + 2) {
            let line = String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default()).into_owned();
            let mut words = line.split_whitespace();
            let publishes = words.next().is_some_and(|word| word == "PUB" || word == "HPUB");
            let size = words.next_back().and_then(|size| size.parse::<usize>().ok()).filter(|_| publishes);
            let length = end + size.map_or(0, |size| size + 2);
            if self.buffer.len() < length {
                break;
            }
            let frame: Vec<u8> = self.buffer.drain(..length).collect();
            if size.is_none() || !self.random.chance(self.shares.loss.get()) {
                passed.extend(frame);
            }
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::{BusFilter, Fault, Proxy, Shares};
    use crate::random::Random;
    use std::cell::{Cell, RefCell};
    use std::net::Ipv4Addr;
    use std::rc::Rc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::LocalSet;

    /// An echo behind a proxy with this fault: what comes back of 1,000 bytes within half a second.
    async fn echo(script: fn(&mut Random) -> Fault) -> Result<usize, std::io::ErrorKind> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let target = listener.local_addr().expect("an address");
        tokio::task::spawn_local(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (mut from, mut to) = stream.into_split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
        let proxy = Proxy::start(target, Random::new(1)).await.expect("a proxy");
        proxy.break_by(script);
        let mut stream = TcpStream::connect(proxy.address()).await.expect("connected");
        stream.write_all(&[1; 1_000]).await.expect("sent");
        let mut back = 0;
        let mut buffer = [0; 100];
        while back < 1_000 {
            match tokio::time::timeout(Duration::from_millis(500), stream.read(&mut buffer)).await {
                Err(_) | Ok(Ok(0)) => break,
                Ok(Ok(length)) => back += length,
                Ok(Err(error)) => return Err(error.kind()),
            }
        }
        Ok(back)
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says() {
        LocalSet::new()
            .run_until(async {
                assert_eq!(echo(|_| Fault::None).await, Ok(1_000));
                assert_eq!(echo(|_| Fault::Delay(Duration::from_millis(5))).await, Ok(1_000));
                let trickle = echo(|_| Fault::Trickle { bytes: 10, pause: Duration::from_micros(100) }).await;
                assert_eq!(trickle, Ok(1_000));
                assert_eq!(
                    echo(|_| Fault::Cut { after: 600, reset: true }).await,
                    Err(std::io::ErrorKind::ConnectionReset)
                );
                assert!(echo(|_| Fault::Cut { after: 600, reset: false }).await.is_ok_and(|back| back < 1_000));
                let half = echo(|_| Fault::HalfOpen { after: 0, up: false, down: true }).await;
                assert_eq!(half, Ok(0));
            })
            .await;
    }

    #[test]
    fn only_messages_get_lost_on_a_bus() {
        let shares = Shares {
            target: Cell::new(([127, 0, 0, 1], 1).into()),
            random: RefCell::new(Random::new(1)),
            script: Cell::new(|_| Fault::None),
            loss: Cell::new(1.0),
            is_bus: true,
            accepted: Cell::new(0),
        };
        let shares = Rc::new(shares);
        let mut filter = BusFilter::new(Rc::clone(&shares), Random::new(2));
        let stream = b"CONNECT {}\r\nSUB a 1\r\nPUB a 5\r\nhe\r\no\r\nPING\r\nHPUB a b 3 6\r\nabcdef\r\nPONG\r\n";
        let passed: Vec<u8> = stream.chunks(3).flat_map(|piece| filter.pass(piece)).collect();
        assert_eq!(passed, b"CONNECT {}\r\nSUB a 1\r\nPING\r\nPONG\r\n");
        shares.loss.set(0.0);
        assert_eq!(filter.pass(b"PUB a 1\r\nx\r\n"), b"PUB a 1\r\nx\r\n");
    }
}
