//! Opaque secrets: minted from the operating system's generator, kept only as hashes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A fresh 256-bit token as URL-safe text (43 characters).
///
/// # Errors
/// If the operating system's random generator cannot be read.
pub fn mint() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The form in which a token is stored: SHA-256. A token has 256 bits of entropy, so a slow hash
/// would add nothing.
#[must_use]
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
