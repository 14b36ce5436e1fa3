//! Load on a whole server: customers' turns over real sockets, from the text to the bot's stored
//! answer.
//!
//! ```sh
//! cargo bench --bench turns                                # 200 turns a second for 20 s
//! cargo bench --bench turns -- --ceiling --overload 3      # how far it goes, and what happens beyond
//! ```
//!
//! It starts the server that Cargo built, with its default settings, on a free port of this machine,
//! with a database in `target/tmp`; it speaks to nobody else, and ends the server with itself. One
//! thread generates all load, because it shares the machine with what it measures.
//!
//! - *ack*: from the moment that a turn was due until the frame that says that the text is durable.
//! - *reply*: from the same moment until the bot's stored answer arrives.
//! - *lost*: sent, and neither acked nor in the history that is fetched after a reconnect.
//!
//! Turns are due at the times of a Poisson process (`--even`: evenly spaced). The runtime's timers are
//! exact to a millisecond, which is in every latency. A socket has one turn under way at a time, and
//! the server lets each say 12 texts at once and then one every 1.5 s, so more sockets than `--sockets`
//! are opened where a rate needs them. The texts are described in `texts.rs`.

mod customer;
mod figures;
mod server;
mod texts;

use anyhow::{Context as _, Result, bail, ensure};
use candor::clock::Clock;
use clap::Parser;
use customer::{Customer, Order};
use figures::{Phase, Stretch};
use proving::figures::{ratio, real, shared};
use proving::load::{Offered, Plan, Pool};
use proving::process::{Memory, own_processor_ms};
use proving::random::Random;
use serde::Serialize;
use server::{Server, per_turn};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use texts::Texts;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, LocalSet};

/// Sockets at most: the server's default limit is 10,000.
const MOST_SOCKETS: usize = 9_000;
/// Sockets that are opened at a time.
const OPENING: usize = 16;
/// Slowest reply of the ceiling, as the 99th percentile.
const CEILING_P99_MS: f64 = 250.0;
/// Share of the turns that must be answered while they are offered.
const CEILING_ANSWERED: f64 = 0.97;
/// First rate, factor and length of the steps to the ceiling.
const FIRST_RATE: f64 = 100.0;
const STEP: f64 = 1.25;
const STEP_LENGTH: Duration = Duration::from_secs(8);
const WARM_UP: Duration = Duration::from_secs(2);
/// Fastest rate that is tried.
const LAST_RATE: f64 = 5_000.0;
/// How long more is offered than the server can do.
const OVERLOAD_LENGTH: Duration = Duration::from_secs(10);
/// Seconds that an answer may take before a socket is missing: at a rate that holds, and in overload.
const ANSWER: f64 = 0.25;
const OVERLOADED_ANSWER: f64 = 2.0;

/// Whole turns against a server of its own on this machine.
#[derive(Debug, Parser)]
#[command(name = "turns")]
struct Options {
    /// Turns a second
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Seconds of load
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Sockets at least; more are opened where a rate needs them
    #[arg(long, default_value_t = 100)]
    sockets: usize,
    /// Evenly spaced turns instead of a Poisson process
    #[arg(long)]
    even: bool,
    /// Leave out the short texts that everybody writes
    #[arg(long)]
    unique: bool,
    /// Step the rate up until replies are late or missing
    #[arg(long)]
    ceiling: bool,
    /// Offer this many times the ceiling (or --base) for 10 s
    #[arg(long)]
    overload: Option<f64>,
    /// What --overload multiplies, instead of looking for the ceiling
    #[arg(long)]
    base: Option<f64>,
    /// Seed of the texts and of the arrival times
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Another build of the server
    #[arg(long, default_value = env!("CARGO_BIN_EXE_candor"))]
    program: PathBuf,
    /// A flag for the server, for example --server=--threads=1 (repeatable)
    #[arg(long = "server", allow_hyphen_values = true)]
    server_flags: Vec<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Cargo says this to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn validate(&self) -> Result<()> {
        ensure!((1.0..=LAST_RATE).contains(&self.rate), "--rate is from 1 to {LAST_RATE}");
        ensure!((1.0..=600.0).contains(&self.seconds), "--seconds is from 1 to 600");
        ensure!((1..=MOST_SOCKETS).contains(&self.sockets), "--sockets is from 1 to {MOST_SOCKETS}");
        ensure!(self.overload.is_none_or(|factor| (1.0..=20.0).contains(&factor)), "--overload is from 1 to 20");
        ensure!(self.base.is_none_or(|base| (1.0..=LAST_RATE).contains(&base)), "--base is from 1 to {LAST_RATE}");
        ensure!(self.overload.is_none() || self.ceiling || self.base.is_some(), "--overload needs --ceiling or --base");
        Ok(())
    }
}

