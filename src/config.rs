//! The one list of settings. `--help` is its reference; every flag has an environment variable.

use crate::bus;
use crate::egress::{Host, Url};
use crate::store::Location;
use clap::Args;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Shortest identity secret: as long as the hash that it keys (RFC 7518, 3.2).
const SECRET_BYTES: usize = 32;

/// Settings of `candor serve`.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "CANDOR_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// SQLite database file, made if it does not exist; or a PostgreSQL database (15 or later), for example
    /// `postgres://candor@db.example.com/candor`. A password is safer in this variable or in PGPASSFILE than in a flag.
    #[arg(long, env = "CANDOR_DATABASE", default_value = "data/candor.db", hide_env_values = true)]
    pub database: Location,
    /// Connections to a PostgreSQL server at most.
    #[arg(long, env = "CANDOR_DATABASE_CONNECTIONS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub database_connections: u32,
    /// Leave the schema of a PostgreSQL database as it is, and do not start if it is older than this version.
    #[arg(long, env = "CANDOR_NO_MIGRATE")]
    pub no_migrate: bool,
    /// How servers that share one PostgreSQL database tell one another that there is news: `nats://user:password@host:4222`
    /// (`tls://` encrypted; several with commas), `postgres://…` for connections that pass a pooler by, or `postgres` for the
    /// database's own address, which is the default. With SQLite there is one server and no bus.
    #[arg(long, env = "CANDOR_BUS", value_name = "ADDRESS", hide_env_values = true)]
    pub bus: Option<bus::Address>,
    /// Folder of the model [default: models/support-minilm beside the program or here].
    #[arg(long, env = "CANDOR_MODELS")]
    pub models: Option<PathBuf>,
    /// Folder with the bot's prompts instead of the built-in demo shop's; a change of its files is taken over while the
    /// server runs, and one that `candor doctor` would refuse is not.
    #[arg(long, env = "CANDOR_PROMPTS")]
    pub prompts: Option<PathBuf>,
    /// The address that browsers use, for example `https://chat.example.com` (needed behind a proxy).
    #[arg(long, env = "CANDOR_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Origin of a page that may embed the widget, for example `https://shop.example.com` (repeatable).
    #[arg(long = "allow-origin", env = "CANDOR_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
    /// A host that look-ups may ask although it is in a private network, also without TLS: `shop.internal` or
    /// `10.0.0.7:8080` (repeatable). All others are asked over https, on public addresses only.
    #[arg(
        long = "allow-private-host",
        env = "CANDOR_ALLOW_PRIVATE_HOST",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    pub allow_private_host: Vec<Host>,
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
    /// Secret of at least 32 bytes with which the business's own server signs who a customer is (docs/identity.md); without it everybody is anonymous.
    #[arg(long, env = "CANDOR_IDENTITY_SECRET", hide_env_values = true)]
    pub identity_secret: Option<Secret>,
    /// Let only customers in for whom the business's server has signed; needs --identity-secret.
    #[arg(long, env = "CANDOR_REQUIRE_IDENTITY")]
    pub require_identity: bool,
    /// Directory for pictures and PDF files that customers attach, made if it does not exist; without it they can attach none.
    /// Servers that share a database share it too, and a backup of the database does not have it.
    #[arg(long, env = "CANDOR_ATTACHMENTS", value_name = "DIRECTORY")]
    pub attachments: Option<PathBuf>,
    /// Customers' open sockets at most; further ones are refused.
    #[arg(long, env = "CANDOR_SOCKETS", default_value_t = 10_000)]
    pub sockets: usize,
    /// Address to which JSON is posted when something urgent waits for a person (`notify` in handoff.toml); it must be
    /// public and https, or its host allowed with --allow-private-host.
    #[arg(long, env = "CANDOR_ONCALL_WEBHOOK", hide_env_values = true)]
    pub oncall_webhook: Option<Url>,
    /// Mail address of the person who is told the same; needs --smtp.
    #[arg(long, env = "CANDOR_ONCALL_MAIL")]
    pub oncall_mail: Option<String>,
    /// Mail server, for example `smtps://user:password@mail.example.com` or `smtp://mail.example.com:587?tls=required`.
    #[arg(long, env = "CANDOR_SMTP", hide_env_values = true)]
    pub smtp: Option<String>,
    /// Sender of mail [default: the on-call address].
    #[arg(long, env = "CANDOR_SMTP_FROM")]
    pub smtp_from: Option<String>,
}

