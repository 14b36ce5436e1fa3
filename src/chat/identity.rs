//! Who a visitor is, in the business's own signed word: a JSON Web Token (RFC 7519) of its backend.
//!
//! One algorithm, HMAC-SHA256, whatever the token asks for; compared in constant time; short-lived,
//! because it lies in a page. Nothing here is stored or logged: see docs/identity.md.

use crate::domain::{Profile, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use std::collections::BTreeMap;

/// Longest token, in bytes.
const LONGEST: usize = 8 * 1024;
/// Farthest that `exp` may lie ahead, in seconds.
const LONGEST_LIFE_S: i64 = 3_600;
/// How far two clocks may be apart, in seconds.
const LEEWAY_S: i64 = 60;
/// What `aud` names, if the token has one.
const AUDIENCE: &str = "candor";
/// Most facts in a token.
const MOST_FACTS: usize = 20;
/// Longest customer id, name, locale, fact and e-mail address, in characters.
const LONGEST_ID: usize = 200;
const LONGEST_NAME: usize = 100;
const LONGEST_LOCALE: usize = 35;
const LONGEST_VALUE: usize = 200;

/// A customer as their business vouches for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The business's own id of the customer.
    pub external_id: String,
    /// What it says about them.
    pub profile: Profile,
}

/// Why a token is refused. The words are for the developer of the page; none repeats the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The server was started without a secret.
    #[error("this server knows no identity secret (--identity-secret)")]
    NotConfigured,
    /// Not a token.
    #[error("not a JSON Web Token of at most 8 KiB")]
    Malformed,
    /// Another algorithm, or a header that asks for more.
    #[error("only alg HS256 without further header parameters is accepted")]
    Algorithm,
    /// Not signed with the secret.
    #[error("the signature does not fit")]
    Signature,
    /// `exp` is past.
    #[error("the token has expired")]
    Expired,
    /// `exp` lies too far ahead.
    #[error("exp lies more than one hour ahead")]
    TooLong,
    /// `nbf` lies ahead.
    #[error("the token is not valid yet")]
    TooEarly,
    /// A claim is missing or has a value that cannot be taken.
    #[error("claim {0}")]
    Claim(String),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    aud: Option<Value>,
    sub: Option<Value>,
    name: Option<Value>,
    email: Option<Value>,
    locale: Option<Value>,
    #[serde(default)]
    vip: bool,
    #[serde(default)]
    vulnerable: bool,
    #[serde(default)]
    facts: BTreeMap<String, Value>,
}

/// Proves a token and reads who it speaks of.
///
/// # Errors
/// Why it is refused.
pub fn verify(secret: &[u8], token: &str, now: Timestamp) -> Result<Identity, IdentityError> {
    if token.len() > LONGEST {
        return Err(IdentityError::Malformed);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(IdentityError::Malformed);
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| IdentityError::Malformed);
    let (head, body, signature_bytes) = (decode(header)?, decode(claims)?, decode(signature)?);
    let head: Header = serde_json::from_slice(&head).map_err(|_| IdentityError::Malformed)?;
    let typed = head.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if head.alg != "HS256" || !typed || head.crit.is_some() {
        return Err(IdentityError::Algorithm);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| IdentityError::NotConfigured)?;
    mac.update(header.as_bytes());
    mac.update(b".");
    mac.update(claims.as_bytes());
    mac.verify_slice(&signature_bytes).map_err(|_| IdentityError::Signature)?;
    // Nothing of the claims is read before the signature holds.
    let claims: Claims = serde_json::from_slice(&body).map_err(|error| IdentityError::Claim(error.to_string()))?;
    claims.check_times(now)?;
    claims.identity()
}

impl Claims {
    fn check_times(&self, now: Timestamp) -> Result<(), IdentityError> {
        let now = now.0 as f64 / 1_000.0;
        let (leeway, life) = (LEEWAY_S as f64, LONGEST_LIFE_S as f64);
        let exp = self.exp.ok_or_else(|| IdentityError::Claim("exp is required".to_owned()))?;
        if exp + leeway <= now {
            return Err(IdentityError::Expired);
        }
        if exp > now + life + leeway {
            return Err(IdentityError::TooLong);
        }
        if self.nbf.is_some_and(|nbf| nbf > now + leeway) {
            return Err(IdentityError::TooEarly);
        }
        Ok(())
    }

