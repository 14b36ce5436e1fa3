//! The server's durable path beside what a WebSocket server does on the same machine if it does nothing
//! at all: echo servers on Node's `ws`, on socket.io and on bare tokio-tungstenite. Everybody gets the
//! same sockets and the same messages, one under way on each.

use crate::outcome::{Outcome, Stage};
use crate::throughput;
use crate::world::{Crew, World};
use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use proving::client::Habits;
use proving::figures::{Latency, Shared, count, real, shared};
use proving::random::Random;
use proving::server::free_address;
use proving::socket::{Door, Tcp, connect};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// Messages that each socket says; the server under test allows a visitor that many at once.
const EACH: usize = 11;
/// Rounds of that, so that the echo servers run long enough to be measured.
const ROUNDS: usize = 10;
const WS: &str = "const {WebSocketServer}=require('ws');const s=new WebSocketServer({host:'127.0.0.1',port:+process.argv[2],perMessageDeflate:false});s.on('connection',c=>c.on('message',m=>c.send(m.toString())));";
const SOCKET_IO: &str = "const {Server}=require('socket.io');const s=new Server({transports:['websocket'],perMessageDeflate:false,cors:{origin:true}});s.on('connection',c=>c.on('say',(m,done)=>done(m)));s.listen(+process.argv[2]);";

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    let sockets = stage.size(200, 2_000);
    let mut outcome = Outcome::default();
    outcome.tell("sockets", sockets);
    let folder = tempfile::Builder::new().prefix("ceiling-").tempdir_in(&stage.folder)?;
    let mut best: f64 = 0.0;
    for name in ["tungstenite", "ws", "socket.io"] {
        let Some((server, address)) = start(name, folder.path())? else {
            outcome.tell(name, "not run: npm has no such package here");
            continue;
        };
        let result = measure(name, address, sockets, stage.random()).await;
        end(server);
        let (rate, latency) = result.with_context(|| format!("the echo server {name}"))?;
        best = best.max(rate);
        outcome.tell(&format!("{name} echoes a second"), rate.round());
        outcome.tell(&format!("{name} echo"), latency.borrow().spread());
    }
    let crew = Crew { customers: sockets, assigned: 0, habits: Habits::default() };
    let mut world = World::open(stage, crew, false, stage.random()).await?;
    world.populate().await?;
    let rate = throughput::peak(&mut world, EACH).await?;
    outcome.tell("candor durable a second, the bot answering", rate.round());
    outcome.tell("share of the best echo", format!("{:.0} %", rate / best.max(1.0) * 100.0));
    world.conclude(stage, "ceiling", &mut outcome).await?;
    Ok(outcome)
}

/// Starts an echo server; nothing if its package cannot be installed.
fn start(name: &str, folder: &Path) -> Result<Option<(Child, SocketAddr)>> {
    let address = free_address()?;
    let mut command = if name == "tungstenite" {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["echo", "--listen", &address.to_string()]);
        command
    } else {
        let npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", name];
        let installed = Command::new("npm").args(npm).current_dir(folder).stdout(Stdio::null()).status();
        if !installed.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let file = folder.join(format!("{name}.js"));
        std::fs::write(&file, if name == "ws" { WS } else { SOCKET_IO })?;
        let mut command = Command::new("node");
        command.arg(file).arg(address.port().to_string()).current_dir(folder);
        command
    };
    Ok(Some((command.stdin(Stdio::null()).spawn()?, address)))
}

fn end(mut server: Child) {
    // It may have ended by itself.
    let _ = server.kill();
    let _ = server.wait();
}

async fn measure(
    name: &str,
    address: SocketAddr,
    sockets: usize,
    mut random: Random,
) -> Result<(f64, Shared<Latency>)> {
    let is_io = name == "socket.io";
    let path = if is_io { "/socket.io/?EIO=4&transport=websocket" } else { "/" };
    let door = Door { path, protocol: None, origin: format!("http://{address}"), cookie: None };
    let network = Tcp::new(&[address]);
    let begin = Instant::now();
    let first = loop {
        match connect(&network, &door).await {
            Ok(socket) => break socket,
            Err(error) if begin.elapsed() > Duration::from_secs(20) => return Err(error),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    let mut all = vec![first];
    while all.len() < sockets {
        all.push(connect(&network, &door).await?);
    }
    if is_io {
        for socket in &mut all {
            socket.send(Message::text("40")).await?;
            while !next(socket).await?.starts_with("40") {}
        }
    }
    let latency = shared(Latency::new());
    let mut speakers = JoinSet::new();
    let begin = Instant::now();
    for mut socket in all {
        let (latency, mut random) = (latency.clone(), random.branch());
        speakers.spawn_local(async move {
            for _ in 0..EACH * ROUNDS {
                let (_, text) = random.text();
                let message = if is_io { format!("420[\"say\",\"{text}\"]") } else { text.clone() };
                let said = Instant::now();
                socket.send(Message::text(message)).await?;
                let back = loop {
                    let back = next(&mut socket).await?;
                    if back == "2" {
                        socket.send(Message::text("3")).await?;
                    } else {
                        break back;
                    }
                };
                ensure!(back.contains(&text), "an echo of something else: {back}");
                latency.borrow_mut().record(said.elapsed());
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(speaker) = speakers.join_next().await {
        speaker??;
    }
    Ok((real(count(sockets * EACH * ROUNDS)) / begin.elapsed().as_secs_f64(), latency))
}

async fn next<S>(socket: &mut tokio_tungstenite::WebSocketStream<S>) -> Result<String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        let message = timeout(Duration::from_secs(30), socket.next()).await.context("no echo")?;
        match message.context("the echo server closed")?? {
            Message::Text(text) => return Ok(text.as_str().to_owned()),
            Message::Close(_) => bail!("the echo server closed"),
            _ => {}
        }
    }
}
