//! The one list of settings. `--help` is its reference; every flag has an environment variable.

use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Settings of `candor serve`.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "CANDOR_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// SQLite database file; made if it does not exist.
    #[arg(long, env = "CANDOR_DATABASE", default_value = "data/candor.db")]
    pub database: PathBuf,
    /// Folder of the model [default: models/support-minilm beside the program or here].
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// Folder with the bot's prompts instead of the built-in demo shop's.
    #[arg(long, env = "CANDOR_PROMPTS")]
    pub prompts: Option<PathBuf>,
    /// The address that browsers use, for example `https://chat.example.com` (needed behind a proxy).
    #[arg(long, env = "CANDOR_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Origin of a page that may embed the widget, for example `https://shop.example.com` (repeatable).
    #[arg(long = "allow-origin", env = "CANDOR_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
    /// Start without the demo shop and its day of sample conversations.
    #[arg(long, env = "CANDOR_NO_DEMO")]
    pub no_demo: bool,
    /// Address on which Prometheus finds /metrics, for example 127.0.0.1:9100, apart from customers; without it nothing is counted.
    #[arg(long, env = "CANDOR_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Threads that read texts; 0 means one per core, which leaves none for everything else.
    #[arg(long, env = "CANDOR_THREADS", default_value_t = 1)]
    pub threads: usize,
    /// Texts that may wait for the model before further turns are read by rules.
    #[arg(long, env = "CANDOR_MODEL_QUEUE", default_value_t = 64)]
    pub model_queue: usize,
    /// Customers' open sockets at most; further ones are refused.
    #[arg(long, env = "CANDOR_SOCKETS", default_value_t = 10_000)]
    pub sockets: usize,
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Not an origin.
    #[error("{flag}: {value:?} is not an origin (scheme://host or scheme://host:port, nothing after it)")]
    Origin {
        /// The flag.
        flag: &'static str,
        /// What was given.
        value: String,
    },
    /// Listening for others without saying under which address.
    #[error("--listen {0} serves other machines: say with --public-url under which address browsers reach it")]
    NoPublicUrl(SocketAddr),
}

impl Config {
    /// Checks the settings against one another.
    ///
    /// # Errors
    /// The first setting that cannot work, with the flag's name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (flag, value) in self
            .public_url
            .iter()
            .map(|value| ("--public-url", value))
            .chain(self.allow_origin.iter().map(|value| ("--allow-origin", value)))
        {
            if !is_origin(value) {
                return Err(ConfigError::Origin { flag, value: value.clone() });
            }
        }
        if !self.listen.ip().is_loopback() && self.public_url.is_none() {
            return Err(ConfigError::NoPublicUrl(self.listen));
        }
        Ok(())
    }

    /// The address under which browsers reach this server, without a slash at the end. `bound` is
    /// where it listens.
    #[must_use]
    pub fn origin(&self, bound: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{bound}"))
    }

    /// Origins that are this server itself.
    #[must_use]
    pub fn own_origins(&self, bound: SocketAddr) -> Vec<String> {
        let mut own = vec![self.origin(bound)];
        if bound.ip().is_loopback() {
            own.extend([format!("http://{bound}"), format!("http://localhost:{}", bound.port())]);
        }
        own
    }

    /// The model folder: the one asked for, else the committed one beside the program or in the
    /// working directory. `None` if there is none.
    #[must_use]
    pub fn model_folder(&self) -> Option<PathBuf> {
        find_models(self.models.as_deref())
    }
}

/// The model folder for a `--models` value.
#[must_use]
pub fn find_models(asked: Option<&Path>) -> Option<PathBuf> {
    const COMMITTED: &str = "models/support-minilm";
    if let Some(asked) = asked {
        return Some(asked.to_owned());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(COMMITTED)));
    beside.into_iter().chain([PathBuf::from(COMMITTED)]).find(|folder| folder.is_dir())
}

fn is_origin(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    matches!(scheme, "http" | "https")
        && !rest.is_empty()
        && !rest.contains(['/', '?', '#', '@', ' ', '*'])
        && value == value.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError, is_origin};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        config: Config,
    }

    fn parse(flags: &[&str]) -> Config {
        Line::parse_from(std::iter::once(&"candor").chain(flags)).config
    }

    #[test]
    fn origins_are_scheme_host_and_port_only() {
        for good in ["https://shop.example", "http://127.0.0.1:8080", "http://[::1]:80"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in
            ["shop.example", "https://shop.example/", "https://*.example", "ftp://x", "https://A.example", "null"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn serving_others_needs_a_public_address() {
        let config = parse(&["--listen", "0.0.0.0:8080"]);
        assert_eq!(config.validate(), Err(ConfigError::NoPublicUrl(config.listen)));
        assert_eq!(parse(&["--listen", "0.0.0.0:8080", "--public-url", "https://chat.example"]).validate(), Ok(()));
        assert_eq!(parse(&[]).validate(), Ok(()));
    }

    #[test]
    fn loopback_has_two_names() {
        let config = parse(&[]);
        assert_eq!(
            config.own_origins(config.listen),
            ["http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://localhost:8080"]
        );
    }
}
