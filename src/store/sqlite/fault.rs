//! Which errors of the database mean that the disk or the file is at fault, rather than the statement.
//! It knows SQLite's result codes (<https://www.sqlite.org/rescode.html>) and nothing of what is done about them.

use sqlx::error::DatabaseError;

/// What is wrong with the file or its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Fault {
    /// No space is left.
    Full,
    /// A read or a write failed.
    Io(&'static str),
    /// The system could not say that written bytes are on the disk: its cache can be trusted no more.
    Sync(&'static str),
    /// The file is not what SQLite wrote.
    Damaged,
    /// The file or its folder may not be written.
    ReadOnly,
    /// Another file, or none, stands where the database was opened.
    Moved,
    /// Another process holds the file's write lock.
    Locked,
    /// The connection's thread has ended.
    Connection,
}

/// Input and output errors by their extended code, with the name that metrics and logs use.
const IO: [(i64, &str); 12] = [
    (266, "io_read"),
    (522, "io_short_read"),
    (778, "io_write"),
    (1546, "io_truncate"),
    (1802, "io_stat"),
    (2570, "io_delete"),
    (4618, "io_shm_open"),
    (4874, "io_shm_size"),
    (5386, "io_shm_map"),
    (6154, "io_mmap"),
    (3850, "io_lock"),
    (3338, "io_access"),
];
/// Those after which it is unknown what the disk has.
const SYNC: [(i64, &str); 3] = [(1034, "io_fsync"), (1290, "io_dir_fsync"), (4106, "io_close")];

impl Fault {
    /// The fault behind an error; none if the statement or its values were at fault.
    pub(in crate::store) fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => Some(Self::Connection),
            sqlx::Error::Database(error) => Self::of_code(error.as_ref()),
            _ => None,
        }
    }

    fn of_code(error: &dyn DatabaseError) -> Option<Self> {
        let code: i64 = error.code()?.parse().ok()?;
        let name = |list: &[(i64, &'static str)]| list.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
        match code & 0xff {
            13 => Some(Self::Full),
            10 => Some(match name(&SYNC) {
                Some(name) => Self::Sync(name),
                None => Self::Io(name(&IO).unwrap_or("io_other")),
            }),
            14 => Some(Self::Io("cannot_open")),
            11 | 26 => Some(Self::Damaged),
            8 => Some(Self::ReadOnly),
            5 | 6 => Some(Self::Locked),
            _ => None,
        }
    }

    /// The name that metrics and logs use.
    pub(in crate::store) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Io(name) | Self::Sync(name) => name,
            Self::Damaged => "damaged",
            Self::ReadOnly => "read_only",
            Self::Moved => "moved",
            Self::Locked => "locked",
            Self::Connection => "connection",
        }
    }

    /// What is told to the people who run the server.
    pub(in crate::store) fn explanation(self) -> &'static str {
        match self {
            Self::Full => "the disk is full: nothing is stored until there is space; reading goes on",
            Self::Io(_) => "the disk refuses to read or write the database: look at the system's log",
            Self::Sync(_) => "the disk could not confirm a write: the database is being opened anew from what is on it",
            Self::Damaged => "the database file is damaged: run `candor verify`, then restore a backup",
            Self::ReadOnly => "the database may only be read: look at the rights of its file and folder",
            Self::Moved => {
                "the database file was moved or replaced under the server: put it back, or stop the server first"
            }
            Self::Locked => "another process keeps the database locked",
            Self::Connection => "the connection to the database was lost and is being made anew",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;
    use sqlx::Connection as _;

    #[tokio::test]
    async fn a_statement_at_fault_is_no_fault_of_the_file() {
        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for statement in
            ["SELECT nothing", "SELECT json('{')", "CREATE TABLE t (a CHECK (a > 0)); INSERT INTO t VALUES (0)"]
        {
            let error = sqlx::query(statement).execute(&mut connection).await.unwrap_err();
            assert_eq!(Fault::of(&error), None, "{error}");
        }
        // A limit on pages is a disk that is full.
        let statements = "PRAGMA max_page_count = 3; CREATE TABLE big AS SELECT zeroblob(100000) AS bytes";
        let error = sqlx::query(statements).execute(&mut connection).await.unwrap_err();
        assert_eq!(Fault::of(&error), Some(Fault::Full));
        let written = "PRAGMA query_only = ON; CREATE TABLE other (a)";
        let error = sqlx::query(written).execute(&mut connection).await.unwrap_err();
        assert_eq!(Fault::of(&error), Some(Fault::ReadOnly));
    }
}
