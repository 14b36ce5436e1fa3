//! Which threads go first where there is less processor than work: those that store messages and talk to sockets, then
//! those that decide, then those that prepare something in the background. Knows nothing of what they do.

/// Deciding turns and reading texts: about a third of the share of a thread that did not step back.
pub const DECIDING: i32 = 5;
/// Preparing something: a tenth. Behind the lowest a busy server would never get there.
pub const PREPARING: i32 = 10;

/// Takes the calling thread, and those that it starts from now on, this far behind the others. Refused, it only
/// competes.
#[cfg(target_os = "linux")]
pub fn step_back(nice: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "a thread runs at normal priority");
    }
}

/// Other systems share the processor as they see fit.
#[cfg(not(target_os = "linux"))]
pub fn step_back(_nice: i32) {}
