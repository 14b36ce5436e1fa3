//! Staff accounts: passwords, sessions and the one-time link for the first manager.

use super::{Error, Result};
use crate::app::App;
use crate::domain::{Agent, Role, Timestamp};
use crate::store::{AgentUpdate, NewAgent};
use crate::token;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a session lasts.
pub const SESSION: Duration = Duration::from_secs(12 * 3600);
/// OWASP ASVS 5.0, appendix C: argon2id with 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Hashes at one time: a flood of sign-ins cannot take more than two cores and 38 MiB.
const HASHES_AT_ONCE: usize = 2;
/// Password length in characters.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 12..=128;

/// The part of the app that guards accounts.
#[derive(Debug)]
pub struct Accounts {
    hashing: Semaphore,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { hashing: Semaphore::new(HASHES_AT_ONCE) }
    }
}

/// A new account as a person fills it in.
#[derive(Clone, Debug)]
pub struct Application {
    /// Sign-in name.
    pub email: String,
    /// The name that customers see.
    pub name: String,
    /// Rights.
    pub role: Role,
    /// Password in clear; never stored, never logged.
    pub password: String,
}

/// A signed-in session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub agent: Agent,
    /// The token for the cookie.
    pub token: String,
}

/// If there is no manager yet, mints the one-time token for making the first one.
///
/// # Errors
/// If storage or the random generator fails.
pub async fn open_setup(app: &App) -> Result<Option<String>> {
    if app.store.has_manager().await? {
        return Ok(None);
    }
    let minted = token::mint()?;
    app.store.open_setup(&token::hash(&minted)).await?;
    Ok(Some(minted))
}

/// Whether the one-time token is good, whichever node minted it.
///
/// # Errors
/// Storage errors.
pub async fn is_setup_token(app: &App, offered: &str) -> Result<bool> {
    // Hashes of 256-bit secrets: how far two of them agree tells nothing about the secret.
    Ok(app.store.is_setup_open(&token::hash(offered)).await?)
}

/// Makes the first manager with a one-time token. All of them are void afterwards.
///
/// # Errors
/// `WrongCredentials` for a bad token; `Field` for a bad field; storage errors.
pub async fn set_up(app: &App, offered: &str, application: Application) -> Result<Session> {
    // Before a password is hashed for it, which is work.
    if !is_setup_token(app, offered).await? {
        return Err(Error::WrongCredentials);
    }
    let _turn = app.accounts.hashing.acquire().await;
    let new = prepare(Application { role: Role::Manager, ..application }).await?;
    let made = app.store.create_first_manager(&token::hash(offered), new, app.clock.now()).await?;
    open_session(app, made.ok_or(Error::WrongCredentials)?).await
}

/// Makes an account.
///
/// # Errors
/// `Field` for a bad field; storage errors, `Exists` among them.
pub async fn create(app: &App, application: Application) -> Result<Agent> {
    let _turn = app.accounts.hashing.acquire().await;
    let new = prepare(application).await?;
    Ok(app.store.create_agent(new, app.clock.now()).await?)
}

/// Checks an application and hashes its password. `candor user add` uses it without an app.
///
/// # Errors
/// `Field` for a bad field; `Hash` if hashing failed.
pub async fn prepare(application: Application) -> Result<NewAgent> {
    let email = application.email.trim().to_lowercase();
    check_email(&email)?;
    let name = check_name(&application.name)?;
    let password_hash = hash_password(application.password).await?;
    Ok(NewAgent { email, name, role: application.role, password_hash, demo: false })
}

/// Signs in. A wrong password and an unknown e-mail take the same time and give the same error.
///
/// # Errors
/// `WrongCredentials`; storage errors.
pub async fn sign_in(app: &App, email: &str, password: String) -> Result<Session> {
    let _turn = app.accounts.hashing.acquire().await;
    let found = app.store.credentials(&email.trim().to_lowercase()).await?;
    let stored = match &found {
        Some(credentials) => credentials.password_hash.clone(),
        // Somebody unknown: hash all the same, so that the answer's time tells nothing.
        None => {
            let _ = hash_unchecked(password).await;
            return Err(Error::WrongCredentials);
        }
    };
    let right = tokio::task::spawn_blocking(move || verify(&password, &stored)).await.map_err(|_| Error::Hash)?;
    match found {
        Some(credentials) if right => open_session(app, credentials.agent).await,
        _ => Err(Error::WrongCredentials),
    }
}

