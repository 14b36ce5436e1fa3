//! Three servers on one PostgreSQL, with hints over NATS, each behind proxies of its own to both: nodes
//! that die and pause, a database that restarts, partitions, and a bus that loses what it carries.

use crate::outcome::{Outcome, Stage};
use crate::world::{Crew, FLAGS, World};
use anyhow::{Context as _, Result, bail, ensure};
use proving::client::{Habits, Probe};
use proving::figures::count;
use proving::proxy::Proxy;
use proving::random::Random;
use proving::server::{Launch, Server, free_address, has_option};
use proving::socket::Tcp;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

const NODES: usize = 3;
/// Messages a second: less than the server allows so many sockets, as in `reconnect`.
const RATE: f64 = 45.0;
/// Milliseconds until the other side has a message while nothing is broken, 99 of 100: the long form's bar.
const SEEN: f64 = 150.0;
const ORIGIN: &str = "http://proving.example";
const START: Duration = Duration::from_secs(30);
const CREW: Crew =
    Crew { customers: 90, assigned: 40, habits: Habits { ping: Duration::from_secs(1), pauses: PAUSES } };
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is done to the machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillNode,
    PauseNode,
    RestartDatabase,
    CutDatabase,
    PartitionDatabase,
    PartitionBus,
    LoseSomeHints,
    LoseAllHints,
}

const FAULTS: [Fault; 8] = [
    Fault::KillNode,
    Fault::PauseNode,
    Fault::RestartDatabase,
    Fault::CutDatabase,
    Fault::PartitionDatabase,
    Fault::PartitionBus,
    Fault::LoseSomeHints,
    Fault::LoseAllHints,
];

pub(crate) async fn run(stage: &Stage) -> Result<Outcome> {
    if !has_option(&stage.program, "--bus")? {
        return Ok(Outcome::not_run("this server has no --bus, so it has one node"));
    }
    let (Some(database), Some(bus)) = (find("initdb"), find("nats-server")) else {
        return Ok(Outcome::not_run("PostgreSQL or nats-server is not installed"));
    };
    let rounds = stage.size(FAULTS.len(), 300);
    let mut outcome = Outcome::default();
    let mut random = stage.random();
    let mut cluster = Cluster::start(stage, &database, &bus, random.branch()).await?;
    let mut world = cluster.world(stage, random.branch()).await?;
    world.populate().await?;
    // Before anything breaks: what a message takes from one node to another.
    world.load(RATE, Duration::from_secs(1)).await;
    let settled = world.settle().await.is_some();
    outcome.require(settled, || world.unsettled());
    *world.probe.borrow_mut() = Probe::default();
    world.load(RATE, Duration::from_secs(if stage.long { 60 } else { 3 })).await;
    let settled = world.settle().await.is_some();
    outcome.require(settled, || world.unsettled());
    tell_times(&world, &mut outcome, "calm: ", stage.long);
    *world.probe.borrow_mut() = Probe::default();
    let mut done = 0;
    let mut slowest: BTreeMap<String, f64> = BTreeMap::new();
    for round in 0..rounds {
        // Each kind once, then as it comes.
        let fault = FAULTS.get(round).copied().unwrap_or(FAULTS[random.below(FAULTS.len())]);
        let node = random.below(NODES);
        world.load(RATE, Duration::from_millis(300)).await;
        cluster.begin(fault, node)?;
        world.load(RATE, Duration::from_millis(500 + count(random.below(3_500)))).await;
        // Without a single hint everybody must have everything all the same.
        let settled_blind = if fault == Fault::LoseAllHints { world.settle().await } else { Some(Duration::ZERO) };
        cluster.end(fault, node).await?;
        let settled = world.settle().await;
        if settled_blind.is_none() || settled.is_none() {
            outcome.broken.push(format!("round {round}, {fault:?} of node {node}: {}", world.unsettled()));
            break;
        }
        let took = settled_blind.max(settled).unwrap_or_default().as_secs_f64();
        let slow = slowest.entry(format!("{fault:?}")).or_default();
        *slow = slow.max((took * 10.0).round() / 10.0);
        done = round + 1;
        if stage.long && round % 20 == 19 {
            eprintln!("nodes: {} of {rounds} faults", round + 1);
        }
    }
    world.conclude(stage, "nodes", &mut outcome).await?;
    outcome.tell("faults", done);
    outcome.tell("slowest convergence in s", format!("{slowest:?}"));
    tell_times(&world, &mut outcome, "", false);
    Ok(outcome)
}

