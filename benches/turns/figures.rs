//! What is counted, and how it is shown. Knows nothing of sockets.

use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Shared between the tasks of the generator's one thread.
pub(crate) type Shared<T> = Rc<RefCell<T>>;

/// Counts of one stretch of load while it runs.
#[derive(Debug)]
pub(crate) struct Phase {
    /// Turns that became due.
    pub(crate) offered: u64,
    /// Of these, the ones that waited until a socket was free.
    pub(crate) waited: u64,
    /// Turns that no socket had taken when the last deadline passed.
    pub(crate) unsent: u64,
    /// Turns given to a socket that are not over.
    pub(crate) under_way: u64,
    /// Sent, and neither acked nor in the history.
    pub(crate) lost: u64,
    /// Texts that were stored and never answered.
    pub(crate) unanswered: Vec<String>,
    /// Times that the server said "busy".
    pub(crate) busy: u64,
    /// Times that a message was refused, by code.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Sockets that broke in a turn, by reason.
    pub(crate) breaks: BTreeMap<String, u64>,
    /// Holes in the log as a client saw it.
    pub(crate) gaps: u64,
    /// Texts that met a conversation which the bot had just given away, and were said again in a new one.
    pub(crate) said_again: u64,
    /// When the last turn became due: answers before it count for the rate.
    pub(crate) end: Instant,
    /// Answers until `end`.
    pub(crate) answered_in_time: u64,
    ack: Vec<Duration>,
    reply: Vec<Duration>,
}

impl Phase {
    /// Nothing counted yet.
    pub(crate) fn new(end: Instant) -> Self {
        Self {
            offered: 0,
            waited: 0,
            unsent: 0,
            under_way: 0,
            lost: 0,
            unanswered: Vec::new(),
            busy: 0,
            refused: BTreeMap::new(),
            breaks: BTreeMap::new(),
            gaps: 0,
            said_again: 0,
            end,
            answered_in_time: 0,
            ack: Vec::new(),
            reply: Vec::new(),
        }
    }

    /// The ack of a turn that was due at `due` is here.
    pub(crate) fn acked_at(&mut self, due: Instant) {
        self.ack.push(due.elapsed());
    }

    /// The answer is here.
    pub(crate) fn answered_at(&mut self, due: Instant) {
        self.reply.push(due.elapsed());
        self.answered_in_time += u64::from(Instant::now() <= self.end);
    }

    /// A socket broke.
    pub(crate) fn broke(&mut self, reason: &anyhow::Error) {
        *self.breaks.entry(format!("{reason:#}")).or_default() += 1;
    }

    /// A turn is over, however it ended.
    pub(crate) fn finish(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// A message was refused.
    pub(crate) fn refuse(&mut self, code: String) {
        *self.refused.entry(code).or_default() += 1;
    }

    /// Number of acks.
    pub(crate) fn acked(&self) -> u64 {
        count(self.ack.len())
    }

    /// Number of answers.
    pub(crate) fn answered(&self) -> u64 {
        count(self.reply.len())
    }

    /// Spread of the acks' times.
    pub(crate) fn ack_spread(&self) -> Spread {
        Spread::of(&self.ack)
    }

    /// Spread of the answers' times.
    pub(crate) fn reply_spread(&self) -> Spread {
        Spread::of(&self.reply)
    }
}

/// Percentiles in milliseconds, by nearest rank.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).map_or(0.0, |time| (time.as_secs_f64() * 100_000.0).round() / 100.0)
        };
        Self { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

/// One stretch of load, as it is reported.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stretch {
    pub(crate) what: String,
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) sockets: usize,
    pub(crate) offered: u64,
    pub(crate) waited_for_a_socket: u64,
    pub(crate) unsent: u64,
    pub(crate) acked: u64,
    pub(crate) answered: u64,
    pub(crate) answered_share_in_time: f64,
    pub(crate) unanswered: usize,
    pub(crate) unanswered_texts: Vec<String>,
    pub(crate) lost: u64,
    pub(crate) busy: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) breaks: BTreeMap<String, u64>,
    pub(crate) gaps: u64,
    pub(crate) said_again: u64,
    pub(crate) ack_ms: Spread,
    pub(crate) reply_ms: Spread,
    pub(crate) drained_after_ms: u128,
    pub(crate) read_by: BTreeMap<String, i64>,
    pub(crate) actions: BTreeMap<String, i64>,
    pub(crate) server_ms_per_turn: f64,
    pub(crate) generator_ms_per_turn: f64,
}

impl Stretch {
    /// Lines of a table for people.
    pub(crate) fn print(&self) {
        println!("\n{}: {:.0} turns/s for {:.0} s over {} sockets", self.what, self.rate, self.seconds, self.sockets);
        println!("  {:<8}{:>10}{:>10}{:>10}{:>10}  ms", "", "p50", "p90", "p99", "max");
        for (name, spread) in [("ack", self.ack_ms), ("reply", self.reply_ms)] {
            let Spread { p50, p90, p99, max } = spread;
            println!("  {name:<8}{p50:>10.1}{p90:>10.1}{p99:>10.1}{max:>10.1}");
        }
        println!(
            "  offered {}, acked {}, answered {} ({:.1} % while offering), lost {}, unanswered {}, unsent {}",
            self.offered,
            self.acked,
            self.answered,
            self.answered_share_in_time * 100.0,
            self.lost,
            self.unanswered,
            self.unsent
        );
        println!(
            "  waited for a socket {}, busy {}, refused {:?}, breaks {:?}, gaps {}, said again {}",
            self.waited_for_a_socket, self.busy, self.refused, self.breaks, self.gaps, self.said_again
        );
        println!("  read by {:?}, then {:?}", self.read_by, self.actions);
        println!(
            "  all done {} ms after the last was due; processor per turn: server {:.2} ms, generator {:.2} ms",
            self.drained_after_ms, self.server_ms_per_turn, self.generator_ms_per_turn
        );
    }
}

/// One number by another; 0 by nothing.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

/// A count as a real number. Counts here are far below the 2^53 where that would lose anything.
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
