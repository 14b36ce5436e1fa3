//! Databases on the PostgreSQL server that `tests/run` starts (`tests/postgres`): each test makes one and drops it.

use sqlx::{Connection as _, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the server is, as `tests/postgres start` prints it.
const VARIABLE: &str = "TEST_POSTGRES_URL";

/// Databases that this process has made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// An empty database of one test's own.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
    pub(crate) url: String,
}

impl TestDatabase {
    /// None, with a word about it, where no server was started for the tests.
    pub(crate) async fn create() -> Option<Self> {
        let Ok(server) = std::env::var(VARIABLE) else {
            println!("skipped: {VARIABLE} is not set");
            return None;
        };
        let name = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&server).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let url = with_database(&server, &name);
        Some(Self { server, name, url })
    }

    /// Removes it, whoever is still connected.
    pub(crate) async fn drop(self) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// The same address with another database.
fn with_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (place, settings) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap();
    format!("{scheme}://{authority}/{name}?{settings}")
}
