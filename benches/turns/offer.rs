//! Offering turns open-loop: each is due at a time of its own, whether or not earlier ones are
//! answered, and its latency is counted from that time. A slow server, or a slow generator, cannot
//! hide waiting so. Knows sockets and arrival times, not how anything is reported.

use crate::customer::{BURST, Customer, Order, REFILL};
use crate::figures::{Phase, Shared};
use crate::texts::{Random, Texts};
use anyhow::{Context as _, Result, ensure};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Sockets at most: the server's default limit is 10,000.
pub(crate) const MOST_SOCKETS: usize = 9_000;
/// Longest wait for what is still under way when everything was offered.
const DRAIN: Duration = Duration::from_secs(120);
/// Sockets that are opened at a time.
const OPENING: usize = 16;

/// The sockets, and which of them are free.
pub(crate) struct Pool {
    address: SocketAddr,
    orders: Vec<mpsc::Sender<Order>>,
    customers: JoinSet<Result<()>>,
    say_free: mpsc::UnboundedSender<usize>,
    free: mpsc::UnboundedReceiver<usize>,
}

/// One stretch of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Turns a second.
    pub(crate) rate: f64,
    /// How long.
    pub(crate) length: Duration,
    /// Evenly spaced, instead of a Poisson process.
    pub(crate) even: bool,
}

impl Plan {
    /// Sockets that the server's limit of messages a socket asks for, a fifth more, and those that
    /// wait for an answer of `answer` seconds.
    pub(crate) fn sockets(&self, answer: f64) -> usize {
        let each = BURST / self.length.as_secs_f64() + 1.0 / REFILL;
        let needed = (self.rate / each * 1.2 + self.rate * answer).ceil();
        // A float of a bounded size; `as` is the conversion that there is.
        (needed as usize).min(MOST_SOCKETS)
    }
}

impl Pool {
    /// No socket yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let (say_free, free) = mpsc::unbounded_channel();
        Self { address, orders: Vec::new(), customers: JoinSet::new(), say_free, free }
    }

    /// Sockets that are open.
    pub(crate) fn len(&self) -> usize {
        self.orders.len()
    }

    /// Opens sockets until there are `wanted`.
    pub(crate) async fn grow(&mut self, wanted: usize) -> Result<()> {
        let mut arriving = JoinSet::new();
        let mut missing = wanted.min(MOST_SOCKETS).saturating_sub(self.len());
        while missing > 0 || !arriving.is_empty() {
            while missing > 0 && arriving.len() < OPENING {
                arriving.spawn_local(Customer::arrive(self.address));
                missing -= 1;
            }
            if let Some(customer) = arriving.join_next().await {
                let customer = customer?.context("a customer could not connect")?;
                let (sender, orders) = mpsc::channel(1);
                self.customers.spawn_local(customer.live(self.len(), self.say_free.clone(), orders));
                self.orders.push(sender);
            }
        }
        Ok(())
    }

    /// Offers the turns of `plan` and waits until all of them are over. Texts that find no free socket
    /// wait in order, and the wait is part of their latency.
    pub(crate) async fn offer(&mut self, plan: Plan, texts: &mut Texts, random: &mut Random) -> Result<Phase> {
        let begin = Instant::now();
        let end = begin + plan.length;
        let deadline = end + DRAIN;
        let phase: Shared<Phase> = Rc::new(RefCell::new(Phase::new(end)));
        let mut at = 0.0;
        loop {
            at += if plan.even { 1.0 } else { -(1.0 - random.fraction()).ln() } / plan.rate;
            let due = begin + Duration::from_secs_f64(at);
            if due > end {
                break;
            }
            sleep_until(due).await;
            phase.borrow_mut().offered += 1;
            let Some(sender) = self.take_free(&phase, deadline).await? else {
                phase.borrow_mut().unsent += 1;
                continue;
            };
            phase.borrow_mut().under_way += 1;
            // It said that it is free, so its place for one order is empty.
            let order = Order { text: texts.next(), due, deadline, phase: Rc::clone(&phase) };
            ensure!(sender.try_send(order).is_ok(), "a customer that was free takes no text");
        }
        while phase.borrow().under_way > 0 && Instant::now() < deadline + DRAIN {
            self.check().await?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Deadlines have passed, so no customer holds the phase any more, except one that is stuck.
        let over = Phase::new(end);
        Ok(phase.replace(over))
    }

    /// A free socket; none when `deadline` passes first.
    async fn take_free(&mut self, phase: &Shared<Phase>, deadline: Instant) -> Result<Option<mpsc::Sender<Order>>> {
        let number = match self.free.try_recv() {
            Ok(number) => number,
            Err(_) => {
                phase.borrow_mut().waited += 1;
                self.check().await?;
                match timeout_at(deadline, self.free.recv()).await {
                    Ok(number) => number.context("the sockets are gone")?,
                    Err(_) => return Ok(None),
                }
            }
        };
        Ok(self.orders.get(number).cloned())
    }

    /// A customer never leaves by itself: if one did, its reason ends the run.
    async fn check(&mut self) -> Result<()> {
        match self.customers.try_join_next() {
            Some(left) => left?.context("a customer left"),
            None => Ok(()),
        }
    }
}
