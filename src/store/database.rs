//! The two databases behind one face: a connection that takes a statement, its values and the rows that come
//! back, whichever database it leads to. The set is closed, so nothing here is chosen at run time but by `match`.

use super::postgres::{self, Postgres};
use super::readers::Readers;
use super::sql::{Sql, sql};
use super::sqlite::{DatabaseFile, StorageHealth};
use super::writer::Writer;
use super::{Error, Result};
use futures_util::future::BoxFuture;
use futures_util::{Stream, TryStreamExt as _};
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Encode, FromRow, PgConnection, Sqlite, SqliteConnection, Type};
use tokio::sync::MappedMutexGuard;

/// A value that both databases can be given.
pub(super) trait Value<'q>:
    Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, sqlx::Postgres> + Type<sqlx::Postgres>
{
}

impl<'q, T> Value<'q> for T where
    T: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, sqlx::Postgres> + Type<sqlx::Postgres>
{
}

/// A value that a row of either database can be read as.
pub(super) trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// Where the data is.
#[derive(Clone, Debug)]
pub(super) enum Database {
    /// A file: connections that read, and one that writes.
    Sqlite { readers: Readers, writer: Writer, file: DatabaseFile },
    /// A server: every connection reads and writes.
    Postgres(Postgres),
}

impl Database {
    /// A connection to read with, as soon as there is one.
    pub(super) async fn read(&self) -> Result<Reader<'_>> {
        match self {
            Self::Sqlite { readers, .. } => readers.get().await.map(Reader::Sqlite),
            Self::Postgres(server) => server.get().await.map(Reader::Postgres),
        }
    }

    /// Runs `job` in a transaction and returns once it is durable; an error undoes what it wrote.
    /// [`Error::Busy`] at once if too much waits. In PostgreSQL a job may run again after a deadlock.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Clone + Send + 'static,
    {
        match self {
            Self::Sqlite { writer, .. } => writer.write(job).await,
            Self::Postgres(server) => server.write(job).await,
        }
    }

    /// The same for a job that writes with one statement, or none: it needs no transaction of its own.
    pub(super) async fn write_single<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Clone + Send + 'static,
    {
        match self {
            Self::Sqlite { writer, .. } => writer.write_single(job).await,
            Self::Postgres(server) => server.write_single(job).await,
        }
    }

    /// The same as [`write`](Self::write) for work in the background: it leaves room for what is urgent, and waits
    /// for its place however much waits.
    pub(super) async fn write_in_background<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(Connection<'c>) -> BoxFuture<'c, Result<T>> + Clone + Send + 'static,
    {
        match self {
            Self::Sqlite { writer, .. } => writer.write_in_background(job).await,
            Self::Postgres(server) => server.write_in_background(job).await,
        }
    }

    /// Urgent writes that wait for their place.
    pub(super) fn writes_waiting(&self) -> usize {
        match self {
            Self::Sqlite { writer, .. } => writer.urgent_waiting(),
            Self::Postgres(server) => server.urgent_waiting(),
        }
    }

    /// Whether it can do its work, and what is wrong if it cannot. What a server has is its own to tell: whether it
    /// answers shows at the next statement.
    pub(super) fn health(&self) -> StorageHealth {
        match self {
            Self::Sqlite { file, .. } => file.health(),
            Self::Postgres(_) => StorageHealth::sound(),
        }
    }

    /// False once nothing can be written any more.
    pub(super) fn is_running(&self) -> bool {
        match self {
            Self::Sqlite { writer, .. } => writer.is_running(),
            Self::Postgres(server) => server.is_running(),
        }
    }

    /// Asks it something; false if a server answers that it takes no writes.
    pub(super) async fn answers(&self) -> Result<bool> {
        match self {
            Self::Sqlite { readers, .. } => {
                let mut reader = Reader::Sqlite(readers.get().await?);
                reader.query(sql!("SELECT 1")).execute().await?;
                Ok(true)
            }
            Self::Postgres(server) => server.is_writable().await,
        }
    }

    /// Commits what is queued, then closes the connections and lets others have the file.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer, file } => {
                writer.stop().await;
                file.stop().await;
                readers.close().await;
                file.release();
            }
            Self::Postgres(server) => server.close().await,
        }
    }
}

/// A connection that nobody else uses for the moment.
pub(super) enum Reader<'a> {
    Sqlite(MappedMutexGuard<'a, SqliteConnection>),
    Postgres(PoolConnection<sqlx::Postgres>),
}

impl Reader<'_> {
    /// Begins a statement.
    pub(super) fn query(&mut self, statement: Sql) -> Query<'_> {
        match self {
            Self::Sqlite(connection) => Query::on(Connection::Sqlite(connection), statement),
            Self::Postgres(connection) => Query::on(Connection::Postgres(connection), statement),
        }
    }
}

/// A connection of either database, inside the transaction of whoever lent it.
pub(super) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Connection<'_> {
    /// Begins a statement.
    pub(super) fn query(&mut self, statement: Sql) -> Query<'_> {
        match self {
            Self::Sqlite(connection) => Query::on(Connection::Sqlite(connection), statement),
            Self::Postgres(connection) => Query::on(Connection::Postgres(connection), statement),
        }
    }
}

