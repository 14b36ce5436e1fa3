//! Latencies and how they are shown. Knows nothing of sockets.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Shared between the tasks of the one thread.
pub type Shared<T> = Rc<RefCell<T>>;

/// A shared value.
pub fn shared<T>(value: T) -> Shared<T> {
    Rc::new(RefCell::new(value))
}

/// Latencies, to three digits. Each is to be counted from when its message was due and not from when
/// it could be sent, so that a server, or a generator, that stalls cannot hide the waiting
/// (coordinated omission).
#[derive(Debug)]
pub struct Latency {
    // None only if the library refuses the constant range.
    micros: Option<Histogram<u64>>,
}

impl Latency {
    /// None yet.
    pub fn new() -> Self {
        Self { micros: Histogram::new_with_bounds(1, 3_600_000_000, 3).ok() }
    }

    /// One more.
    pub fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(histogram) = &mut self.micros {
            histogram.saturating_record(micros);
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.micros.as_ref().map_or(0, Histogram::len)
    }

    /// Their percentiles.
    pub fn spread(&self) -> Spread {
        let at = |quantile| {
            self.micros
                .as_ref()
                .filter(|histogram| !histogram.is_empty())
                .map_or(0.0, |histogram| (real(histogram.value_at_quantile(quantile)) / 10.0).round() / 100.0)
        };
        Spread { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    /// Half are faster.
    pub p50: f64,
    /// Nine of ten are faster.
    pub p90: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Spread {
    /// The median of each percentile over several measurements; nothing of none.
    pub fn median(all: &[Self]) -> Self {
        let middle = |of: fn(&Self) -> f64| {
            let mut values: Vec<f64> = all.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Self {
            p50: middle(|one| one.p50),
            p90: middle(|one| one.p90),
            p99: middle(|one| one.p99),
            max: middle(|one| one.max),
        }
    }
}

/// One number by another; 0 by nothing.
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

/// A count as a real number. Counts here are far below the 2^53 where that would lose anything.
pub fn real(count: u64) -> f64 {
    count as f64
}

/// A length as a count.
pub fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Latency;
    use std::time::Duration;

    #[test]
    fn percentiles_are_those_of_the_times() {
        let mut latency = Latency::new();
        (1..=100).for_each(|ms| latency.record(Duration::from_millis(ms)));
        let spread = latency.spread();
        assert!((spread.p50 - 50.0).abs() < 0.2, "{spread:?}");
        assert!((spread.p99 - 99.0).abs() < 0.2, "{spread:?}");
        assert!((spread.max - 100.0).abs() < 0.2, "{spread:?}");
    }
}
