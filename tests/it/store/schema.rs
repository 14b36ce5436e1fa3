//! Both migrated schemas say the same: tables, columns, what may be null, and what is unique or refers to what. And
//! how a schema of another version is met.

use crate::postgres::TestDatabase;
use candor::clock::Clock;
use candor::store::{Archive, Error, Location, Options, Store};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tempfile::TempDir;

/// By table and column: the type in SQLite's terms, and whether it must have a value.
type Columns = BTreeMap<(String, String), (String, bool)>;
/// Table, columns, and whether it holds for some rows only.
type Keys = BTreeSet<(String, String, bool)>;
/// Table, column, and the table that it refers to, with what a deletion there does here.
type References = BTreeSet<(String, String, String, String)>;

#[derive(Debug, PartialEq)]
struct Schema {
    columns: Columns,
    keys: Keys,
    references: References,
}

async fn of_sqlite(path: &Path) -> Schema {
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let columns: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT t.name, c.name, c.type, c.\"notnull\" FROM pragma_table_list t JOIN pragma_table_info(t.name) c
         WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let keys: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT t.name, (SELECT GROUP_CONCAT(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)),
                i.partial
         FROM pragma_table_list t JOIN pragma_index_list(t.name) i
         WHERE t.schema = 'main' AND t.type = 'table' AND i.\"unique\" = 1 AND t.name NOT LIKE '\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let references: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT t.name, f.\"from\", f.\"table\", f.on_delete FROM pragma_table_list t
         JOIN pragma_foreign_key_list(t.name) f WHERE t.schema = 'main' AND t.type = 'table'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    Schema {
        columns: columns.into_iter().map(|(table, column, kind, set)| ((table, column), (kind, set))).collect(),
        keys: keys.into_iter().collect(),
        references: references.into_iter().collect(),
    }
}

async fn of_postgres(url: &str) -> Schema {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let columns: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO'
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let keys: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT t.relname::text, (SELECT string_agg(a.attname, ',' ORDER BY k.place)
                  FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
                  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number), i.indpred IS NOT NULL
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
         WHERE i.indisunique AND n.nspname = 'public' AND t.relname NOT LIKE '\\_%'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let references: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT t.relname::text, a.attname::text, o.relname::text,
                CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'a' THEN 'NO ACTION' ELSE 'other' END
         FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let translate = |kind: &str| match kind {
        "uuid" | "bytea" => "BLOB",
        "bigint" | "boolean" => "INTEGER",
        "double precision" => "REAL",
        "text" | "jsonb" => "TEXT",
        other => panic!("the portable types do not have {other}"),
    };
    let columns =
        columns.into_iter().map(|(table, column, kind, set)| ((table, column), (translate(&kind).to_owned(), set)));
    Schema {
        columns: columns.collect(),
        keys: keys.into_iter().collect(),
        references: references.into_iter().collect(),
    }
}

fn migrations(database: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn each_step_has_a_twin() {
    assert_eq!(migrations("sqlite"), migrations("postgres"));
}

#[tokio::test]
async fn schemas_agree() {
    let Some(database) = TestDatabase::create().await else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("candor.db");
    Store::open(&path, Clock::System).await.unwrap().close().await;
    Store::open(Location::from(&database.url), Clock::System).await.unwrap().close().await;
    let (sqlite, postgres) = (of_sqlite(&path).await, of_postgres(&database.url).await);
    assert!(sqlite.columns.len() > 90 && sqlite.keys.len() > 12 && sqlite.references.len() > 10, "{sqlite:#?}");
    assert_eq!(sqlite, postgres);
    database.drop().await;
}

#[tokio::test]
async fn a_schema_of_another_version_is_met_with_a_word() {
    let Some(database) = TestDatabase::create().await else { return };
    let open = async |migrate| {
        let options = Options { migrate, ..Options::default() };
        Store::open_with(Location::from(&database.url), options, Clock::System).await
    };
    let empty = open(false).await;
    assert!(matches!(empty, Err(Error::OtherSchema { found: None, expected: Some(_) })), "{empty:?}");
    // Several servers that start at once on an empty database.
    let (one, other) = tokio::join!(open(true), open(true));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.epoch(), other.epoch());
    one.close().await;
    other.close().await;
    open(false).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    // A newer version was here: what it did only adds.
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT version + 1, 'later', TRUE, checksum, 0 FROM _sqlx_migrations ORDER BY version DESC LIMIT 1",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    open(true).await.unwrap().close().await;
    open(false).await.unwrap().close().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version > 3").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let old = open(false).await;
    assert!(matches!(old, Err(Error::OtherSchema { found: Some(3), expected: Some(_) })), "{old:?}");
    let archive = Archive::open(Location::from(&database.url)).await;
    assert!(matches!(archive, Err(Error::OtherSchema { found: Some(3), .. })), "{archive:?}");
    database.drop().await;
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_refused_without_its_secrets() {
    for url in ["postgres://u:s3cret@127.0.0.1:1/x", "postgres://u:s3cret@host:port/x", "postgres://u:s3cret@"] {
        let error = Store::open(url, Clock::System).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}
