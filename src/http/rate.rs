//! How much one client may send: buckets of permissions that fill with time, one for each connection's frames and one
//! for each visitor's messages, however many sockets they open. Knows nothing of frames.

use crate::domain::VisitorId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Messages that a visitor may send at once, and then one per `REFILL`.
const BURST: u32 = 12;
const REFILL: Duration = Duration::from_millis(1_500);
/// Buckets that are kept before the full ones are looked for.
const KEPT: usize = 1_024;

/// A bucket of permissions to send: `burst` at once, then one per `every`.
#[derive(Debug)]
pub(super) struct Bucket {
    left: f64,
    burst: f64,
    every: Duration,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        Self { left: f64::from(burst), burst: f64::from(burst), every, at: Instant::now() }
    }

    /// Takes one permission.
    ///
    /// # Errors
    /// The time until there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            Ok(())
        } else {
            Err(self.every.mul_f64(1.0 - self.left))
        }
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / self.every.as_secs_f64();
        self.at = now;
        self.left = (self.left + gained).min(self.burst);
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= self.burst
    }
}

/// The messages of all visitors. Who has not written lately takes no memory.
#[derive(Debug, Default)]
pub(super) struct VisitorRates {
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    by_visitor: HashMap<VisitorId, Bucket>,
    /// At how many the full ones are dropped.
    sweep_at: usize,
}

impl VisitorRates {
    /// Takes one permission of a visitor's.
    ///
    /// # Errors
    /// The time until there is one.
    pub(super) fn take(&self, visitor: VisitorId, now: Instant) -> Result<(), Duration> {
        // Each step leaves the map whole, so a poisoned lock holds a sound one.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.by_visitor.len() >= buckets.sweep_at.max(KEPT) {
            buckets.by_visitor.retain(|_, bucket| !bucket.is_full(now));
            buckets.sweep_at = buckets.by_visitor.len() * 2;
        }
        buckets.by_visitor.entry(visitor).or_insert_with(|| Bucket::new(BURST, REFILL)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Bucket, KEPT, REFILL, VisitorRates};
    use crate::domain::VisitorId;
    use std::time::Duration;
    use tokio::time::Instant;
    use uuid::Uuid;

    #[test]
    fn a_bucket_fills_with_time() {
        let mut bucket = Bucket::new(2, Duration::from_secs(1));
        let start = bucket.at;
        let mut taken_at =
            |seconds| (0..5).filter(|_| bucket.take(start + Duration::from_secs(seconds)).is_ok()).count();
        assert_eq!(taken_at(0), 2);
        assert_eq!(taken_at(1), 1);
        assert_eq!(taken_at(100), 2, "it never holds more than its burst");
        assert_eq!(bucket.take(start + Duration::from_secs(100)), Err(Duration::from_secs(1)), "when there is one");
    }

    #[test]
    fn a_visitor_has_one_bucket_and_a_quiet_one_none() {
        let (rates, now) = (VisitorRates::default(), Instant::now());
        let visitor = |number: usize| VisitorId(Uuid::from_u128(number as u128));
        assert_eq!((0..40).filter(|_| rates.take(visitor(0), now).is_ok()).count(), BURST as usize);
        assert!(rates.take(visitor(1), now).is_ok(), "others are not harmed");
        let later = now + REFILL * BURST;
        for number in 0..KEPT * 3 {
            let _ = rates.take(visitor(number), later + REFILL * (number as u32 / 64));
        }
        assert!(rates.buckets.lock().unwrap().by_visitor.len() <= KEPT, "those that are full again are dropped");
    }
}