/// Everything that a run found.
#[derive(Debug, Serialize)]
struct Report {
    understanding: String,
    ready_ms: u128,
    /// Memory in KiB with the sockets open and nothing said, and how many these are.
    idle_sockets: usize,
    idle: Memory,
    /// Memory at the end, and how many sockets are open then.
    end_sockets: usize,
    end: Memory,
    stretches: Vec<Stretch>,
    ceiling: Option<f64>,
    mean_words: f64,
    new_texts_share: f64,
    complaints: Vec<(String, u64)>,
}

impl Report {
    fn print(&self) {
        println!("server: {}, ready after {} ms", self.understanding, self.ready_ms);
        let mib = |kib| real(kib) / 1024.0;
        for (when, sockets, memory) in [("before", self.idle_sockets, self.idle), ("after", self.end_sockets, self.end)]
        {
            let (rss, peak) = (mib(memory.rss), mib(memory.peak));
            println!("memory {when} the load, {sockets} sockets open: {rss:.0} MiB resident, {peak:.0} MiB at most");
        }
        println!("texts: {:.1} words on average, {:.1} % new", self.mean_words, self.new_texts_share * 100.0);
        self.stretches.iter().for_each(Stretch::print);
        if let Some(ceiling) = self.ceiling {
            println!("\nceiling: {ceiling:.0} turns/s (reply p99 within {CEILING_P99_MS} ms, 97 % answered)");
        }
        for (complaint, times) in &self.complaints {
            println!("the server's log, {times} times: {complaint}");
        }
    }
}

/// What a run has at hand.
struct Run {
    options: Options,
    server: Server,
    pool: Pool<Order>,
    texts: Texts,
    random: Random,
}

impl Run {
    async fn measure(mut self) -> Result<Report> {
        let first = if self.options.ceiling {
            self.plan(FIRST_RATE, STEP_LENGTH)
        } else {
            self.plan(self.options.rate, Duration::from_secs_f64(self.options.seconds))
        };
        self.grow(self.options.sockets.max(first.sockets(ANSWER))).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (idle_sockets, idle) = (self.pool.len(), self.server.process.memory()?);
        let mut stretches = Vec::new();
        let mut ceiling = None;
        if self.options.ceiling {
            ceiling = self.climb(&mut stretches).await?;
        } else if self.options.overload.is_none() {
            stretches.push(self.stretch("load", first).await?);
        }
        if let (Some(factor), Some(base)) = (self.options.overload, self.options.base.or(ceiling)) {
            let plan = self.plan((factor * base).min(LAST_RATE), OVERLOAD_LENGTH);
            self.grow(plan.sockets(OVERLOADED_ANSWER)).await?;
            stretches.push(self.stretch("overload", plan).await?);
        }
        let (mean_words, new_texts_share) = self.texts.mean_words_and_new();
        Ok(Report {
            understanding: self.server.process.understanding().to_owned(),
            ready_ms: self.server.process.ready_ms(),
            idle_sockets,
            idle,
            end_sockets: self.pool.len(),
            end: self.server.process.memory()?,
            stretches,
            ceiling,
            mean_words,
            new_texts_share,
            complaints: self.server.process.complaints(),
        })
    }

    fn plan(&self, rate: f64, length: Duration) -> Plan {
        Plan { rate, length, even: self.options.even }
    }

    /// Opens sockets until there are `wanted`.
    async fn grow(&mut self, wanted: usize) -> Result<()> {
        let mut arriving = JoinSet::new();
        let mut missing = wanted.min(MOST_SOCKETS).saturating_sub(self.pool.len());
        while missing > 0 || !arriving.is_empty() {
            while missing > 0 && arriving.len() < OPENING {
                arriving.spawn_local(Customer::arrive(self.server.address()));
                missing -= 1;
            }
            if let Some(customer) = arriving.join_next().await {
                let customer = customer?.context("a customer could not connect")?;
                self.pool.add(|seat| customer.live(seat));
            }
        }
        Ok(())
    }