    fn identity(self) -> Result<Identity, IdentityError> {
        let ours = match &self.aud {
            None => true,
            Some(Value::String(aud)) => aud == AUDIENCE,
            Some(Value::Array(list)) => list.iter().any(|aud| aud == AUDIENCE),
            Some(_) => false,
        };
        if !ours {
            return Err(IdentityError::Claim(format!("aud is not \"{AUDIENCE}\"")));
        }
        let external_id = text("sub", self.sub.as_ref(), LONGEST_ID)?
            .ok_or_else(|| IdentityError::Claim("sub is required".to_owned()))?;
        if self.facts.len() > MOST_FACTS {
            return Err(IdentityError::Claim(format!("facts has more than {MOST_FACTS} entries")));
        }
        let mut facts = BTreeMap::new();
        for (name, value) in &self.facts {
            if !is_fact_name(name) {
                return Err(IdentityError::Claim("facts has a name other than a-z, 0-9 and _".to_owned()));
            }
            let value = match value {
                Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
                value => text("facts", Some(value), LONGEST_VALUE)?,
            };
            facts.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(Identity {
            external_id,
            profile: Profile {
                name: text("name", self.name.as_ref(), LONGEST_NAME)?,
                email: text("email", self.email.as_ref(), LONGEST_VALUE)?,
                locale: text("locale", self.locale.as_ref(), LONGEST_LOCALE)?,
                vip: self.vip,
                vulnerable: self.vulnerable,
                facts,
            },
        })
    }
}

/// A claim that is one line of text; none if it is missing or empty.
fn text(claim: &str, value: Option<&Value>, longest: usize) -> Result<Option<String>, IdentityError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if value.chars().count() <= longest && !value.chars().any(char::is_control) => {
            // People choose their own names: whatever a message may not hold, these may not either.
            Ok(super::text::clean(value).ok())
        }
        Some(_) => Err(IdentityError::Claim(format!("{claim} is not one line of at most {longest} characters"))),
    }
}

/// The names that texts can use: a letter first. `name` is the claim of that name.
fn is_fact_name(name: &str) -> bool {
    name != "name"
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.len() <= 40
}

#[cfg(test)]
mod tests {
    use super::{IdentityError, verify};
    use crate::domain::Timestamp;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use sha2::Sha256;

    const SECRET: &[u8] = b"a secret of at least 32 characters";
    const NOW: Timestamp = Timestamp(1_795_340_000_000);
    const NOW_S: i64 = 1_795_340_000;

    fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let body = format!("{}.{}", encode(header), encode(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(body.as_bytes());
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn token(claims: &Value) -> String {
        signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, SECRET)
    }

    fn refusal(token: &str) -> IdentityError {
        verify(SECRET, token, NOW).unwrap_err()
    }

    #[test]
    fn a_signed_customer_is_known() {
        let claims = json!({
            "sub": "cust-7", "exp": NOW_S + 300, "iat": NOW_S, "iss": "shop", "aud": ["candor"],
            "name": " Ada Ng ", "email": "ada@mail.example", "locale": "de-AT", "vip": true,
            "facts": { "plan": "Gold", "orders": 12, "trade": false, "none": null },
        });
        let identity = verify(SECRET, &token(&claims), NOW).unwrap();
        assert_eq!(identity.external_id, "cust-7");
        let profile = identity.profile;
        assert_eq!((profile.name.as_deref(), profile.locale.as_deref()), (Some("Ada Ng"), Some("de-AT")));
        assert!(profile.vip && !profile.vulnerable);
        assert_eq!(
            profile.facts.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            ["orders=12", "plan=Gold", "trade=false"]
        );
    }

    #[test]
    fn a_token_that_others_made_is_known_too() {
        // Made with Python's hmac module, so that a mistake of ours on both sides would show.
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhIiwiZXhwIjoxNzk1MzQwMzAwfQ.q_9yS8hmyf1cR0r9MlQR9YWsm8Qhaiyp-BAbxOrUavw";
        assert_eq!(verify(SECRET, token, NOW).unwrap().external_id, "a");
    }

    #[test]
    fn what_is_not_signed_with_hs256_and_the_secret_is_refused() {
        let claims = json!({ "sub": "a", "exp": NOW_S + 60 });
        let good = token(&claims);
        for alg in ["none", "None", "hs256", "HS512", "RS256", ""] {
            let header = json!({ "alg": alg });
            assert_eq!(refusal(&signed(&header, &claims, SECRET)), IdentityError::Algorithm, "{alg}");
        }
        let unsigned = format!("{}.", signed(&json!({ "alg": "none" }), &claims, SECRET).rsplit_once('.').unwrap().0);
        assert_eq!(refusal(&unsigned), IdentityError::Algorithm);
        assert_eq!(
            refusal(&format!("{}.", good.rsplit_once('.').unwrap().0)),
            IdentityError::Signature,
            "no signature"
        );
        assert_eq!(refusal(&signed(&json!({ "alg": "HS256" }), &claims, b"another secret")), IdentityError::Signature);
        assert_eq!(
            refusal(&signed(&json!({ "alg": "HS256", "crit": ["exp"] }), &claims, SECRET)),
            IdentityError::Algorithm
        );
        let (head, rest) = good.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(json!({ "sub": "b", "exp": NOW_S + 60 }).to_string());
        assert_eq!(refusal(&format!("{head}.{forged}.{signature}")), IdentityError::Signature);
        for broken in ["", "a.b", "a.b.c.d", "....", &good[1..], &format!("{good}=")] {
            assert_eq!(refusal(broken), IdentityError::Malformed, "{broken}");
        }
        assert_eq!(refusal(&"a".repeat(9_000)), IdentityError::Malformed);
    }

    #[test]
    fn a_token_lives_an_hour_at_most() {
        let at = |exp: i64| verify(SECRET, &token(&json!({ "sub": "a", "exp": exp })), NOW).err();
        assert_eq!(at(NOW_S + 3_600), None);
        assert_eq!(at(NOW_S - 30), None, "clocks differ a little");
        assert_eq!(at(NOW_S - 61), Some(IdentityError::Expired));
        assert_eq!(at(NOW_S + 3_700), Some(IdentityError::TooLong));
        assert!(matches!(refusal(&token(&json!({ "sub": "a" }))), IdentityError::Claim(_)), "exp is required");
        let early = json!({ "sub": "a", "exp": NOW_S + 600, "nbf": NOW_S + 300 });
        assert_eq!(refusal(&token(&early)), IdentityError::TooEarly);
    }

    #[test]
    fn claims_are_held_to_their_form() {
        for claims in [
            json!({}),
            json!({ "sub": "" }),
            json!({ "sub": 7 }),
            json!({ "sub": "a\nb" }),
            json!({ "sub": "a".repeat(201) }),
            json!({ "sub": "a", "name": ["x"] }),
            json!({ "sub": "a", "vip": "yes" }),
            json!({ "sub": "a", "aud": "another service" }),
            json!({ "sub": "a", "facts": { "Plan": "x" } }),
            json!({ "sub": "a", "facts": { "name": "x" } }),
            json!({ "sub": "a", "facts": { "plan": { "deep": 1 } } }),
            json!({ "sub": "a", "facts": (0..21).map(|n| (format!("f{n}"), json!(n))).collect::<serde_json::Map<_, _>>() }),
        ] {
            let mut claims = claims;
            claims["exp"] = json!(NOW_S + 60);
            assert!(matches!(refusal(&token(&claims)), IdentityError::Claim(_)), "{claims}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_is_believed(text in "(?s).{0,120}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 3)) {
            prop_assert!(verify(SECRET, &text, NOW).is_err());
            prop_assert!(verify(SECRET, &parts.join("."), NOW).is_err());
        }
    }
}
