//! What the person who started the server reads first.

use crate::nlu::Stage;
use crate::serve::Started;

/// Prints where everything is, what it took, and the one-time link for the first manager.
pub fn print(started: &Started) {
    let app = &started.app;
    let model = app.bot().nlu.status();
    let memory = resident_mb().map_or_else(String::new, |mb| format!(", {mb} MB of memory"));
    println!("candor {} is ready after {:.1} s{memory}", env!("CARGO_PKG_VERSION"), started.took.as_secs_f64());
    match model.stage {
        Stage::Ready => println!("  model       {} (loaded in {} ms)", model.version, model.load_ms),
        Stage::Loading => println!("  model       is being loaded: keyword rules read the messages until then"),
        Stage::Absent | Stage::Failed => {
            let why = model.reason.unwrap_or_default();
            println!("  model       none: keyword rules read the messages ({why})");
        }
    }
    println!("  database    {}", app.config.database);
    if !app.config.no_demo {
        println!("  demo shop   {}/demo/", app.origin);
    }
    println!("  desk        {}/desk/", app.origin);
    if let Some(token) = &started.setup_token {
        println!("  first run   {}/desk/#/setup?token={token}", app.origin);
        println!("              (one-time link: make the manager's account there)");
    }
    println!("  stop        Ctrl-C");
}

/// Resident memory of this process in megabytes, where the system tells.
#[must_use]
pub fn resident_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb / 1024)
}
