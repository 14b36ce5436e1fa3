//! The way to a PostgreSQL server: the same for what is stored there and for the bus, passwords and all.

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::str::FromStr as _;

/// Reads `postgres://user@host:port/database?settings`; none if it is no such address. What travels between machines
/// is encrypted, to the right server, unless the address or `PGSSLMODE` says otherwise.
#[must_use]
pub fn read(url: &str) -> Option<PgConnectOptions> {
    if !is_server(url) {
        return None;
    }
    let place = PgConnectOptions::from_str(url).ok()?;
    let settings = url.split_once('?').map_or("", |(_, settings)| settings);
    let said = settings.split('&').any(|setting| setting.starts_with("sslmode=") || setting.starts_with("ssl-mode="));
    let said = said || std::env::var_os("PGSSLMODE").is_some();
    let near = place.get_socket().is_some() || matches!(place.get_host(), "localhost" | "127.0.0.1" | "::1" | "[::1]");
    let near = near || place.get_host().starts_with('/');
    Some(if said || near { place } else { place.ssl_mode(PgSslMode::VerifyFull) })
}

/// Whether this is meant as the address of a server.
#[must_use]
pub fn is_server(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["postgres", "postgresql"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::read;
    use sqlx::postgres::PgSslMode;

    #[test]
    fn the_way_to_another_machine_is_safe_unless_the_address_says_otherwise() {
        let mode = |url: &str| read(url).unwrap().get_ssl_mode();
        for url in [
            "postgres://db.example/candor",
            "POSTGRES://db.example/candor",
            "postgres://u:sslmode=disable@10.0.0.7:5433/candor?user=x",
        ] {
            assert!(matches!(mode(url), PgSslMode::VerifyFull), "{url}");
        }
        for url in
            ["postgres://localhost/candor", "postgres://127.0.0.1/candor", "postgres:///candor?host=/run/postgresql"]
        {
            assert!(matches!(mode(url), PgSslMode::Prefer), "{url}");
        }
        assert!(matches!(mode("postgres://db.example/candor?user=x&sslmode=require"), PgSslMode::Require));
        assert!(read("mysql://db.example/candor").is_none());
    }
}