    /// Offers turns: how many, and what became of them.
    async fn offer(&mut self, plan: Plan) -> Result<(Offered, Phase)> {
        let end = tokio::time::Instant::now() + plan.length;
        let phase = shared(Phase::new(end));
        let (texts, of_order) = (&mut self.texts, phase.clone());
        let order = |ticket| Order { text: texts.next(), ticket, phase: of_order.clone() };
        let offered = self.pool.offer(plan, &mut self.random, order).await?;
        // Deadlines have passed, so no customer holds the phase any more, except one that is stuck.
        Ok((offered, phase.replace(Phase::new(end))))
    }

    /// Steps up; the last rate that held. A step that does not hold gets a second chance, because
    /// one hiccup of a shared machine is enough to spoil eight seconds.
    async fn climb(&mut self, stretches: &mut Vec<Stretch>) -> Result<Option<f64>> {
        let (mut rate, mut held) = (FIRST_RATE, None);
        while rate <= LAST_RATE {
            let plan = self.plan(rate, STEP_LENGTH);
            // Step follows step, so the burst that a socket may say helps none of them.
            self.grow(self.plan(rate, Duration::from_secs(3_600)).sockets(ANSWER)).await?;
            let mut holds = false;
            for chance in ["step", "step, again"] {
                self.offer(self.plan(rate, WARM_UP)).await?;
                let stretch = self.stretch(chance, plan).await?;
                holds = stretch.reply_ms.p99 <= CEILING_P99_MS && stretch.answered_share_in_time >= CEILING_ANSWERED;
                eprintln!("{chance} {rate:.0}/s: reply p99 {:.0} ms, holds: {holds}", stretch.reply_ms.p99);
                stretches.push(stretch);
                if holds {
                    break;
                }
            }
            if !holds {
                return Ok(held);
            }
            held = Some(rate);
            rate *= STEP;
        }
        Ok(held)
    }

    async fn stretch(&mut self, what: &str, plan: Plan) -> Result<Stretch> {
        let since = Clock::System.now();
        let (server, generator) = (self.server.process.processor_ms()?, own_processor_ms()?);
        let (Offered { offered, waited, unsent, end }, phase) = self.offer(plan).await?;
        let (server, generator) = (self.server.process.processor_ms()? - server, own_processor_ms()? - generator);
        let drained = tokio::time::Instant::now().saturating_duration_since(end);
        let (read_by, actions) = self.server.turns_since(since.0).await?;
        let Phase { lost, busy, gaps, .. } = phase;
        Ok(Stretch {
            what: what.to_owned(),
            rate: plan.rate,
            seconds: plan.length.as_secs_f64(),
            sockets: self.pool.len(),
            offered,
            waited_for_a_socket: waited,
            unsent,
            acked: phase.acked(),
            answered: phase.answered(),
            answered_share_in_time: ratio(phase.answered_in_time, offered),
            unanswered: phase.unanswered.len(),
            unanswered_texts: phase.unanswered.iter().take(5).cloned().collect(),
            lost,
            busy,
            refused: phase.refused.clone(),
            breaks: phase.breaks.clone(),
            gaps,
            said_again: phase.said_again,
            ack_ms: phase.ack_spread(),
            reply_ms: phase.reply_spread(),
            drained_after_ms: drained.as_millis(),
            read_by,
            actions,
            server_ms_per_turn: per_turn(server, phase.answered()),
            generator_ms_per_turn: per_turn(generator, phase.answered()),
        })
    }
}

async fn run(options: Options) -> Result<Report> {
    options.validate()?;
    let server = Server::start(&options.program, &options.server_flags).await?;
    eprintln!("the server is process {} on {}", server.process.id(), server.address());
    let pool = Pool::new();
    let texts = Texts::new(options.seed, options.unique);
    let random = Random::new(options.seed.wrapping_add(1));
    Run { options, server, pool, texts, random }.measure().await
}

/// The run, or an error as soon as somebody wants it to end: either way the server is ended too.
async fn run_until_stopped(options: Options) -> Result<Report> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        report = run(options) => report,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let json = options.json;
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| LocalSet::new().block_on(&runtime, run_until_stopped(options)))
        .and_then(|report| {
            if json {
                println!("{}", serde_json::to_string_pretty(&report)?);
            } else {
                report.print();
            }
            Ok(())
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("turns: {error:#}");
            ExitCode::FAILURE
        }
    }
}
