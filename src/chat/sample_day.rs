//! The demo's day of sample conversations.
use super::Result;
use crate::app::App;
/// Fills.
///
/// # Errors
/// Storage.
pub async fn fill(_app: &App) -> Result<()> { Ok(()) }
