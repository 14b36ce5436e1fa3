//! What a statement is. Nearly all say the same to SQLite and to PostgreSQL; what cannot is a pair, here or in
//! `search.rs`. `sql!` takes literals alone, so that a test finds every statement in the sources and has both
//! databases prepare it.

/// One statement, in the words of each database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// A statement: its parts as literals, one after the other. A pair `["for SQLite" | "for PostgreSQL"]` says what
/// differs; where nothing is left, that database has nothing to do.
macro_rules! sql {
    (@ ($($lite:literal)*) ($($post:literal)*)) => {
        $crate::store::sql::Sql { sqlite: concat!($($lite),*), postgres: concat!($($post),*) }
    };
    (@ ($($lite:literal)*) ($($post:literal)*) [$one:literal | $other:literal] $(, $($rest:tt)*)?) => {
        sql!(@ ($($lite)* $one) ($($post)* $other) $($($rest)*)?)
    };
    (@ ($($lite:literal)*) ($($post:literal)*) $both:literal $(, $($rest:tt)*)?) => {
        sql!(@ ($($lite)* $both) ($($post)* $both) $($($rest)*)?)
    };
    ($($part:tt)+) => {
        sql!(@ () () $($part)+)
    };
}

pub(super) use sql;

/// The owner; from here on nobody else changes the conversation until the transaction ends. SQLite's writer is alone
/// with the database anyway.
pub(super) const OWNER: Sql =
    sql!("SELECT state, agent_id FROM conversation WHERE id = $1", ["" | " FOR NO KEY UPDATE"]);

/// The same lock without the answer.
pub(super) const LOCK_CONVERSATION: Sql = sql!(["" | "SELECT 1 FROM conversation WHERE id = $1 FOR NO KEY UPDATE"]);

/// One change of accounts at a time, since the last manager is counted. The number is this lock's name.
pub(super) const LOCK_ACCOUNTS: Sql = sql!(["" | "SELECT pg_advisory_xact_lock(7236831)"]);

/// Where SQLite's index has the words of some conversations. PostgreSQL's stands on the event itself.
pub(super) const WORDS_OF: Sql = sql!(["SELECT conversation_id, rowid FROM event_search
        WHERE conversation_id IN (SELECT unhex(value) FROM json_each($1))"
    | ""]);

/// Takes the words of a conversation out of there, without looking for them.
pub(super) const UNINDEX: Sql = sql!(["DELETE FROM event_search
        WHERE rowid IN (SELECT value FROM json_each($2)) AND conversation_id = $1"
    | ""]);

/// The same for the sample day.
pub(super) const UNINDEX_SAMPLES: Sql =
    sql!(["DELETE FROM event_search WHERE conversation_id IN (SELECT id FROM conversation WHERE demo)" | ""]);
