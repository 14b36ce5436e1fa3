//! Starting and stopping the server.

use crate::app::{App, Bot, CurrentBot, Shared};
use crate::chat::{accounts, handoff, lookup, outbox, reload, sample_day, upkeep};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::dialogue::Prompts;
use crate::domain::OTHER;
use crate::egress::{Egress, NoTls};
use crate::nlu::{self, IntentExamples, Nlu};
use crate::secret::Secrets;
use crate::store::{self, Store};
use crate::{http, prompt_files, telemetry};
use axum::serve::ListenerExt as _;
use std::net::SocketAddr;
use std::path::PathBuf;
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
/// How long a stop waits for work in progress.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

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
    #[error("{}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: store::Error,
    },
    /// A use case failed at start.
    #[error(transparent)]
    Chat(#[from] crate::chat::Error),
    /// Other systems cannot be asked.
    #[error(transparent)]
    Egress(#[from] NoTls),
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

/// Builds everything that a server needs: prompts, model, database, sample day.
///
/// # Errors
/// What is wrong, in words for the person who starts it.
pub async fn start(config: Config, listener: &TcpListener, clock: Clock) -> Result<Started, Error> {
    let begin = Instant::now();
    config.validate()?;
    let bound = listener.local_addr()?;
    let prompts = prompt_files::load(config.prompts.as_deref())?;
    let egress = Egress::new(config.allowed_hosts(bound))?;
    let secrets = Secrets::from_environment();
    lookup::check(&prompts, &egress, &secrets, &config.origin(bound)).map_err(prompt_files::Error::Wrong)?;
    let options = nlu::Options {
        models: config.model_folder(),
        queue: config.model_queue,
        threads: config.threads,
        engine: nlu::Engine::default(),
    };
    let examples = intent_examples(&prompts);
    let model = tokio::task::spawn_blocking(move || {
        let nlu = Nlu::start(options)?;
        let intents = nlu.fit(&examples)?;
        Ok::<_, nlu::Error>((nlu, intents))
    });
    let store = open_store(&config, clock.clone()).await?;
    if let Some(url) = &config.oncall_webhook {
        egress.check(url).map_err(|why| ConfigError::OnCall("--oncall-webhook", why.to_string()))?;
    }
    let (nlu, intents) = model.await.map_err(|_| Error::Interrupted)??;
    check_languages(&prompts, &nlu)?;
    let app = Arc::new(App {
        origin: config.origin(bound),
        own_origins: config.own_origins(bound),
        store,
        bus: Default::default(),
        nlu,
        bot: CurrentBot::new(Bot { prompts: Arc::new(prompts), intents }),
        reload: Default::default(),
        egress,
        secrets,
        desk: Default::default(),
        accounts: Default::default(),
        queue_news: Notify::new(),
        outbox_news: Notify::new(),
        turns: Default::default(),
        judging: Semaphore::new(JUDGED),
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
    Ok(Started { app, setup_token, took: begin.elapsed() })
}

/// The bot may speak only what the model was trained on.
fn check_languages(prompts: &Prompts, nlu: &Nlu) -> Result<(), Error> {
    let trained = nlu.languages();
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
    if let Some(folder) = config.database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    Store::open(&config.database, clock)
        .await
        .map_err(|source| Error::Database { path: config.database.clone(), source })
}

/// Serves until `app.stop` is cancelled, then ends in order: no new connections, goodbyes on the
/// sockets, work in progress, the model, the database.
///
/// # Errors
/// If the network fails.
pub async fn run(app: Shared, listener: TcpListener) -> Result<(), Error> {
    app.tasks.spawn(upkeep::run(Arc::clone(&app)));
    app.tasks.spawn(handoff::follow_queue(Arc::clone(&app)));
    app.tasks.spawn(outbox::run(Arc::clone(&app)));
    app.tasks.spawn(reload::run(Arc::clone(&app)));
    if !app.config.no_demo {
        let app = Arc::clone(&app);
        // Beside the server, whose demo shop the bot asks about orders.
        app.tasks.clone().spawn(async move {
            tokio::select! {
                () = app.stop.cancelled() => {}
                filled = sample_day::fill(&app) => {
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
    });
    axum::serve(listener, http::router(Arc::clone(&app)))
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await?;
    app.tasks.close();
    if tokio::time::timeout(STOP_DEADLINE, app.tasks.wait()).await.is_err() {
        tracing::warn!("some work was still going on and is cut off");
    }
    let nlu = app.nlu.clone();
    // Joins a thread: not for an async worker.
    let _ = tokio::task::spawn_blocking(move || nlu.stop()).await;
    app.store.close().await;
    Ok(())
}
