//! Where a database is: a file for SQLite, or the address of a PostgreSQL server. An address may hold a password,
//! so it is shown without what comes before the host and after the database.

use crate::server_address::is_server;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// The place of a database.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL server.
    Server(ServerUrl),
}

/// `postgres://user@host:port/database?settings`.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The whole address, with its secrets.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Location {
    /// The whole address of a server, with its secrets: for another connection, never to be shown.
    pub(crate) fn address(&self) -> Option<&str> {
        match self {
            Self::File(_) => None,
            Self::Server(url) => Some(url.reveal()),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server(_) => None,
        }
    }
}

impl From<OsString> for Location {
    fn from(given: OsString) -> Self {
        match given.to_str() {
            Some(url) if is_server(url) => Self::Server(ServerUrl(url.to_owned())),
            _ => Self::File(given.into()),
        }
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::from(path.into_os_string())
    }
}

impl<T: AsRef<OsStr> + ?Sized> From<&T> for Location {
    fn from(given: &T) -> Self {
        Self::from(given.as_ref().to_owned())
    }
}

impl ServerUrl {
    /// Host, port and database, if it is certain which parts those are.
    fn place(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        // A sign that should have been escaped moves a password to where a host or a database is looked for.
        if after.contains('@') {
            return None;
        }
        let host = authority.rsplit('@').next()?;
        let port = host.rsplit_once(':').map_or("", |(_, port)| port.trim_end_matches(']'));
        if !port.chars().all(|sign| sign.is_ascii_digit() || (host.starts_with('[') && sign.is_ascii_hexdigit())) {
            return None;
        }
        let database = after.split(['?', '#']).next()?;
        rest.get(authority.len() - host.len()..authority.len() + database.len())
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}", self.place().unwrap_or("…"))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Location;
    use std::path::Path;

    #[test]
    fn a_path_is_a_file_and_an_address_is_a_server() {
        for path in ["data/candor.db", "postgres", "postgres:/x", "./postgres://x"] {
            assert_eq!(Location::from(path).path(), Some(Path::new(path)));
            assert_eq!(Location::from(path).to_string(), path);
        }
        for url in ["postgres://db/candor", "postgresql:///candor?host=/run", "POSTGRES://db"] {
            assert_eq!(Location::from(url).path(), None, "{url}");
        }
    }

    #[test]
    fn secrets_of_an_address_are_not_shown() {
        for url in [
            "postgres://candor:s3cret@db:5433/candor",
            "postgres://candor:s3cret@db:5433/candor?password=s3cret&sslkey=s3cret",
            "postgres://db/candor?password=x@s3cret",
            "postgres://candor:s3cret@s3cret@db:5433/candor#s3cret",
            "postgres://candor:a/s3cret?s3cret@db:5433/candor",
            "postgres://candor:1#s3cret@db:5433/candor",
            "postgres://candor:s3cret?x",
            "postgres://candor:s3cret",
        ] {
            let location = Location::from(url);
            for shown in [location.to_string(), format!("{location:?}")] {
                assert!(!shown.contains("s3cret") && !shown.contains("candor:"), "{url}: {shown}");
            }
        }
        let shown = |url: &str| Location::from(url).to_string();
        assert_eq!(shown("postgresql://u:p@db:5433/candor?sslmode=x"), "postgres://db:5433/candor");
        assert_eq!(shown("postgres://u:p@[::1]:5433/candor"), "postgres://[::1]:5433/candor");
        assert_eq!(shown("postgres://[fe80::a]/candor"), "postgres://[fe80::a]/candor");
        assert_eq!(shown("postgres:///candor?host=/run/postgresql"), "postgres:///candor");
    }
}
