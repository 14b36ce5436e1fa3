//! Logs and metrics. Ids, counts and times only: no text of a customer, no token, no address ever reaches one.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

/// Texts read, by `by`: `model`, `memory` (one that was read lately) or `rules`.
pub(crate) const READINGS: &str = "candor_readings_total";
/// Texts that the model should have read and rules did, by `reason`: `overloaded`, `late`, `failed` or `stopped`.
pub(crate) const FALLBACKS: &str = "candor_reading_fallbacks_total";
/// Turns whose words were looked into, by `outcome`: `stored`, `nothing` (one word) or `failed` (late, or the model).
pub(crate) const EXPLANATIONS: &str = "candor_explanations_total";
/// Texts of a batch.
pub(crate) const BATCH_TEXTS: &str = "candor_reading_batch_texts";
/// Seconds that the model took for a batch.
pub(crate) const BATCH_SECONDS: &str = "candor_reading_batch_seconds";

/// Every metric there is, with what it counts.
const METRICS: [(&str, Kind, &str); 5] = [
    (READINGS, Kind::Counter, "Texts read, by who read them: model, memory or rules"),
    (FALLBACKS, Kind::Counter, "Texts that rules read in the model's place, by reason"),
    (EXPLANATIONS, Kind::Counter, "Turns whose words were looked into after the answer, by outcome"),
    (BATCH_TEXTS, Kind::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), "Texts that the model read together"),
    (
        BATCH_SECONDS,
        Kind::Histogram(&[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
        "Seconds that the model took for a batch",
    ),
];

enum Kind {
    Counter,
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
    for (name, kind, _) in &METRICS {
        if let Kind::Histogram(ends) = kind {
            builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), ends)?;
        }
    }
    let handle = builder.install_recorder()?;
    for (name, kind, help) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Histogram(_) => metrics::describe_histogram!(name, help),
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
