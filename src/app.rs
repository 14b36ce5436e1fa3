//! Everything that the parts share, built once at start and handed to each of them.

use crate::bus::Bus;
use crate::chat::accounts::Accounts;
use crate::chat::attachments::Attachments;
use crate::chat::decisions::Decisions;
use crate::chat::presence::Desk;
use crate::chat::queue::Queue;
use crate::chat::reload::Reload;
use crate::chat::turn::TurnOrder;
use crate::clock::Clock;
use crate::config::Config;
use crate::dialogue::Prompts;
use crate::domain::NodeId;
use crate::egress::Egress;
use crate::nlu::{Intents, Nlu, Stage};
use crate::secret::Secrets;
use crate::store::Store;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, watch};
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
    /// This run of this process, among all that share the database.
    pub node: NodeId,
    /// Hints between tasks and between nodes.
    pub bus: Bus,
    /// The bot.
    pub bot: CurrentBot,
    /// How the bot's files were last read again.
    pub reload: Reload,
    /// The way out to other systems.
    pub egress: Egress,
    /// What requests to them may carry.
    pub secrets: Secrets,
    /// Who is at the desk.
    pub desk: Desk,
    /// Guards of the accounts.
    pub accounts: Accounts,
    /// Who waits for a person, as they are told.
    pub queue: Queue,
    /// Customers' files; none if the business takes none.
    pub attachments: Option<Attachments>,
    /// Wakes the task that delivers the outbox.
    pub outbox_news: Notify,
    /// Order of turns within a conversation.
    pub turns: TurnOrder,
    /// Where turns are read and decided.
    pub decisions: Decisions,
    /// Room for turns that are being read and decided: more at a time would only take the processor away from
    /// messages that are waiting to be stored.
    pub judging: Semaphore,
    /// Room for them while messages wait to be stored and have done so for long.
    pub judging_pressed: Semaphore,
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

/// A bot: what it says, what reads its customers' texts, and what tells its intents apart, fitted on the phrases of
/// these very prompts by this very reader.
pub struct Bot {
    /// What it says and when.
    pub prompts: Arc<Prompts>,
    /// The reader of texts.
    pub nlu: Nlu,
    /// What its customers' texts are read with.
    pub intents: Arc<Intents>,
}

/// The bot that answers now. It is replaced as a whole, and whoever began with one ends with it.
pub struct CurrentBot(watch::Sender<Arc<Bot>>);

impl CurrentBot {
    /// The first one.
    #[must_use]
    pub fn new(bot: Bot) -> Self {
        Self(watch::Sender::new(Arc::new(bot)))
    }

    /// Puts another one in its place.
    pub fn replace(&self, bot: Bot) {
        self.0.send_replace(Arc::new(bot));
    }

    /// Waits until it is known whether a model reads: until then keyword rules do.
    pub async fn settled(&self) {
        let mut bots = self.0.subscribe();
        // The sender is this value itself, so it is there as long as somebody waits.
        let _ = bots.wait_for(|bot| bot.nlu.status().stage != Stage::Loading).await;
    }
}

impl App {
    /// The bot that answers now. A use case asks once, so that it does not see two.
    #[must_use]
    pub fn bot(&self) -> Arc<Bot> {
        Arc::clone(&self.bot.0.borrow())
    }

    /// What it says, for whoever reads no text.
    #[must_use]
    pub fn prompts(&self) -> Arc<Prompts> {
        Arc::clone(&self.bot().prompts)
    }
}
