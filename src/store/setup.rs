//! One-time links for making the first manager. Each server that starts without one prints a link, and any of those
//! that share the database takes it; once there is a manager none is good any more.

use super::agents::{NewAgent, insert_agent, new_agent};
use super::sql::{LOCK_ACCOUNTS, sql};
use super::{Result, Store};
use crate::domain::{Agent, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The key in `meta` of a link whose token has this hash.
fn key(token_hash: &[u8]) -> String {
    format!("setup {}", URL_SAFE_NO_PAD.encode(token_hash))
}

impl Store {
    /// Records a link.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open_setup(&self, token_hash: &[u8]) -> Result<()> {
        let key = key(token_hash);
        self.database
            .write_single(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!("INSERT INTO meta (key, value) VALUES ($1, 'open') ON CONFLICT (key) DO NOTHING"))
                        .bind(key)
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Whether a link is good.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_setup_open(&self, token_hash: &[u8]) -> Result<bool> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT EXISTS (SELECT 1 FROM meta WHERE key = $1)
                    AND NOT EXISTS (SELECT 1 FROM agent WHERE role = 'manager' AND active AND NOT demo)"
            ))
            .bind(key(token_hash))
            .scalar()
            .await
    }

    /// Makes the first manager with a link, and voids all links. None if the link is not good, or not any more.
    ///
    /// # Errors
    /// `Exists` if the e-mail is taken.
    pub async fn create_first_manager(&self, token_hash: &[u8], new: NewAgent, at: Timestamp) -> Result<Option<Agent>> {
        let (key, agent) = (key(token_hash), new_agent(&self.clock, &new, at));
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    connection.query(LOCK_ACCOUNTS).execute().await?;
                    let good: bool = connection
                        .query(sql!(
                            "SELECT EXISTS (SELECT 1 FROM meta WHERE key = $1)
                                AND NOT EXISTS (SELECT 1 FROM agent WHERE role = 'manager' AND active AND NOT demo)"
                        ))
                        .bind(key)
                        .scalar()
                        .await?;
                    if !good {
                        return Ok(None);
                    }
                    insert_agent(&mut connection, &agent, new).await?;
                    connection.query(sql!("DELETE FROM meta WHERE key LIKE 'setup %'")).execute().await?;
                    Ok(Some(agent))
                })
            })
            .await
    }
}
