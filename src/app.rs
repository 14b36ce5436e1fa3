//! Everything that the parts share, built once at start and handed to each of them.

use crate::bus::Bus;
use crate::chat::accounts::Accounts;
use crate::chat::desk::Desk;
use crate::chat::turn::TurnOrder;
use crate::clock::Clock;
use crate::config::Config;
use crate::dialogue::Prompts;
use crate::nlu::Nlu;
use crate::store::Store;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The server's shared state.
pub struct App {
    /// Settings.
    pub config: Config,
    /// Address under which browsers reach this server, without a slash at the end.
    pub origin: String,
    /// Origins that are this server itself.
    pub own_origins: Vec<String>,
    /// The database.
    pub store: Store,
    /// Hints between tasks.
    pub bus: Bus,
    /// The reader of texts.
    pub nlu: Nlu,
    /// The bot.
    pub prompts: Prompts,
    /// HTTP client for lookups in the business's system.
    pub lookups: reqwest::Client,
    /// Who is at the desk.
    pub desk: Desk,
    /// Guards of the accounts.
    pub accounts: Accounts,
    /// Wakes the task that tells who waits of their place.
    pub queue_news: Notify,
    /// Order of turns within a conversation.
    pub turns: TurnOrder,
    /// Room for turns that are being read and decided: more at a time would only take the processor away from
    /// messages that are waiting to be stored.
    pub judging: Semaphore,
    /// Room for customers' sockets.
    pub sockets: Arc<Semaphore>,
    /// Room for desks, apart, so that customers cannot lock staff out.
    pub desk_sockets: Arc<Semaphore>,
    /// Time and ids.
    pub clock: Clock,
    /// Background tasks; a stop waits for them.
    pub tasks: TaskTracker,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

/// How the app is passed around.
pub type Shared = Arc<App>;
