//! Staff accounts and their sessions.

use super::database::Connection;
use super::sql::{LOCK_ACCOUNTS, sql};
use super::{Error, Result, Store};
use crate::clock::Clock;
use crate::domain::{Agent, AgentId, Role, Timestamp};

/// A new account.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Sign-in name, lower case.
    pub email: String,
    /// The name that customers see.
    pub name: String,
    /// Rights.
    pub role: Role,
    /// Password hash in PHC form; empty for a sample colleague, who cannot sign in.
    pub password_hash: String,
    /// Sample colleague of the demo day.
    pub demo: bool,
}

/// What is changed about an account; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct AgentUpdate {
    /// Open or closed.
    pub active: Option<bool>,
    /// Rights.
    pub role: Option<Role>,
    /// Shown name.
    pub name: Option<String>,
    /// New password hash.
    pub password_hash: Option<String>,
}

impl AgentUpdate {
    /// Whether the change ends the sessions that the account has.
    fn ends_sessions(&self) -> bool {
        self.active == Some(false) || self.password_hash.is_some() || self.role.is_some()
    }
}

/// What a sign-in is checked against.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Credentials {
    /// The account.
    #[sqlx(flatten)]
    pub agent: Agent,
    /// Password hash in PHC form.
    pub password_hash: String,
}

impl Store {
    /// Makes an account.
    ///
    /// # Errors
    /// `Exists` if the e-mail is taken.
    pub async fn create_agent(&self, new: NewAgent, at: Timestamp) -> Result<Agent> {
        let agent = new_agent(&self.clock, &new, at);
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    insert_agent(&mut connection, &agent, new).await?;
                    Ok(agent)
                })
            })
            .await
    }

    /// The account with this e-mail, with its password hash.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn credentials(&self, email: &str) -> Result<Option<Credentials>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT id, email, name, role, active, created_at, password_hash FROM agent
             WHERE email = $1 AND active AND password_hash <> ''"
            ))
            .bind(email)
            .fetch_optional()
            .await
    }

    /// All accounts of real people, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn agents(&self) -> Result<Vec<Agent>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT id, email, name, role, active, created_at FROM agent WHERE NOT demo ORDER BY created_at, id"
            ))
            .fetch_all()
            .await
    }

    /// One account.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn agent(&self, id: AgentId) -> Result<Option<Agent>> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT id, email, name, role, active, created_at FROM agent WHERE id = $1"))
            .bind(id)
            .fetch_optional()
            .await
    }

    /// Whether an active manager exists. Until then the one-time set-up link is open.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn has_manager(&self) -> Result<bool> {
        self.database
            .read()
            .await?
            .query(sql!("SELECT EXISTS (SELECT 1 FROM agent WHERE role = 'manager' AND active AND NOT demo)"))
            .scalar()
            .await
    }

    /// Changes an account. Closing it, or changing its password or role, ends its sessions in the
    /// same transaction.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it would leave no active manager.
    pub async fn update_agent(&self, id: AgentId, update: AgentUpdate) -> Result<()> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    connection.query(LOCK_ACCOUNTS).execute().await?;
                    let ends_sessions = update.ends_sessions();
                    let changed = connection
                        .query(sql!(
                            "UPDATE agent SET active = COALESCE($2, active), role = COALESCE($3, role),
                            name = COALESCE($4, name), password_hash = COALESCE($5, password_hash)
                         WHERE id = $1 AND NOT demo"
                        ))
                        .bind(id)
                        .bind(update.active)
                        .bind(update.role)
                        .bind(update.name)
                        .bind(update.password_hash)
                        .execute()
                        .await?;
                    if changed == 0 {
                        return Err(Error::NotFound);
                    }
                    let managers: i64 = connection
                        .query(sql!("SELECT COUNT(*) FROM agent WHERE role = 'manager' AND active AND NOT demo"))
                        .scalar()
                        .await?;
                    if managers == 0 {
                        return Err(Error::Conflict);
                    }
                    if ends_sessions {
                        connection.query(sql!("DELETE FROM session WHERE agent_id = $1")).bind(id).execute().await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Records a session and forgets those that have expired.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn create_session(
        &self,
        token_hash: Vec<u8>,
        agent: AgentId,
        at: Timestamp,
        expires: Timestamp,
    ) -> Result<()> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    connection.query(sql!("DELETE FROM session WHERE expires_at < $1")).bind(at).execute().await?;
                    connection
                        .query(sql!(
                            "INSERT INTO session (token_hash, agent_id, created_at, expires_at) VALUES ($1, $2, $3, $4)"
                        ))
                        .bind(token_hash)
                        .bind(agent)
                        .bind(at)
                        .bind(expires)
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// The active account whose session token has this hash and has not expired.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn session(&self, token_hash: Vec<u8>, now: Timestamp) -> Result<Option<Agent>> {
        self.database
            .read()
            .await?
            .query(sql!(
                "SELECT a.id, a.email, a.name, a.role, a.active, a.created_at FROM session s
             JOIN agent a ON a.id = s.agent_id
             WHERE s.token_hash = $1 AND s.expires_at > $2 AND a.active"
            ))
            .bind(token_hash)
            .bind(now)
            .fetch_optional()
            .await
    }

    /// Ends one session.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn end_session(&self, token_hash: Vec<u8>) -> Result<()> {
        self.database
            .write(move |mut connection| {
                Box::pin(async move {
                    connection
                        .query(sql!("DELETE FROM session WHERE token_hash = $1"))
                        .bind(token_hash)
                        .execute()
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// An account with a new id.
pub(super) fn new_agent(clock: &Clock, new: &NewAgent, at: Timestamp) -> Agent {
    Agent {
        id: AgentId(clock.id()),
        email: new.email.clone(),
        name: new.name.clone(),
        role: new.role,
        active: true,
        created_at: at,
    }
}

/// Writes a new account.
pub(super) async fn insert_agent(connection: &mut Connection<'_>, agent: &Agent, new: NewAgent) -> Result<()> {
    connection
        .query(sql!(
            "INSERT INTO agent (id, email, name, role, password_hash, active, demo, created_at)
             VALUES ($1, $2, $3, $4, $5, TRUE, $6, $7)"
        ))
        .bind(agent.id)
        .bind(new.email)
        .bind(new.name)
        .bind(new.role)
        .bind(new.password_hash)
        .bind(new.demo)
        .bind(agent.created_at)
        .execute()
        .await
        .map_err(|error| match &error {
            // SQLite names no constraint; e-mail is the only unique column that a caller chooses.
            Error::Database(sqlx::Error::Database(cause)) if cause.is_unique_violation() => {
                Error::Exists("this e-mail")
            }
            _ => error,
        })?;
    Ok(())
}