/// A setting that nobody may read: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
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
    /// A setting for being told of urgent matters that cannot work.
    #[error("{0}: {1}")]
    OnCall(&'static str, String),
    /// Listening for others without saying under which address.
    #[error("--listen {0} serves other machines: say with --public-url under which address browsers reach it")]
    NoPublicUrl(SocketAddr),
    /// A bus without anybody to meet on it.
    #[error("--bus: a SQLite database belongs to one server; several share a PostgreSQL database (docs/scaling.md)")]
    BusOfOne,
    /// A secret that can be guessed.
    #[error("--identity-secret has fewer than {SECRET_BYTES} bytes; make one with `openssl rand -base64 32`")]
    ShortSecret,
    /// Nobody could come in.
    #[error("--require-identity needs --identity-secret: without it nobody can be vouched for")]
    NobodyVouches,
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
        if self.identity_secret.as_ref().is_some_and(|secret| secret.bytes().len() < SECRET_BYTES) {
            return Err(ConfigError::ShortSecret);
        }
        if self.require_identity && self.identity_secret.is_none() {
            return Err(ConfigError::NobodyVouches);
        }
        self.bus_address()?;
        self.validate_oncall()
    }

    /// The way to the other servers of this database; none with SQLite.
    ///
    /// # Errors
    /// If a bus is asked for with SQLite, or the database's address is none.
    pub fn bus_address(&self) -> Result<Option<bus::Address>, ConfigError> {
        let server = self.database.address().and_then(|url| url.parse::<bus::Address>().ok());
        match (&self.bus, server) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfigError::BusOfOne),
            (None | Some(bus::Address::Database), server) => Ok(server),
            (Some(address), Some(_)) => Ok(Some(address.clone())),
        }
    }

    fn validate_oncall(&self) -> Result<(), ConfigError> {
        let smtp = self.smtp.as_deref();
        for (flag, address) in [("--oncall-mail", &self.oncall_mail), ("--smtp-from", &self.smtp_from)] {
            if address.as_deref().is_some_and(|address| address.parse::<lettre::Address>().is_err()) {
                return Err(ConfigError::OnCall(flag, "this is no mail address".to_owned()));
            }
        }
        if self.oncall_mail.is_some() != smtp.is_some() {
            return Err(ConfigError::OnCall("--oncall-mail", "it needs --smtp, and --smtp needs it".to_owned()));
        }
        let safe = |url: &str| {
            let starttls = url.starts_with("smtp://") && url.contains("tls=required");
            url.starts_with("smtps://") || starttls || is_near(url)
        };
        if smtp.is_some_and(|url| !safe(url)) {
            let how = "an smtps:// address, smtp:// with ?tls=required, or smtp:// on this machine";
            return Err(ConfigError::OnCall("--smtp", how.to_owned()));
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

    /// The hosts that may be asked wherever they lie: those allowed by name, and this server itself, whose
    /// demo shop the bot asks.
    #[must_use]
    pub fn allowed_hosts(&self, bound: SocketAddr) -> Vec<Host> {
        let own = Host::of_origin(&self.origin(bound)).ok();
        self.allow_private_host.iter().cloned().chain(own).collect()
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

/// Whether a mail server is on this machine, where nobody listens in between.
fn is_near(smtp: &str) -> bool {
    let Some(rest) = smtp.strip_prefix("smtp://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    matches!(host.rsplit_once(':').map_or(host, |(host, _)| host), "127.0.0.1" | "localhost")
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
    fn urgent_matters_leave_only_by_safe_ways() {
        let refused = |flags: &[&str]| parse(flags).validate().unwrap_err().to_string();
        assert!(Line::try_parse_from(["candor", "--oncall-webhook", "oncall"]).is_err());
        let mail = ["--oncall-mail", "sam@shop.example"];
        assert!(refused(&mail).contains("--smtp"));
        assert!(refused(&["--smtp", "smtps://mail.example"]).contains("--oncall-mail"));
        assert!(refused(&["--oncall-mail", "sam", "--smtp", "smtps://mail.example"]).contains("no mail address"));
        for url in ["smtp://u:p@mail.example:587", "smtp://127.0.0.1.example", "smtp://127.0.0.1@mail.example"] {
            assert!(refused(&[&mail[..], &["--smtp", url]].concat()).starts_with("--smtp: "), "{url}");
        }
        for url in ["smtps://u:p@mail.example", "smtp://mail.example:587?tls=required", "smtp://127.0.0.1:2525"] {
            assert_eq!(parse(&[&mail[..], &["--smtp", url]].concat()).validate(), Ok(()), "{url}");
        }
    }

    #[test]
    fn only_named_hosts_and_the_server_itself_may_be_private() {
        let config = parse(&["--allow-private-host", "shop.internal,10.0.0.7:8443"]);
        let allowed: Vec<String> = config.allowed_hosts(config.listen).iter().map(ToString::to_string).collect();
        assert_eq!(allowed, ["shop.internal", "10.0.0.7:8443", "127.0.0.1:8080"]);
        assert!(Line::try_parse_from(["candor", "--allow-private-host", "http://shop.internal"]).is_err());
    }

    #[test]
    fn a_bus_joins_servers_that_share_a_database() {
        let shown = |flags: &[&str]| parse(flags).bus_address().map(|address| address.map(|bus| bus.to_string()));
        assert_eq!(shown(&[]), Ok(None));
        for bus in ["nats://bus.internal", "postgres", "postgres://db/candor"] {
            assert_eq!(shown(&["--bus", bus]), Err(ConfigError::BusOfOne));
            assert_eq!(parse(&["--bus", bus]).validate(), Err(ConfigError::BusOfOne));
        }
        let shared = ["--database", "postgres://candor:s3cret@pooler:6432/candor"];
        let with = |bus: &str| shown(&[&shared[..], &["--bus", bus]].concat()).unwrap().unwrap();
        assert_eq!(shown(&shared), Ok(Some("postgres://pooler:6432".to_owned())));
        assert_eq!(with("postgres"), "postgres://pooler:6432");
        assert_eq!(with("postgres://db/candor"), "postgres://db:5432");
        assert_eq!(with("nats://candor:s3cret@bus.internal"), "nats://bus.internal:4222");
        assert!(Line::try_parse_from(["candor", "--bus", "redis://bus"]).is_err());
        let config = parse(&["--bus", "nats://candor:s3cret@bus.internal"]);
        assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    }

    #[test]
    fn a_secret_is_long_and_never_shown() {
        let config = parse(&["--identity-secret", "0123456789abcdef0123456789abcdef"]);
        assert_eq!(config.validate(), Ok(()));
        assert!(!format!("{config:?}").contains("0123"), "{config:?}");
        assert_eq!(parse(&["--identity-secret", "short"]).validate(), Err(ConfigError::ShortSecret));
        assert_eq!(parse(&["--require-identity"]).validate(), Err(ConfigError::NobodyVouches));
    }

    #[test]
    fn the_address_of_a_database_is_shown_without_its_secrets() {
        let config = parse(&["--database", "postgres://candor:s3cret@db.example/candor"]);
        assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
        assert_eq!(config.database.to_string(), "postgres://db.example/candor");
        assert_eq!(parse(&[]).database.path(), Some(std::path::Path::new("data/candor.db")));
        assert!(Line::try_parse_from(["candor", "--database-connections", "1"]).is_err());
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
