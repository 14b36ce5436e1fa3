//! Starting and stopping the server.

use crate::app::{App, Bot, CurrentBot, Shared};
use crate::attachment::Directory;
use crate::bus::{self, Bus};
use crate::chat::attachments::Attachments;
use crate::chat::decisions::Decisions;
use crate::chat::{accounts, lookup, outbox, presence, queue, reload, repair, sample_day, upkeep};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::dialogue::Prompts;
use crate::domain::{NodeId, OTHER};
use crate::egress::{Egress, NoTls};
use crate::nlu::{self, IntentExamples, Intents, Loading, Nlu, Stage};
use crate::secret::Secrets;
use crate::store::{self, Location, Store};
use crate::{http, prompt_files, telemetry};
use axum::serve::ListenerExt as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Open desks at most.
const DESKS: usize = 1_000;
/// Turns that are read and decided at a time.
const JUDGED: usize = 32;
/// How often values of histograms are sorted into their buckets.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);
/// How long a stop waits for requests in progress, and then for work in progress: five seconds in all with the rest.
const REQUESTS_DEADLINE: Duration = Duration::from_secs(1);
const STOP_DEADLINE: Duration = Duration::from_secs(3);
/// What the kernel keeps of what a client has not taken; it doubles this for its own use. Left to itself it would keep
/// megabytes for each slow reader.
const SEND_BUFFER: usize = 128 * 1024;

