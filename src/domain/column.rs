//! How values stand in a column, where a derive alone would not fit every database.

/// Makes an enum a column of text. The derive of `sqlx::Type` would look for a type of the enum's own name in
/// PostgreSQL, and ask the server for it on each connection; text is known to both sides.
macro_rules! text_column {
    ($name:ty) => {
        impl<DB: sqlx::Database> sqlx::Type<DB> for $name
        where
            str: sqlx::Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <str as sqlx::Type<DB>>::type_info()
            }

            fn compatible(found: &DB::TypeInfo) -> bool {
                <str as sqlx::Type<DB>>::compatible(found)
            }
        }
    };
}

pub(crate) use text_column;
