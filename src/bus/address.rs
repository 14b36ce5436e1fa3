//! Where the bus is, as a setting. It may hold a password, so it is shown by its hosts alone.

use crate::server_address;
use async_nats::ServerAddr;
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::str::FromStr;

/// By which way nodes tell one another.
#[derive(Clone)]
pub enum Address {
    /// NATS servers of one cluster.
    Nats(Vec<ServerAddr>),
    /// A PostgreSQL server, by a connection of its own.
    Postgres(Box<PgConnectOptions>),
    /// The database itself.
    Database,
}

/// Not the address of a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bus is nats://host:4222 (or tls://, several with commas), postgres://… or the word postgres")]
pub struct NoBus;

impl FromStr for Address {
    type Err = NoBus;

    fn from_str(text: &str) -> Result<Self, NoBus> {
        if text == "postgres" {
            return Ok(Self::Database);
        }
        let scheme = text.split_once("://").ok_or(NoBus)?.0;
        match scheme {
            "nats" | "tls" => {
                let servers = text.split(',').map(|one| {
                    let server = one.parse::<ServerAddr>().map_err(|_| NoBus)?;
                    (server.scheme() == scheme && !server.host().is_empty()).then_some(server).ok_or(NoBus)
                });
                Ok(Self::Nats(servers.collect::<Result<_, _>>()?))
            }
            _ => Ok(Self::Postgres(Box::new(server_address::read(text).ok_or(NoBus)?))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nats(servers) => {
                for (index, server) in servers.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{}://{}:{}", server.scheme(), server.host(), server.port())?;
                }
                Ok(())
            }
            Self::Postgres(options) => match options.get_socket() {
                Some(socket) => write!(f, "postgres://?host={}", socket.display()),
                None => write!(f, "postgres://{}:{}", options.get_host(), options.get_port()),
            },
            Self::Database => f.write_str("postgres"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;
    use sqlx::postgres::PgSslMode;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (given, shown) in [
            ("nats://127.0.0.1:4333", "nats://127.0.0.1:4333"),
            ("nats://sam:s3cret@bus.internal", "nats://bus.internal:4222"),
            ("tls://s3cret@a:4222,tls://sam:s3cret@b:4223", "tls://a:4222,tls://b:4223"),
            ("postgres://candor:s3cret@db:5433/candor?password=s3cret", "postgres://db:5433"),
            ("POSTGRES://candor:s3cret@db/candor", "postgres://db:5432"),
            ("postgres:///candor?host=/run/postgresql&password=s3cret", "postgres://?host=/run/postgresql"),
            ("postgres", "postgres"),
        ] {
            let address: Address = given.parse().unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.to_owned(), shown.to_owned()), "{given}");
        }
    }

    #[test]
    fn the_way_to_another_machine_is_as_safe_as_the_databases() {
        let mode = |given: &str| match given.parse::<Address>().unwrap() {
            Address::Postgres(options) => options.get_ssl_mode(),
            other => panic!("{other} is no database"),
        };
        assert!(matches!(mode("postgres://candor@db.example/candor"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://candor@db.example/candor?sslmode=require"), PgSslMode::Require));
    }

    #[test]
    fn others_are_refused_without_repeating_them() {
        for bad in ["", "redis://s3cret@host", "host:4222", "nats://", "nats://a,tls://b", "ws://a", "postgres://:x:y@"]
        {
            let why = bad.parse::<Address>().unwrap_err().to_string();
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