/// A statement with its values. The first value that cannot be encoded is reported when it is sent.
pub(super) struct Query<'c> {
    target: Target<'c>,
    refused: Option<BoxDynError>,
}

enum Target<'c> {
    Sqlite(&'c mut SqliteConnection, &'static str, SqliteArguments),
    Postgres(&'c mut PgConnection, &'static str, PgArguments),
}

impl<'c> Query<'c> {
    fn on(connection: Connection<'c>, statement: Sql) -> Self {
        let target = match connection {
            Connection::Sqlite(connection) => Target::Sqlite(connection, statement.sqlite, SqliteArguments::default()),
            Connection::Postgres(connection) => {
                Target::Postgres(connection, statement.postgres, PgArguments::default())
            }
        };
        Self { target, refused: None }
    }

    /// Adds the next value: `$1` first.
    pub(super) fn bind<'q, T: Value<'q>>(mut self, value: T) -> Self {
        let added = match &mut self.target {
            Target::Sqlite(_, _, arguments) => arguments.add(value),
            Target::Postgres(_, _, arguments) => arguments.add(value),
        };
        if let Err(error) = added {
            self.refused.get_or_insert(error);
        }
        self
    }

    fn ready(self) -> Result<Target<'c>> {
        match self.refused {
            None => Ok(self.target),
            Some(error) => Err(sqlx::Error::Encode(error).into()),
        }
    }

    /// All rows; none where this database has nothing to do.
    pub(super) async fn fetch_all<T: Record>(self) -> Result<Vec<T>> {
        match self.ready()? {
            Target::Sqlite(_, "", _) | Target::Postgres(_, "", _) => Ok(Vec::new()),
            Target::Sqlite(connection, sql, arguments) => {
                Ok(sqlx::query_as_with(sql, arguments).fetch_all(connection).await?)
            }
            Target::Postgres(connection, sql, arguments) => {
                sqlx::query_as_with(sql, arguments).fetch_all(connection).await.map_err(postgres::classify)
            }
        }
    }

    /// The rows up to the one that is enough.
    pub(super) async fn fetch_until<T: Record>(self, is_enough: impl FnMut(&T) -> bool + Send) -> Result<Vec<T>> {
        match self.ready()? {
            Target::Sqlite(connection, sql, arguments) => {
                Ok(collect_until(sqlx::query_as_with(sql, arguments).fetch(connection), is_enough).await?)
            }
            Target::Postgres(connection, sql, arguments) => {
                let rows = sqlx::query_as_with(sql, arguments).fetch(connection);
                collect_until(rows, is_enough).await.map_err(postgres::classify)
            }
        }
    }

    /// The first row, if there is one.
    pub(super) async fn fetch_optional<T: Record>(self) -> Result<Option<T>> {
        match self.ready()? {
            Target::Sqlite(connection, sql, arguments) => {
                Ok(sqlx::query_as_with(sql, arguments).fetch_optional(connection).await?)
            }
            Target::Postgres(connection, sql, arguments) => {
                sqlx::query_as_with(sql, arguments).fetch_optional(connection).await.map_err(postgres::classify)
            }
        }
    }

    /// The one row of a statement that always has one.
    pub(super) async fn fetch_one<T: Record>(self) -> Result<T> {
        self.fetch_optional().await?.ok_or(Error::Database(sqlx::Error::RowNotFound))
    }

    /// The first column of all rows.
    pub(super) async fn scalars<T>(self) -> Result<Vec<T>>
    where
        (T,): Record,
    {
        Ok(self.fetch_all::<(T,)>().await?.into_iter().map(|(value,)| value).collect())
    }

    /// The first column of the first row, if there is one.
    pub(super) async fn scalar_optional<T>(self) -> Result<Option<T>>
    where
        (T,): Record,
    {
        Ok(self.fetch_optional::<(T,)>().await?.map(|(value,)| value))
    }

    /// The first column of the one row.
    pub(super) async fn scalar<T>(self) -> Result<T>
    where
        (T,): Record,
    {
        Ok(self.fetch_one::<(T,)>().await?.0)
    }

    /// Carries it out and returns how many rows it changed. Nothing happens where this database has nothing to do.
    pub(super) async fn execute(self) -> Result<u64> {
        match self.ready()? {
            Target::Sqlite(_, "", _) | Target::Postgres(_, "", _) => Ok(0),
            Target::Sqlite(connection, sql, arguments) => {
                Ok(sqlx::query_with(sql, arguments).execute(connection).await?.rows_affected())
            }
            Target::Postgres(connection, sql, arguments) => {
                let done = sqlx::query_with(sql, arguments).execute(connection).await;
                Ok(done.map_err(postgres::classify)?.rows_affected())
            }
        }
    }
}

async fn collect_until<T>(
    mut rows: impl Stream<Item = sqlx::Result<T>> + Unpin,
    mut is_enough: impl FnMut(&T) -> bool,
) -> sqlx::Result<Vec<T>> {
    let mut taken = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let enough = is_enough(&row);
        taken.push(row);
        if enough {
            break;
        }
    }
    Ok(taken)
}
