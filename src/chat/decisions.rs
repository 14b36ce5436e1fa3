//! Where turns are read and decided: threads of their own, behind those that store messages and talk to sockets. Under
//! more load than the machine can decide, messages are still stored and acknowledged at once, and answers come later.
//! Knows nothing of turns.

use crate::priority::{DECIDING, step_back};
use std::future::Future;
use std::thread::available_parallelism;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The threads.
#[derive(Debug)]
pub struct Decisions {
    handle: Handle,
    over: CancellationToken,
}

impl Decisions {
    /// Starts them: one for every two processors.
    ///
    /// # Errors
    /// If the operating system has no thread for them.
    pub fn start() -> std::io::Result<Self> {
        let threads = available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1));
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("decide")
            .on_thread_start(|| step_back(DECIDING))
            .enable_all()
            .build()?;
        let (handle, over) = (runtime.handle().clone(), CancellationToken::new());
        let ended = over.clone();
        // A runtime must not be dropped by a task, and the app may be.
        std::thread::Builder::new().name("decide-end".to_owned()).spawn(move || {
            runtime.block_on(ended.cancelled());
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, over })
    }

    /// Runs `work` there, as one of the tasks that a stop waits for.
    pub fn spawn(&self, tasks: &TaskTracker, work: impl Future<Output = ()> + Send + 'static) {
        tasks.spawn_on(work, &self.handle);
    }
}

impl Drop for Decisions {
    fn drop(&mut self) {
        self.over.cancel();
    }
}
