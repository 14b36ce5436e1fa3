//! A server, its customers and two people at desks: what the campaigns about messages have in common.
//! Knows how such a world is set up, kept busy and judged; not what breaks in it.

use crate::outcome::{Outcome, Stage};
use anyhow::{Context as _, Result, ensure};
use proving::checker::{Verdict, check};
use proving::client::customer::Customer;
use proving::client::desk::Desk;
use proving::client::{Client, Habits, Probe, Task};
use proving::disk::Disk;
use proving::figures::{Shared, shared};
use proving::history::{Op, Recorder, save};
use proving::load::Arrivals;
use proving::process::monotonic_us;
use proving::random::Random;
use proving::server::{Launch, Server};
use proving::socket::{Door, Tcp};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

/// Longest wait for everybody to be there.
const ARRIVAL: Duration = Duration::from_secs(60);
/// Every client has the whole log so long after the last fault. The short form runs beside other
/// work, so it has patience.
const CONVERGENCE: Duration = Duration::from_secs(10);
const PATIENCE: u32 = 4;
/// Clients that connect at a time, so that the server's queue of connections does not overflow.
const AT_A_TIME: usize = 64;
/// Messages of one client that wait: beyond it the server's limit would be all that is measured.
const WAITING_AT_MOST: usize = 11;
/// Share of the load that people at desks say.
const DESK_SHARE: f64 = 0.02;
/// What every campaign's server is started with. Storing is what is proved, not reading: the rules
/// read, which costs little beside the disk.
pub(crate) const FLAGS: [&str; 5] = ["--no-demo", "--sockets", "20000", "--models", "/nonexistent"];
/// The same with the model that is served, which is loaded from the folder where the campaign runs.
pub(crate) const FLAGS_WITH_MODEL: [&str; 3] = ["--no-demo", "--sockets", "20000"];

/// Who is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crew {
    /// Customers.
    pub(crate) customers: usize,
    /// Of these, the ones that a person takes over, where the bot is silent.
    pub(crate) assigned: usize,
    /// How all of them behave.
    pub(crate) habits: Habits,
}

/// The world.
pub(crate) struct World {
    /// How its server is started.
    pub(crate) launch: Launch,
    /// The server, while it runs.
    pub(crate) server: Option<Server>,
    /// What everybody records.
    pub(crate) recorder: Recorder,
    /// Latencies.
    pub(crate) probe: Shared<Probe>,
    /// What is random.
    pub(crate) random: Random,
    /// The customers.
    pub(crate) customers: Vec<Client<Customer>>,
    /// The people.
    pub(crate) desks: Vec<Client<Desk>>,
    /// The disk that can be cut off, if there is one.
    pub(crate) disk: Option<Disk>,
    /// How clients reach the server.
    pub(crate) network: Tcp,
    /// Sessions of the two people.
    pub(crate) cookies: Vec<String>,
    crew: Crew,
    convergence: Duration,
    // Last, so that the server is gone when its folder goes.
    folder: TempDir,
}