/// Tells the times to the ack and to the other side, which is mostly on another node.
fn tell_times(world: &World, outcome: &mut Outcome, when: &str, judge: bool) {
    let probe = world.probe.borrow();
    let (to_desk, to_customer) = (probe.to_desk.spread(), probe.to_customer.spread());
    outcome.tell(&format!("{when}ack"), probe.ack.spread());
    outcome.tell(&format!("{when}customer to desk"), to_desk);
    outcome.tell(&format!("{when}desk to customer"), to_customer);
    let seen = to_desk.p99.max(to_customer.p99);
    outcome.require(!judge || seen <= SEEN, || format!("the other side has it after {seen} ms (p99)"));
}

/// The path of a program: on PATH, or where Debian keeps PostgreSQL's.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.filter_map(|version| Some(version.ok()?.path().join("bin"))));
    }
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.exists())?.canonicalize().ok()
}

/// A child process, ended when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The machines.
struct Cluster {
    nodes: Vec<Option<Server>>,
    launches: Vec<Launch>,
    to_database: Vec<Proxy>,
    to_bus: Vec<Proxy>,
    database: Database,
    _bus: Process,
    _folders: Vec<TempDir>,
}

impl Cluster {
    async fn start(stage: &Stage, initdb: &Path, nats: &Path, mut random: Random) -> Result<Self> {
        let database = Database::start(initdb).await?;
        let bus = free_address()?;
        let child = Command::new(nats)
            .args(["--addr", "127.0.0.1", "--port", &bus.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let child = Process(child);
        listening(bus).await?;
        let mut cluster = Self {
            nodes: Vec::new(),
            launches: Vec::new(),
            to_database: Vec::new(),
            to_bus: Vec::new(),
            database,
            _bus: child,
            _folders: Vec::new(),
        };
        for _ in 0..NODES {
            let folder = tempfile::Builder::new().prefix("node-").tempdir_in(&stage.folder)?;
            let to_database = Proxy::start(cluster.database.address, random.branch()).await?;
            let to_bus = Proxy::start_bus(bus, random.branch()).await?;
            let hints = format!("nats://{}", to_bus.address());
            let mut launch = Launch::new(&stage.program, folder.path())?.with(&FLAGS).with(&[
                "--public-url",
                ORIGIN,
                "--bus",
                &hints,
            ]);
            launch.origin = ORIGIN.to_owned();
            launch.database = format!("postgres://candor@{}/postgres", to_database.address());
            cluster.nodes.push(Some(launch.start().await?));
            cluster.launches.push(launch);
            cluster.to_database.push(to_database);
            cluster.to_bus.push(to_bus);
            cluster._folders.push(folder);
        }
        Ok(cluster)
    }

    /// Customers and desks that go from node to node.
    async fn world(&self, stage: &Stage, random: Random) -> Result<World> {
        let first = self.launches.first().context("no node")?.clone();
        let cookies = vec![first.staff("Dana").await?, first.staff("Erin").await?];
        let addresses: Vec<SocketAddr> = self.launches.iter().map(|launch| launch.address).collect();
        World::of_servers(stage, CREW, first, Tcp::new(&addresses), cookies, random)
    }

    fn begin(&mut self, fault: Fault, node: usize) -> Result<()> {
        match fault {
            Fault::KillNode => {
                let server = self.nodes.get_mut(node).and_then(Option::take);
                server.context("no such node")?.kill()?;
            }
            Fault::PauseNode => self.node(node)?.pause()?,
            Fault::RestartDatabase => self.database.end(),
            Fault::CutDatabase => self.to_database.iter().for_each(Proxy::cut),
            Fault::PartitionDatabase => self.to_database.get(node).context("no such node")?.close(true),
            Fault::PartitionBus => self.to_bus.get(node).context("no such node")?.close(true),
            Fault::LoseSomeHints => self.to_bus.iter().for_each(|proxy| proxy.lose(0.3)),
            Fault::LoseAllHints => self.to_bus.iter().for_each(|proxy| proxy.lose(1.0)),
        }
        Ok(())
    }

    async fn end(&mut self, fault: Fault, node: usize) -> Result<()> {
        match fault {
            Fault::KillNode => {
                let server = self.launches.get(node).context("no such node")?.start().await?;
                *self.nodes.get_mut(node).context("no such node")? = Some(server);
            }
            Fault::PauseNode => self.node(node)?.wake()?,
            Fault::RestartDatabase => self.database.begin().await?,
            Fault::CutDatabase => {}
            Fault::PartitionDatabase => self.to_database.get(node).context("no such node")?.close(false),
            Fault::PartitionBus => self.to_bus.get(node).context("no such node")?.close(false),
            Fault::LoseSomeHints | Fault::LoseAllHints => self.to_bus.iter().for_each(|proxy| proxy.lose(0.0)),
        }
        Ok(())
    }

    fn node(&self, node: usize) -> Result<&Server> {
        self.nodes.get(node).and_then(Option::as_ref).context("no such node")
    }
}

async fn listening(address: SocketAddr) -> Result<()> {
    let begin = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        ensure!(begin.elapsed() < START, "nobody listens on {address}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A PostgreSQL of its own, with its defaults: every commit is synced.
struct Database {
    folder: TempDir,
    programs: PathBuf,
    owner: (u32, u32),
    address: SocketAddr,
    process: Option<Process>,
}

impl Database {
    async fn start(initdb: &Path) -> Result<Self> {
        // It refuses root, and must reach its folder as somebody else.
        let folder = tempfile::Builder::new().prefix("proving-").tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let own = std::fs::metadata(folder.path())?;
        let owner =
            if own.uid() == 0 { account("postgres").or(account("nobody")) } else { Some((own.uid(), own.gid())) };
        let owner = owner.context("no account that PostgreSQL could run under")?;
        chown(&data, Some(owner.0), Some(owner.1))?;
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700))?;
        let output = Self::run(&initdb.to_path_buf(), owner, folder.path())
            .args(["-U", "candor", "--auth=trust", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data)
            .output()?;
        ensure!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let programs = initdb.parent().context("no folder")?.to_owned();
        let mut database = Self { folder, programs, owner, address: free_address()?, process: None };
        database.begin().await?;
        Ok(database)
    }

    fn run(program: &PathBuf, owner: (u32, u32), folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        let own = std::fs::metadata("/proc/self").map(|own| own.uid());
        if own.is_ok_and(|own| own == 0) {
            command.uid(owner.0).gid(owner.1);
        }
        command
    }

    async fn begin(&mut self) -> Result<()> {
        let log = self.folder.path().join("postgres.log");
        let ready = || std::fs::read_to_string(&log).unwrap_or_default().matches("ready to accept connections").count();
        let before = ready();
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        let child = Self::run(&self.programs.join("postgres"), self.owner, self.folder.path())
            .args([
                "-h",
                "127.0.0.1",
                "-k",
                "",
                "-c",
                "max_connections=200",
                "-p",
                &self.address.port().to_string(),
                "-D",
            ])
            .arg(self.folder.path().join("data"))
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()?;
        let mut process = Process(child);
        let begin = Instant::now();
        while ready() == before {
            if process.0.try_wait()?.is_some() || begin.elapsed() > START {
                bail!("PostgreSQL does not start: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Ends it as a crash does: what it had not synced is its own business.
    fn end(&mut self) {
        if let Some(process) = self.process.take() {
            // SIGQUIT, its "immediate" shutdown, takes its own children along; SIGKILL would not.
            let _ = proving::process::signal(process.0.id(), rustix::process::Signal::QUIT);
            let mut process = process;
            let begin = std::time::Instant::now();
            while matches!(process.0.try_wait(), Ok(None)) && begin.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.end();
    }
}

/// User and group of an account.
fn account(name: &str) -> Option<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Database, find, listening};

    #[tokio::test]
    async fn a_database_of_its_own_comes_back_after_a_crash() {
        let Some(initdb) = find("initdb") else {
            eprintln!("not run: PostgreSQL is not installed");
            return;
        };
        let mut database = Database::start(&initdb).await.expect("it starts");
        database.end();
        assert!(tokio::net::TcpStream::connect(database.address).await.is_err(), "it ended");
        database.begin().await.expect("it starts again");
        listening(database.address).await.expect("it listens");
    }
}