/// Why the server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The prompts are unreadable or wrong.
    #[error("prompts: {0}")]
    Prompts(#[from] prompt_files::Error),
    /// The model folder is damaged.
    #[error("model: {0}")]
    Model(#[from] nlu::Error),
    /// The bot is to speak a language that the model does not read.
    #[error(
        "prompts/languages.toml: `{language}` is in `supported`, but the model reads only {}: its intents and mood would be guesses",
        trained.join(", ")
    )]
    Language {
        /// The language.
        language: String,
        /// What the model was trained on.
        trained: Vec<String>,
    },
    /// The database could not be opened.
    #[error("{location}: {source}")]
    Database {
        /// Where it is.
        location: Location,
        /// Why.
        source: store::Error,
    },
    /// The other servers cannot be told anything.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// A use case failed at start.
    #[error(transparent)]
    Chat(#[from] crate::chat::Error),
    /// Other systems cannot be asked.
    #[error(transparent)]
    Egress(#[from] NoTls),
    /// Files could not be kept.
    #[error("--attachments {}: {source}", path.display())]
    Attachments {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The network failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The metrics cannot be served.
    #[error("metrics: {0}")]
    Metrics(String),
    /// A start-up task ended unexpectedly.
    #[error("start-up was interrupted")]
    Interrupted,
}

/// What the start found and made.
pub struct Started {
    /// The shared state.
    pub app: Shared,
    /// One-time token for making the first manager, if there is none yet.
    pub setup_token: Option<String>,
    /// Time from the first step until ready.
    pub took: Duration,
}

/// Builds what a server needs to take chats: prompts and database. The model is loaded meanwhile and afterwards;
/// until it is there, keyword rules read.
///
/// # Errors
/// What is wrong, in words for the person who starts it.
pub async fn start(config: Config, listener: &TcpListener, clock: Clock) -> Result<Started, Error> {
    let begin = Instant::now();
    config.validate()?;
    let bound = listener.local_addr()?;
    let options = nlu::Options {
        models: config.model_folder(),
        queue: config.model_queue,
        threads: config.threads,
        engine: nlu::Engine::default(),
    };
    let trained = nlu::languages_of(options.models.as_deref());
    let loading = if let Ok(Some(_)) = trained { Some(Loading::begin(options.clone())?) } else { None };
    let folder = config.prompts.clone();
    let prompts = tokio::task::spawn_blocking(move || prompt_files::load(folder.as_deref()));
    let prompts = prompts.await.map_err(|_| Error::Interrupted)??;
    log_step("prompts", begin);
    let egress = Egress::new(config.allowed_hosts(bound))?;
    let secrets = Secrets::from_environment();
    lookup::check(&prompts, &egress, &secrets, &config.origin(bound)).map_err(prompt_files::Error::Wrong)?;
    let trained = trained?;
    let nlu = match trained {
        Some(_) => Nlu::stand_in(options.queue, Stage::Loading, "it is being loaded".to_owned())?,
        None => Nlu::start(options)?,
    };
    check_languages(&prompts, trained.unwrap_or_else(|| nlu.languages()))?;
    let examples = intent_examples(&prompts);
    let intents = Intents::of_words(&examples);
    log_step("words", begin);
    let store = open_store(&config, clock.clone()).await?;
    let node = NodeId(clock.id());
    let bus = join(&config, &store, node).await?;
    if let Some(url) = &config.oncall_webhook {
        egress.check(url).map_err(|why| ConfigError::OnCall("--oncall-webhook", why.to_string()))?;
    }
    log_step("database", begin);
    let app = Arc::new(App {
        origin: config.origin(bound),
        own_origins: config.own_origins(bound),
        store,
        node,
        bus,
        bot: CurrentBot::new(Bot { prompts: Arc::new(prompts), nlu, intents: Arc::new(intents) }),
        reload: Default::default(),
        egress,
        secrets,
        desk: Default::default(),
        accounts: Default::default(),
        queue: Default::default(),
        attachments: open_attachments(&config)?,
        outbox_news: Notify::new(),
        turns: Default::default(),
        decisions: Decisions::start()?,
        judging: Semaphore::new(JUDGED),
        judging_pressed: Semaphore::new(1),
        sockets: Arc::new(Semaphore::new(config.sockets)),
        desk_sockets: Arc::new(Semaphore::new(DESKS)),
        clock,
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        config,
    });
    let setup_token = accounts::open_setup(&app).await?;
    if let Some(address) = app.config.metrics_listen {
        serve_metrics(&app, address).await?;
    }
    if let Some(loading) = loading {
        app.tasks.spawn(take_model(Arc::clone(&app), loading, examples));
    }
    Ok(Started { app, setup_token, took: begin.elapsed() })
}

/// How far the start is, for whoever looks for what makes it slow.
fn log_step(done: &str, begin: Instant) {
    tracing::debug!(done, ms = begin.elapsed().as_millis(), "a step of the start");
}

/// Puts the model in the place of the rules once it is loaded. Prompts are reloaded only after that, so those of the
/// start are the current ones.
async fn take_model(app: Shared, loading: Loading, examples: Vec<IntentExamples>) {
    let loaded = tokio::select! {
        () = app.stop.cancelled() => return,
        loaded = loading.finish(examples) => loaded,
    };
    let prompts = app.prompts();
    let (nlu, intents) = match loaded {
        Ok((nlu, intents)) => {
            let status = nlu.status();
            tracing::info!(version = status.version, load_ms = status.load_ms, "the model is loaded and reads");
            (nlu, intents)
        }
        Err(error) => {
            tracing::error!(%error, "the model cannot be loaded; keyword rules read");
            let Ok(nlu) = Nlu::stand_in(app.config.model_queue, Stage::Failed, error.to_string()) else { return };
            (nlu, Arc::clone(&app.bot().intents))
        }
    };
    app.bot.replace(Bot { prompts, nlu, intents });
}

/// The directory for customers' files, if they may attach any.
fn open_attachments(config: &Config) -> Result<Option<Attachments>, Error> {
    let Some(path) = &config.attachments else { return Ok(None) };
    let directory = Directory::open(path).map_err(|source| Error::Attachments { path: path.clone(), source })?;
    Ok(Some(Attachments::new(directory)))
}

/// Joins the other servers of this database. Alone, it ends what an earlier run left.
async fn join(config: &Config, store: &Store, node: NodeId) -> Result<Bus, Error> {
    match config.bus_address()? {
        Some(address) => Ok(Bus::open(&address, &format!("candor.{}", store.epoch()), node).await?),
        None => {
            store.end_other_nodes().await.map_err(crate::chat::Error::from)?;
            Ok(Bus::default())
        }
    }
}

/// The bot may speak only what the model was trained on.
fn check_languages(prompts: &Prompts, trained: Vec<String>) -> Result<(), Error> {
    match prompts.languages().supported().iter().find(|language| !trained.contains(language)) {
        Some(language) => Err(Error::Language { language: language.clone(), trained }),
        None => Ok(()),
    }
}

/// Counts, and serves what is counted.
async fn serve_metrics(app: &Shared, address: SocketAddr) -> Result<(), Error> {
    let counted = telemetry::metrics().map_err(Error::Metrics)?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Error::Metrics(format!("cannot listen on {address}: {error}")))?;
    let (stop, router) = (app.stop.clone(), http::metrics_router(counted.clone()));
    app.tasks.spawn(async move {
        let stopped = stop.clone();
        let served = axum::serve(listener, router).with_graceful_shutdown(async move { stopped.cancelled().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "the metrics are served no more");
        }
    });
    let stop = app.stop.clone();
    app.tasks.spawn(async move {
        // Values of histograms wait to be sorted into their buckets, also when nobody asks for them.
        while tokio::time::timeout(METRICS_UPKEEP, stop.cancelled()).await.is_err() {
            counted.run_upkeep();
        }
    });
    Ok(())
}

/// What the intent classifier learns from: the example phrases of every intent, what was heard beside them, and
/// what means none of the intents.
#[must_use]
pub fn intent_examples(prompts: &Prompts) -> Vec<IntentExamples> {
    let examples = |name: &str, phrases: &[String]| IntentExamples {
        name: name.to_owned(),
        phrases: phrases.to_vec(),
        heard: prompts.heard(name).to_vec(),
    };
    let known = prompts.intents().iter().map(|intent| examples(&intent.name, &intent.examples));
    known.chain((!prompts.heard(OTHER).is_empty()).then(|| examples(OTHER, &[]))).collect()
}

async fn open_store(config: &Config, clock: Clock) -> Result<Store, Error> {
    let folder = config.database.path().and_then(Path::parent);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let options = store::Options { connections: config.database_connections, migrate: !config.no_migrate };
    Store::open_with(config.database.clone(), options, clock)
        .await
        .map_err(|source| Error::Database { location: config.database.clone(), source })
}

/// Serves until `app.stop` is cancelled, then ends in order: no new connections, goodbyes on the
/// sockets, work in progress, the model, the database.
///
/// # Errors
/// If the network fails.
pub async fn run(app: Shared, listener: TcpListener) -> Result<(), Error> {
    app.tasks.spawn(upkeep::run(Arc::clone(&app)));
    app.tasks.spawn(queue::follow(Arc::clone(&app)));
    app.tasks.spawn(outbox::run(Arc::clone(&app)));
    app.tasks.spawn(presence::run(Arc::clone(&app)));
    if app.bus.is_relayed() {
        app.tasks.spawn(repair::run(Arc::clone(&app)));
    }
    app.tasks.spawn(reload::run(Arc::clone(&app)));
    if !app.config.no_demo {
        let app = Arc::clone(&app);
        // Beside the server, whose demo shop the bot asks about orders.
        app.tasks.clone().spawn(async move {
            tokio::select! {
                () = app.stop.cancelled() => {}
                // Its customers' texts are to be read as those of others will be.
                filled = async { app.bot.settled().await; sample_day::fill(&app).await } => {
                    if let Err(error) = filled {
                        tracing::error!(%error, "the sample day could not be written");
                    }
                }
            }
        });
    }
    let stop = app.stop.clone();
    // A chat frame is small and must not wait for the next one.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        if let Err(error) = socket2::SockRef::from(&*stream).set_send_buffer_size(SEND_BUFFER) {
            tracing::debug!(%error, "SO_SNDBUF could not be set");
        }
    });
    let stopped = stop.clone();
    let served = axum::serve(listener, http::router(Arc::clone(&app)))
        .with_graceful_shutdown(async move { stopped.cancelled().await });
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(REQUESTS_DEADLINE).await;
    };
    tokio::select! {
        served = served => served?,
        // A request that does not end, or a client that does not take its answer.
        () = late => tracing::warn!("some requests were still going on and are cut off"),
    }
    app.tasks.close();
    if tokio::time::timeout(STOP_DEADLINE, app.tasks.wait()).await.is_err() {
        tracing::warn!("some work was still going on and is cut off");
    }
    let nlu = app.bot().nlu.clone();
    // Joins a thread: not for an async worker.
    let _ = tokio::task::spawn_blocking(move || nlu.stop()).await;
    app.bus.close().await;
    app.store.close().await;
    Ok(())
}
