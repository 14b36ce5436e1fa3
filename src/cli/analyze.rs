//! Filled by its branch.
/// Arguments.
#[derive(clap::Args, Debug)]
pub struct Args {}
/// Runs.
///
/// # Errors
/// None.
pub fn run(_args: &Args) -> anyhow::Result<()> { Ok(()) }