/// Changes an account; a new password is hashed here.
///
/// # Errors
/// `Field` for a bad field; storage errors.
pub async fn change(
    app: &App,
    id: crate::domain::AgentId,
    mut update: AgentUpdate,
    password: Option<String>,
) -> Result<()> {
    if let Some(name) = &update.name {
        update.name = Some(check_name(name)?);
    }
    if let Some(password) = password {
        let _turn = app.accounts.hashing.acquire().await;
        update.password_hash = Some(hash_password(password).await?);
    }
    app.store.update_agent(id, update).await?;
    app.bus.publish(&crate::bus::Signal::Rights(id));
    Ok(())
}

async fn open_session(app: &App, agent: Agent) -> Result<Session> {
    let minted = token::mint()?;
    let now: Timestamp = app.clock.now();
    app.store.create_session(token::hash(&minted), agent.id, now, now.after(SESSION)).await?;
    Ok(Session { agent, token: minted })
}

/// A rough check that catches typing errors; only a mail that arrives proves an address.
///
/// # Errors
/// `Field` with the reason.
pub fn check_email(email: &str) -> Result<()> {
    let plausible = email.len() <= 254
        && email.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.len() >= 3 && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        })
        && email.matches('@').count() == 1
        && !email.chars().any(|letter| letter.is_whitespace() || letter.is_control() || "<>\"(),;:".contains(letter));
    if plausible { Ok(()) } else { Err(Error::Field("email", "this is not an e-mail address".to_owned())) }
}

fn check_name(name: &str) -> Result<String> {
    let name = super::text::clean(name).map_err(|_| Error::Field("name", "a name is needed".to_owned()))?;
    if name.chars().count() > 60 || name.contains('\n') {
        return Err(Error::Field("name", "at most 60 characters on one line".to_owned()));
    }
    // A person must never look like the bot, nor the bot like a person.
    let lower = name.to_lowercase();
    if ["bot", "assistant", "ai assistant", "system"].contains(&lower.as_str()) {
        return Err(Error::Field("name", "customers must be able to tell you from the bot".to_owned()));
    }
    Ok(name)
}

async fn hash_password(password: String) -> Result<String> {
    if !PASSWORD_CHARS.contains(&password.chars().count()) {
        return Err(Error::Field("password", "12 to 128 characters".to_owned()));
    }
    hash_unchecked(password).await
}

async fn hash_unchecked(password: String) -> Result<String> {
    tokio::task::spawn_blocking(move || {
        hasher().and_then(|hasher| hasher.hash_password(password.as_bytes()).map(|hash| hash.to_string()).ok())
    })
    .await
    .ok()
    .flatten()
    .ok_or(Error::Hash)
}

fn verify(password: &str, stored: &str) -> bool {
    match (hasher(), PasswordHash::new(stored)) {
        (Some(hasher), Ok(hash)) => hasher.verify_password(password.as_bytes(), &hash).is_ok(),
        _ => false,
    }
}

fn hasher() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::{check_email, check_name, hash_password, verify};

    #[tokio::test]
    async fn a_password_is_argon2id_and_only_itself() {
        let hash = hash_password("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse battery", &hash));
        assert!(!verify("correct horse batterz", &hash));
        assert!(!verify("correct horse battery", "nonsense"));
        assert!(hash_password("short".to_owned()).await.is_err());
    }

    #[test]
    fn names_and_addresses_are_checked() {
        for good in ["a@b.co", "dana.o+desk@shop.example"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "a@b", "a@@b.co", "a b@c.de", "a@.de", "<a@b.co>"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
        assert_eq!(check_name("  Dana  ").unwrap(), "Dana");
        assert!(check_name("AI Assistant").is_err());
        assert!(check_name("two\nlines").is_err());
    }
}
