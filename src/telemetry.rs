//! Logs. Ids, counts and times only: no text of a customer, no token, no address ever reaches one.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error: lines for people on a terminal, JSON for machines elsewhere.
/// `RUST_LOG` chooses what; the default is our own notices and others' warnings.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,candor=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { builder.compact().init() } else { builder.json().init() }
}
