//! What the system says of processes: memory, processor time, open files, and the clock that all of
//! them share. Knows nothing of sockets.

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Length of a clock tick of /proc in milliseconds; 100 a second on every Linux that matters.
const TICK_MS: u64 = 10;

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// Resident now.
    pub rss: u64,
    /// Resident at most so far.
    pub peak: u64,
}

/// Memory of a process now and at most.
///
/// # Errors
/// If there is no such process.
pub fn memory(process: u32) -> Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Ok(Memory { rss: field("VmRSS:"), peak: field("VmHWM:") })
}

/// Processor time of a process, user and system together.
///
/// # Errors
/// If there is no such process.
pub fn processor_ms(process: u32) -> Result<u64> {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold spaces; the fields after it do not.
    let (_, fields) = line.rsplit_once(')').context("/proc/PID/stat has another form")?;
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * TICK_MS)
}

/// Processor time of this process.
///
/// # Errors
/// If /proc is not there.
pub fn own_processor_ms() -> Result<u64> {
    processor_ms(std::process::id())
}

/// Lets this process, and those that it starts, open as many files as the system allows. Returns how
/// many that are.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // A refusal leaves the old limit, which is what is told.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Microseconds of `CLOCK_MONOTONIC`, which the disk shim reads as well.
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(now.tv_sec) * 1_000_000 + part(now.tv_nsec) / 1_000
}

/// Sends a signal to a process that this one started.
///
/// # Errors
/// If it is gone.
pub fn signal(process: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw).context("not a process id")?;
    Ok(kill_process(pid, signal)?)
}
