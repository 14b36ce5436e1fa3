//! Load that is offered open-loop: each thing to say is due at a time of its own, whether or not
//! earlier ones are done, and its latency is counted from that time. A slow server, or a slow
//! generator, cannot hide waiting so. Knows arrival times and seats, not what is said.

use crate::random::Random;
use anyhow::{Context as _, Result, ensure};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Messages that a customer's socket may send at once: one less than the server allows, because the
/// two ends do not see the same instants. There is no setting for it.
pub const BURST: f64 = 11.0;
/// Seconds until a customer's socket may send one more, a little longer than the server says.
pub const REFILL: f64 = 1.55;
/// Longest wait for what is still under way when everything was offered.
const DRAIN: Duration = Duration::from_secs(120);

/// The server's limit of messages as a client keeps to it.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: f64,
    since: Instant,
    burst: f64,
    refill: f64,
}

impl Allowance {
    /// A customer's, as it is for a new visitor.
    pub fn customer() -> Self {
        Self { left: BURST, since: Instant::now(), burst: BURST, refill: REFILL }
    }

    /// A desk's: 60 at once, then one per 200 ms, again a little less.
    pub fn desk() -> Self {
        Self { left: 58.0, since: Instant::now(), burst: 58.0, refill: 0.21 }
    }

    /// When the next message is allowed.
    pub fn at(&mut self) -> Instant {
        let now = Instant::now();
        let gained = now.duration_since(self.since).as_secs_f64() / self.refill;
        (self.left, self.since) = ((self.left + gained).min(self.burst), now);
        now + Duration::from_secs_f64((1.0 - self.left).max(0.0) * self.refill)
    }

    /// Takes one if there is one.
    pub fn take(&mut self) -> bool {
        self.at();
        let allowed = self.left >= 1.0;
        self.left -= f64::from(u8::from(allowed));
        allowed
    }

    /// Counts one that was sent.
    pub fn spend(&mut self) {
        self.at();
        self.left -= 1.0;
    }
}

/// Times at which things are due.
#[derive(Clone, Debug)]
pub struct Arrivals {
    begin: Instant,
    at: f64,
    rate: f64,
    even: bool,
    random: Random,
}

impl Arrivals {
    /// A Poisson process of `rate` a second, or evenly spaced.
    pub fn new(rate: f64, even: bool, random: Random) -> Self {
        Self { begin: Instant::now(), at: 0.0, rate, even, random }
    }

    /// The next time.
    pub fn due(&mut self) -> Instant {
        self.at += if self.even { 1.0 } else { -(1.0 - self.random.fraction()).ln() } / self.rate;
        self.begin + Duration::from_secs_f64(self.at)
    }
}

/// One stretch of load.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Things a second.
    pub rate: f64,
    /// How long.
    pub length: Duration,
    /// Evenly spaced, instead of a Poisson process.
    pub even: bool,
}

impl Plan {
    /// Sockets that the server's limit of messages a socket asks for, a fifth more, and those that
    /// wait for an answer of `answer` seconds.
    pub fn sockets(&self, answer: f64) -> usize {
        let each = BURST / self.length.as_secs_f64() + 1.0 / REFILL;
        // A float of a bounded size; `as` is the conversion that there is.
        (self.rate / each * 1.2 + self.rate * answer).ceil() as usize
    }
}

/// What was offered.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// Things that became due.
    pub offered: u64,
    /// Of these, the ones that waited until a seat was free.
    pub waited: u64,
    /// Things that nobody had taken when the last deadline passed.
    pub unsent: u64,
    /// When the last was due.
    pub end: Instant,
}

/// One thing to say. It counts as under way until this is dropped.
#[derive(Debug)]
pub struct Ticket {
    /// When it was due: latency is counted from here, however late the sending is.
    pub due: Instant,
    /// When waiting for its end ends.
    pub deadline: Instant,
    under_way: Rc<Cell<u64>>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
    }
}

/// Where a speaker takes its orders from.
#[derive(Debug)]
pub struct Seat<O> {
    number: usize,
    free: UnboundedSender<usize>,
    orders: UnboundedReceiver<O>,
}

impl<O> Seat<O> {
    /// Says that one order can be taken. False if nobody gives any more.
    pub fn offer_itself(&self) -> bool {
        self.free.send(self.number).is_ok()
    }

