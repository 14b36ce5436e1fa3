//! What is counted, and how it is shown. Knows nothing of sockets.

use proving::figures::{Latency, Spread};
use serde::Serialize;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Counts of one stretch of load while it runs.
#[derive(Debug)]
pub(crate) struct Phase {
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
    ack: Latency,
    reply: Latency,
}

impl Phase {
    /// Nothing counted yet.
    pub(crate) fn new(end: Instant) -> Self {
        Self {
            lost: 0,
            unanswered: Vec::new(),
            busy: 0,
            refused: BTreeMap::new(),
            breaks: BTreeMap::new(),
            gaps: 0,
            said_again: 0,
            end,
            answered_in_time: 0,
            ack: Latency::new(),
            reply: Latency::new(),
        }
    }

    /// The ack of a turn that was due at `due` is here.
    pub(crate) fn acked_at(&mut self, due: Instant) {
        self.ack.record(due.elapsed());
    }

    /// The answer is here.
    pub(crate) fn answered_at(&mut self, due: Instant) {
        self.reply.record(due.elapsed());
        self.answered_in_time += u64::from(Instant::now() <= self.end);
    }

    /// A socket broke.
    pub(crate) fn broke(&mut self, reason: &anyhow::Error) {
        *self.breaks.entry(format!("{reason:#}")).or_default() += 1;
    }

    /// A message was refused.
    pub(crate) fn refuse(&mut self, code: String) {
        *self.refused.entry(code).or_default() += 1;
    }

    /// Number of acks.
    pub(crate) fn acked(&self) -> u64 {
        self.ack.count()
    }

    /// Number of answers.
    pub(crate) fn answered(&self) -> u64 {
        self.reply.count()
    }

    /// Spread of the acks' times.
    pub(crate) fn ack_spread(&self) -> Spread {
        self.ack.spread()
    }

    /// Spread of the answers' times.
    pub(crate) fn reply_spread(&self) -> Spread {
        self.reply.spread()
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
