//! Logs and metrics. Ids, counts and times only: no text of a customer, no token, no address ever reaches one.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

/// Texts read, by `by`: `model`, `memory` (one that was read lately) or `rules`.
pub(crate) const READINGS: &str = "candor_readings_total";
/// Texts that the model should have read and rules did, by `reason`: `loading`, `overloaded`, `late`, `failed` or
/// `stopped`.
pub(crate) const FALLBACKS: &str = "candor_reading_fallbacks_total";
/// Turns whose words were looked into, by `outcome`: `stored`, `nothing` (one word) or `failed` (late, or the model).
pub(crate) const EXPLANATIONS: &str = "candor_explanations_total";
/// Texts of a batch.
pub(crate) const BATCH_TEXTS: &str = "candor_reading_batch_texts";
/// Seconds that the model took for a batch.
pub(crate) const BATCH_SECONDS: &str = "candor_reading_batch_seconds";

/// Open sockets, by `kind`: `customer` or `desk`.
pub(crate) const SOCKETS: &str = "candor_sockets";
/// Seconds from a customer's frame to its durable ack being ready to send.
pub(crate) const ACK_SECONDS: &str = "candor_ack_seconds";
/// Seconds of one customer turn, by `stage`: `wait` (for room), `decide` (reading and deciding), `lookup` (another
/// system), `store`, and `answer` (from the customer's message to the stored answer).
pub(crate) const TURN_SECONDS: &str = "candor_turn_seconds";
/// Decided turns, by `action`.
pub(crate) const TURNS: &str = "candor_turns_total";
/// Offers of a person and hand-overs, by `action` and their first `reason`.
pub(crate) const ESCALATIONS: &str = "candor_escalations_total";
/// Conversations that wait for a person.
pub(crate) const WAITING: &str = "candor_waiting_conversations";
/// Waits that ended with a person, by `promise`: `kept`, `late` or `none` (nothing was said about the wait).
pub(crate) const WAITS: &str = "candor_waits_total";
/// Seconds from a hand-over to the person who took it.
pub(crate) const WAIT_SECONDS: &str = "candor_wait_seconds";
/// Attempts to deliver what leaves the server, by `kind` and `outcome`: `delivered`, `again` or `given_up`.
pub(crate) const DELIVERIES: &str = "candor_deliveries_total";

/// Transactions of the writer that became durable.
pub(crate) const COMMITS: &str = "candor_store_commits_total";
/// Writes that shared a transaction.
pub(crate) const COMMIT_ITEMS: &str = "candor_store_commit_items";
/// Seconds from a transaction's begin until it was durable.
pub(crate) const COMMIT_SECONDS: &str = "candor_store_commit_seconds";
/// Writes that wait for the next transaction, by `queue`: `urgent` (somebody waits at a socket) or `background`.
pub(crate) const STORE_QUEUE: &str = "candor_store_queue";
/// Writes that were refused as busy: too many waited, or storage did not take them.
pub(crate) const STORE_REFUSED: &str = "candor_store_refused_total";
/// Faults of the database file, by `class`: `full`, `io_write`, `io_fsync`, `damaged` and so on.
pub(crate) const STORE_ERRORS: &str = "candor_store_errors_total";
/// 1 while storage takes writes, else 0.
pub(crate) const STORE_WRITABLE: &str = "candor_store_writable";
/// Checks of the database after an unclean stop, by `outcome`: `sound`, `damaged` or `unfinished`.
pub(crate) const STORE_CHECKS: &str = "candor_store_checks_total";
/// Seconds that a checkpoint took, by `kind`: `passive`, `truncate`, or `writer` (between two transactions).
pub(crate) const CHECKPOINT_SECONDS: &str = "candor_store_checkpoint_seconds";
/// Bytes of the write-ahead log.
pub(crate) const WAL_BYTES: &str = "candor_store_wal_bytes";
/// Bytes that the database's file system has left.
pub(crate) const DISK_FREE_BYTES: &str = "candor_store_disk_free_bytes";

/// Signals sent to other nodes.
pub(crate) const SIGNALS_SENT: &str = "candor_signals_sent_total";
/// Signals of other nodes.
pub(crate) const SIGNALS_RECEIVED: &str = "candor_signals_received_total";
/// Signals that other nodes were not told, because too many waited or the bus could not be reached; they look again.
pub(crate) const SIGNALS_DROPPED: &str = "candor_signals_dropped_total";
/// What came over the bus and was not understood, by `reason`: `malformed`, `later` (version) or `unknown` (kind).
pub(crate) const SIGNALS_IGNORED: &str = "candor_signals_ignored_total";
/// Conversations of which listeners were told because the database had changed, by `whom`: `customers` or `desks`.
pub(crate) const REPAIRS: &str = "candor_repairs_total";