    /// The next order; none if there is no more. Safe to cancel.
    pub async fn order(&mut self) -> Option<O> {
        self.orders.recv().await
    }
}

/// The speakers, and which of them are free.
#[derive(Debug)]
pub struct Pool<O> {
    orders: Vec<UnboundedSender<O>>,
    speakers: JoinSet<Result<()>>,
    say_free: UnboundedSender<usize>,
    free: UnboundedReceiver<usize>,
}

impl<O: 'static> Pool<O> {
    /// Nobody yet.
    pub fn new() -> Self {
        let (say_free, free) = mpsc::unbounded_channel();
        Self { orders: Vec::new(), speakers: JoinSet::new(), say_free, free }
    }

    /// Speakers that are there.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Nobody is there.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Takes a speaker in, who lives on this thread from now on.
    pub fn add<F>(&mut self, live: impl FnOnce(Seat<O>) -> F)
    where
        F: Future<Output = Result<()>> + 'static,
    {
        let (sender, orders) = mpsc::unbounded_channel();
        let seat = Seat { number: self.orders.len(), free: self.say_free.clone(), orders };
        self.orders.push(sender);
        self.speakers.spawn_local(live(seat));
    }

    /// Offers what `plan` says and waits until all of it is over. What finds no free seat waits in
    /// order, and the wait is part of its latency.
    ///
    /// # Errors
    /// If a speaker left.
    pub async fn offer(
        &mut self,
        plan: Plan,
        random: &mut Random,
        mut order: impl FnMut(Ticket) -> O,
    ) -> Result<Offered> {
        let mut arrivals = Arrivals::new(plan.rate, plan.even, random.branch());
        let end = arrivals.begin + plan.length;
        let deadline = end + DRAIN;
        let under_way = Rc::new(Cell::new(0));
        let mut offered = Offered { offered: 0, waited: 0, unsent: 0, end };
        loop {
            let due = arrivals.due();
            if due > end {
                break;
            }
            sleep_until(due).await;
            offered.offered += 1;
            let Some(sender) = self.take_free(&mut offered, deadline).await? else {
                offered.unsent += 1;
                continue;
            };
            under_way.set(under_way.get() + 1);
            let ticket = Ticket { due, deadline, under_way: Rc::clone(&under_way) };
            ensure!(sender.send(order(ticket)).is_ok(), "a speaker that was free takes no order");
        }
        while under_way.get() > 0 && Instant::now() < deadline + DRAIN {
            self.check()?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(offered)
    }

    /// A free seat; none when `deadline` passes first.
    async fn take_free(&mut self, offered: &mut Offered, deadline: Instant) -> Result<Option<UnboundedSender<O>>> {
        let number = match self.free.try_recv() {
            Ok(number) => number,
            Err(_) => {
                offered.waited += 1;
                self.check()?;
                match timeout_at(deadline, self.free.recv()).await {
                    Ok(number) => number.context("the seats are gone")?,
                    Err(_) => return Ok(None),
                }
            }
        };
        Ok(self.orders.get(number).cloned())
    }

    /// A speaker never leaves by itself: if one did, its reason ends the run.
    fn check(&mut self) -> Result<()> {
        match self.speakers.try_join_next() {
            Some(left) => left?.context("a speaker left"),
            None => Ok(()),
        }
    }
}

impl<O: 'static> Default for Pool<O> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, Pool};
    use crate::random::Random;
    use std::time::Duration;
    use tokio::task::LocalSet;

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_seat_is_late_and_counted() {
        let local = LocalSet::new();
        local
            .run_until(async {
                let mut pool = Pool::new();
                // One speaker that needs 100 ms for each: at 20 a second half have to wait.
                pool.add(|mut seat| async move {
                    while seat.offer_itself() {
                        let Some(ticket) = seat.order().await else { break };
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        drop(ticket);
                    }
                    Ok(())
                });
                let plan = Plan { rate: 20.0, length: Duration::from_secs(5), even: true };
                let offered = pool.offer(plan, &mut Random::new(1), |ticket| ticket).await.expect("a run");
                assert_eq!((offered.offered, offered.unsent), (100, 0));
                assert!(offered.waited > 90, "{offered:?}");
            })
            .await;
    }
}