impl World {
    /// A server with two accounts, on a disk that can be cut off if `shim` is set. Nobody is there yet.
    pub(crate) async fn open(stage: &Stage, crew: Crew, shim: bool, random: Random) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("world-").tempdir_in(&stage.folder)?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let mut launch = Launch::new(&stage.program, folder.path())?.with(&FLAGS);
        launch.database = data.join("candor.db").display().to_string();
        let server = launch.start().await?;
        let cookies = vec![launch.staff("Dana").await?, launch.staff("Erin").await?];
        let mut server = Some(server);
        let mut disk = None;
        if shim {
            // Accounts are made by another process, whose writes the shim would not see.
            server.take().context("no server")?.stop().await?;
            let mut with_shim = Disk::new(&data, folder.path())?;
            with_shim.settle()?;
            launch.environment = with_shim.environment();
            disk = Some(with_shim);
        }
        let network = Tcp::new(&[launch.address]);
        let mut world = Self { server, disk, ..Self::around(stage, crew, launch, network, cookies, random, folder) };
        if world.server.is_none() {
            world.start().await?;
        }
        Ok(world)
    }

    /// A world around servers that somebody else has started. `launch` is one of them.
    pub(crate) fn of_servers(
        stage: &Stage,
        crew: Crew,
        launch: Launch,
        network: Tcp,
        cookies: Vec<String>,
        random: Random,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("world-").tempdir_in(&stage.folder)?;
        Ok(Self::around(stage, crew, launch, network, cookies, random, folder))
    }

    fn around(
        stage: &Stage,
        crew: Crew,
        launch: Launch,
        network: Tcp,
        cookies: Vec<String>,
        random: Random,
        folder: TempDir,
    ) -> Self {
        Self {
            launch,
            server: None,
            recorder: Recorder::new(monotonic_us),
            probe: shared(Probe::default()),
            random,
            customers: Vec::new(),
            desks: Vec::new(),
            disk: None,
            network,
            cookies,
            crew,
            convergence: CONVERGENCE * if stage.long { 1 } else { PATIENCE },
            folder,
        }
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server, which must not run.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.server = Some(self.launch.start().await?);
        Ok(())
    }

    /// Kills the server while it changes its files, if it does so soon.
    pub(crate) async fn kill_in_a_write(&mut self) -> Result<()> {
        let disk = self.disk.as_ref().context("no disk")?;
        let target = disk.changed()? + u64::try_from(self.random.below(40_000))?;
        let deadline = Instant::now() + Duration::from_millis(150);
        // A sleep would miss it: a commit takes less than a millisecond.
        while disk.changed()? <= target && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        self.kill()
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.server.take().context("no server")?.kill()
    }

    /// Brings everybody in. Both people want each conversation that one of them is to have.
    pub(crate) async fn populate(&mut self) -> Result<()> {
        self.arrive(self.crew.customers).await?;
        if self.crew.assigned == 0 {
            return Ok(());
        }
        let customers = u32::try_from(self.crew.customers)?;
        for ((name, number), cookie) in [("Dana", customers), ("Erin", customers + 1)].into_iter().zip(&self.cookies) {
            let probe = Some(self.probe.clone());
            let desk = Desk::new(number, name, self.recorder.clone(), probe, self.random.branch());
            let door = Door::desk(&self.launch.origin, cookie);
            let network = self.network.clone();
            self.desks.push(Client::start(network, door, desk, self.crew.habits, self.random.branch(), None));
        }
        let deadline = Instant::now() + ARRIVAL;
        let conversations: Vec<Uuid> = self.assigned().collect();
        for desk in &self.desks {
            for conversation in &conversations {
                desk.give(Task::Claim { conversation: *conversation, id: self.random.id() });
            }
        }
        for desk in &self.desks {
            ensure!(desk.idle(deadline).await, "claims are not answered");
            // Another connection may say its own burst again.
            desk.give(Task::Cut);
            let owned: Vec<Uuid> = desk.talk.borrow().owned().iter().copied().collect();
            owned.into_iter().for_each(|conversation| desk.give(Task::Follow(conversation)));
        }
        sleep(Duration::from_millis(50)).await;
        for desk in &self.desks {
            ensure!(desk.idle(deadline).await, "conversations do not open");
        }
        Ok(())
    }

    fn assigned(&self) -> impl Iterator<Item = Uuid> {
        self.customers.iter().take(self.crew.assigned).filter_map(|customer| customer.talk.borrow().conversation())
    }

    /// Lets customers come until there are `wanted`.
    pub(crate) async fn arrive(&mut self, wanted: usize) -> Result<()> {
        let deadline = Instant::now() + ARRIVAL * u32::try_from(1 + wanted / 2_000)?;
        let mut first_missing = self.customers.len();
        loop {
            while let Some(customer) = self.customers.get(first_missing) {
                if !customer.talk.borrow().is_live() {
                    break;
                }
                first_missing += 1;
            }
            if first_missing >= wanted {
                return Ok(());
            }
            while self.customers.len() < wanted.min(first_missing + AT_A_TIME) {
                let client = self.customer(None);
                self.customers.push(client);
            }
            let reason = || self.customers.get(first_missing).map(|customer| customer.status.borrow().reason.clone());
            ensure!(Instant::now() < deadline, "customer {first_missing} does not get in: {:?}", reason());
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// A new customer's client.
    pub(crate) fn customer(&mut self, seat: Option<proving::load::Seat<Task>>) -> Client<Customer> {
        let number = u32::try_from(self.customers.len()).unwrap_or(u32::MAX);
        let talk = Customer::new(number, self.recorder.clone(), Some(self.probe.clone()));
        let door = Door::customer(&self.launch.origin);
        let network = self.network.beginning_at(self.customers.len());
        Client::start(network, door, talk, self.crew.habits, self.random.branch(), seat)
    }

    /// Offers `rate` messages a second for so long; what was offered.
    pub(crate) async fn load(&mut self, rate: f64, length: Duration) -> u64 {
        let mut arrivals = Arrivals::new(rate, false, self.random.branch());
        let end = Instant::now() + length;
        let mut offered = 0;
        loop {
            let due = arrivals.due();
            if due > end {
                sleep_until(end).await;
                return offered;
            }
            sleep_until(due).await;
            offered += u64::from(self.say(due));
        }
    }

    /// Somebody says something, unless whoever was drawn has said enough for now.
    pub(crate) fn say(&mut self, due: Instant) -> bool {
        let (mark, text) = self.random.text();
        let id = self.random.id();
        if !self.desks.is_empty() && self.random.chance(DESK_SHARE) {
            let desk = self.random.below(self.desks.len());
            let Some(desk) = self.desks.get(desk) else { return false };
            let mut owned: Vec<Uuid> = desk.talk.borrow().owned().iter().copied().collect();
            owned.sort_unstable();
            let Some(conversation) = owned.get(self.random.below(owned.len())).copied() else { return false };
            if desk.talk.borrow().waiting() >= WAITING_AT_MOST {
                return false;
            }
            self.probe.borrow_mut().expect(mark, due);
            desk.give(Task::Say { conversation, id, text, ticket: None });
            return true;
        }
        let Some(customer) = self.customers.get(self.random.below(self.customers.len())) else { return false };
        if customer.talk.borrow().waiting() >= WAITING_AT_MOST {
            return false;
        }
        self.probe.borrow_mut().expect(mark, due);
        customer.give(Task::Say { conversation: Uuid::nil(), id, text, ticket: None });
        true
    }

    /// Many say something at once, so that there is something under way when something breaks.
    pub(crate) fn burst(&mut self) {
        for _ in 0..self.customers.len() {
            self.say(Instant::now());
        }
    }

    /// Whether everybody is connected and has nothing left to say, and desks have what customers have.
    fn is_settled(&self) -> bool {
        use proving::client::Talk as _;
        let quiet = self.customers.iter().all(|client| client.talk.borrow().is_idle())
            && self.desks.iter().all(|client| client.talk.borrow().is_idle());
        quiet
            && self.customers.iter().take(self.crew.assigned).all(|customer| {
                let customer = customer.talk.borrow();
                let conversation = customer.conversation().unwrap_or_default();
                self.desks.iter().all(|desk| {
                    let desk = desk.talk.borrow();
                    !desk.owned().contains(&conversation) || desk.seq(conversation) == customer.seq()
                })
            })
    }

    /// Waits until everything is settled: how long that took, or nothing if it took too long.
    pub(crate) async fn settle(&self) -> Option<Duration> {
        let begin = Instant::now();
        while !self.is_settled() {
            if begin.elapsed() > self.convergence {
                return None;
            }
            sleep(Duration::from_millis(5)).await;
        }
        Some(begin.elapsed())
    }

    /// Who is not settled, for a person.
    pub(crate) fn unsettled(&self) -> String {
        use proving::client::Talk as _;
        let mut who: Vec<String> = Vec::new();
        for customer in self.customers.iter().filter(|customer| !customer.talk.borrow().is_idle()).take(3) {
            let (talk, status) = (customer.talk.borrow(), customer.status.borrow());
            who.push(format!(
                "customer {} live {} with {} waiting, {} connections, last: {}",
                talk.number(),
                talk.is_live(),
                talk.waiting(),
                status.connections,
                status.reason
            ));
        }
        for desk in &self.desks {
            let (talk, status) = (desk.talk.borrow(), desk.status.borrow());
            who.push(format!(
                "desk {} live {} with {} waiting, last: {}",
                talk.number(),
                talk.is_live(),
                talk.waiting(),
                status.reason
            ));
        }
        who.join("; ")
    }

    /// Reads every log from its beginning, waits until all readers have as much, and judges. The world
    /// may go on; what comes later belongs to another history, so this is for its end.
    pub(crate) async fn judge(&mut self) -> Result<(Verdict, Vec<proving::history::Record>)> {
        let auditor = Recorder::new(monotonic_us);
        let mut ends = Vec::new();
        for chunk in self.customers.chunks(AT_A_TIME) {
            let readers: Vec<Client<Customer>> = chunk
                .iter()
                .map(|customer| {
                    let talk = customer.talk.borrow().auditor(auditor.clone());
                    let door = Door::customer(&self.launch.origin);
                    Client::start(self.network.clone(), door, talk, Habits::quick(), self.random.branch(), None)
                })
                .collect();
            let deadline = Instant::now() + ARRIVAL;
            for reader in readers {
                ensure!(reader.idle(deadline).await, "a log cannot be read: {}", reader.status.borrow().reason);
                ends.push(reader.talk.borrow().seq());
            }
        }
        let deadline = Instant::now() + self.convergence;
        let mut missing = true;
        while missing && Instant::now() < deadline {
            missing = self.customers.iter().zip(&ends).any(|(customer, end)| customer.talk.borrow().seq() < *end);
            missing |= !self.is_settled();
            sleep(Duration::from_millis(5)).await;
        }
        let mut history = self.recorder.take();
        history.extend(auditor.take());
        // What was seen before a log was read must be in it; what was seen later may lie beyond.
        history.sort_by_key(|record| record.at);
        for customer in &self.customers {
            let talk = customer.talk.borrow();
            if let Some(conversation) = talk.conversation() {
                self.recorder.record(talk.number(), Op::Settled { conversation });
            }
        }
        for desk in &self.desks {
            let talk = desk.talk.borrow();
            for conversation in talk.following() {
                self.recorder.record(talk.number(), Op::Settled { conversation });
            }
        }
        history.extend(self.recorder.take());
        Ok((check(&history), history))
    }

    /// Judges, keeps what shows a fault, and adds it all to `outcome`.
    pub(crate) async fn conclude(&mut self, stage: &Stage, name: &str, outcome: &mut Outcome) -> Result<()> {
        let (verdict, history) = self.judge().await?;
        if !verdict.is_sound() {
            outcome.kept.extend(self.keep(stage, name, &history)?);
        }
        outcome.verdict.add(verdict);
        Ok(())
    }

    /// Copies the history, the server's log and its database to where they stay.
    fn keep(&self, stage: &Stage, name: &str, history: &[proving::history::Record]) -> Result<Vec<String>> {
        let folder = stage.folder.join("failures").join(format!("{name}-{}-{}", stage.seed, monotonic_us()));
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("history.jsonl");
        save(history, &file)?;
        let mut others: Vec<PathBuf> = vec![self.launch.log()];
        if let Ok(data) = std::fs::read_dir(self.folder().join("data")) {
            others.extend(data.filter_map(|entry| Some(entry.ok()?.path())));
        }
        for other in others {
            if let Some(name) = other.file_name() {
                std::fs::copy(&other, folder.join(name))?;
            }
        }
        Ok(vec![file.display().to_string()])
    }
}
