//! Deleting at the end of the time, in small transactions: between two of them messages are stored, however much has
//! become old. What is looked for is looked for on reading connections.

use super::sql::{UNINDEX, WORDS_OF, sql};
use super::{Error, Result, Store};
use crate::domain::{ConversationId, State, Timestamp, VisitorId};
use sqlx::types::Json;
use std::collections::HashMap;

/// How many are looked for at a time. Their words are found by reading all words once.
const LOOKED_FOR: i64 = 2_000;
/// How many are deleted in one transaction.
const DELETED: usize = 25;

/// How many conversations were deleted at the end of their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Those in which nobody waited.
    pub over: u64,
    /// Those in which somebody still waited for a person.
    pub waiting: u64,
}

/// A conversation, and where SQLite's index has its words.
type Old = (ConversationId, Vec<i64>);

impl Store {
    /// Deletes every conversation without an event since `before`, and visitors who have none left. One that a
    /// person owes something (queued or assigned) is kept until it is as old as `waiting_before`, which is no later.
    ///
    /// # Errors
    /// If the database fails; what was deleted until then stays deleted.
    pub async fn forget_before(&self, before: Timestamp, waiting_before: Timestamp) -> Result<Forgotten> {
        let mut all = Forgotten::default();
        loop {
            let old = self.old(before, waiting_before).await?;
            let count = all.over + all.waiting;
            for some in old.chunks(DELETED) {
                let gone = self.forget(some.to_vec(), before, waiting_before).await?;
                all.over += gone.over;
                all.waiting += gone.waiting;
            }
            // What could not be deleted is not tried without end.
            if all.over + all.waiting == count {
                break;
            }
        }
        while self.forget_visitors(before).await? > 0 {}
        Ok(all)
    }

    async fn old(&self, before: Timestamp, waiting_before: Timestamp) -> Result<Vec<Old>> {
        let mut reader = self.database.read().await?;
        let ids: Vec<ConversationId> = reader
            .query(sql!(
                "SELECT id FROM conversation WHERE updated_at < $1
                    AND (updated_at < $2 OR state NOT IN ('queued', 'assigned')) ORDER BY updated_at LIMIT $3"
            ))
            .bind(before)
            .bind(waiting_before)
            .bind(LOOKED_FOR)
            .scalars()
            .await?;
        let mut words: HashMap<ConversationId, Vec<i64>> = HashMap::new();
        if !ids.is_empty() {
            let asked: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
            let found: Vec<(ConversationId, i64)> = reader.query(WORDS_OF).bind(Json(asked)).fetch_all().await?;
            for (id, row) in found {
                words.entry(id).or_default().push(row);
            }
        }
        Ok(ids.into_iter().map(|id| (id, words.remove(&id).unwrap_or_default())).collect())
    }

    /// Deletes those of `some` to which nothing happened meanwhile.
    async fn forget(&self, some: Vec<Old>, before: Timestamp, waiting_before: Timestamp) -> Result<Forgotten> {
        self.database
            .write_in_background(move |mut connection| {
                Box::pin(async move {
                    let mut gone = Forgotten::default();
                    for (id, words) in some {
                        let state: Option<State> = connection
                            .query(sql!(
                                "DELETE FROM conversation WHERE id = $1 AND updated_at < $2
                                    AND (updated_at < $3 OR state NOT IN ('queued', 'assigned')) RETURNING state"
                            ))
                            .bind(id)
                            .bind(before)
                            .bind(waiting_before)
                            .scalar_optional()
                            .await?;
                        match state {
                            None => continue,
                            Some(State::Queued | State::Assigned) => gone.waiting += 1,
                            Some(_) => gone.over += 1,
                        }
                        connection.query(UNINDEX).bind(id).bind(Json(words)).execute().await?;
                    }
                    Ok(gone)
                })
            })
            .await
    }

    /// Deletes some visitors without a conversation; says how many.
    async fn forget_visitors(&self, before: Timestamp) -> Result<u64> {
        let ids: Vec<VisitorId> = self
            .database
            .read()
            .await?
            .query(sql!(
                "SELECT v.id FROM visitor v WHERE v.created_at < $1 AND NOT EXISTS
                    (SELECT 1 FROM conversation c WHERE c.visitor_id = v.id) ORDER BY v.created_at LIMIT $2"
            ))
            .bind(before)
            .bind(LOOKED_FOR)
            .scalars()
            .await?;
        let mut deleted = 0;
        for some in ids.chunks(DELETED) {
            let some = some.to_vec();
            let outcome = self
                .database
                .write_in_background(move |mut connection| {
                    Box::pin(async move {
                        let mut gone = 0;
                        for id in some {
                            gone += connection
                                .query(sql!(
                                    "DELETE FROM visitor WHERE id = $1 AND NOT EXISTS
                                        (SELECT 1 FROM conversation c WHERE c.visitor_id = visitor.id)"
                                ))
                                .bind(id)
                                .execute()
                                .await?;
                        }
                        Ok(gone)
                    })
                })
                .await;
            match outcome {
                Ok(gone) => deleted += gone,
                // One of them came back in this moment: these are looked at again the next time.
                Err(Error::Database(sqlx::Error::Database(error))) if error.is_foreign_key_violation() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }
}