/// Every metric there is, with what it counts.
const METRICS: &[(&str, Kind, &str)] = &[
    (READINGS, Kind::Counter, "Texts read, by who read them: model, memory or rules"),
    (FALLBACKS, Kind::Counter, "Texts that rules read in the model's place, by reason"),
    (EXPLANATIONS, Kind::Counter, "Turns whose words were looked into after the answer, by outcome"),
    (SIGNALS_SENT, Kind::Counter, "Signals sent to other nodes"),
    (SIGNALS_RECEIVED, Kind::Counter, "Signals of other nodes"),
    (SIGNALS_DROPPED, Kind::Counter, "Signals that other nodes were not told and look for"),
    (SIGNALS_IGNORED, Kind::Counter, "What came over the bus and was not understood, by reason"),
    (REPAIRS, Kind::Counter, "Conversations of which listeners were told after a look into the database, by whom"),
    (BATCH_TEXTS, Kind::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), "Texts that the model read together"),
    (
        BATCH_SECONDS,
        Kind::Histogram(&[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
        "Seconds that the model took for a batch",
    ),
    (SOCKETS, Kind::Gauge, "Open sockets, by kind: customer or desk"),
    (ACK_SECONDS, Kind::Histogram(LATENCIES), "Seconds from a customer's frame to its durable ack"),
    (
        TURN_SECONDS,
        Kind::Histogram(LATENCIES),
        "Seconds of one customer turn, by stage: wait, decide, lookup, store; answer is from message to stored answer",
    ),
    (TURNS, Kind::Counter, "Decided customer turns, by action"),
    (ESCALATIONS, Kind::Counter, "Offers of a person and hand-overs, by action and first reason"),
    (WAITING, Kind::Gauge, "Conversations that wait for a person"),
    (WAITS, Kind::Counter, "Waits that ended with a person, by promise: kept, late or none"),
    (
        WAIT_SECONDS,
        Kind::Histogram(&[5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0]),
        "Seconds from a hand-over to the person who took it",
    ),
    (DELIVERIES, Kind::Counter, "Attempts to deliver what leaves the server, by kind and outcome"),
    (COMMITS, Kind::Counter, "Transactions of the writer that became durable"),
    (COMMIT_ITEMS, Kind::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]), "Writes that shared a transaction"),
    (COMMIT_SECONDS, Kind::Histogram(&STORE_SECONDS), "Seconds from a transaction's begin until it was durable"),
    (STORE_QUEUE, Kind::Gauge, "Writes that wait for the next transaction, by queue"),
    (STORE_REFUSED, Kind::Counter, "Writes that were refused as busy"),
    (STORE_ERRORS, Kind::Counter, "Faults of the database file, by class"),
    (STORE_WRITABLE, Kind::Gauge, "1 while storage takes writes, else 0"),
    (STORE_CHECKS, Kind::Counter, "Checks of the database after an unclean stop, by outcome"),
    (CHECKPOINT_SECONDS, Kind::Histogram(&STORE_SECONDS), "Seconds that a checkpoint took, by kind"),
    (WAL_BYTES, Kind::Gauge, "Bytes of the write-ahead log"),
    (DISK_FREE_BYTES, Kind::Gauge, "Bytes that the database's file system has left"),
];

/// Upper ends in seconds for what a customer waits for at a socket.
const LATENCIES: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper ends for what the disk does.
const STORE_SECONDS: [f64; 11] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

enum Kind {
    Counter,
    Gauge,
    /// With the upper ends of its buckets.
    Histogram(&'static [f64]),
}

/// The process's metrics; the first call starts counting.
///
/// # Errors
/// Says so if something else in this process counts already.
pub(crate) fn metrics() -> Result<PrometheusHandle, String> {
    static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    HANDLE.get_or_init(|| install().map_err(|error| error.to_string())).clone()
}

fn install() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, kind, _) in METRICS {
        if let Kind::Histogram(ends) = kind {
            builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), ends)?;
        }
    }
    let handle = builder.install_recorder()?;
    for (name, kind, help) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram(_) => metrics::describe_histogram!(*name, *help),
        }
    }
    Ok(handle)
}

/// Starts logging to standard error: lines for people on a terminal, JSON for machines elsewhere.
/// `RUST_LOG` chooses what; the default is our own notices and others' warnings.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,candor=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { builder.compact().init() } else { builder.json().init() }
}
