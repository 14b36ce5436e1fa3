//! Secrets of the environment, which the bot's files name and nobody reads: `{secret.SHOP}` stands
//! for `CANDOR_SECRET_SHOP`. They reach a request's headers and nothing else.

use std::collections::BTreeMap;
use std::fmt;

/// What the names of their variables begin with.
pub const PREFIX: &str = "CANDOR_SECRET_";

/// The secrets that the process was started with, by name without [`PREFIX`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Those of the environment. One that is no text is left out, as if it were not set.
    #[must_use]
    pub fn from_environment() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// One of them; none if it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// From variables; others than secrets are passed over, and so are empty ones.
impl FromIterator<(String, String)> for Secrets {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        let secret = |(name, value): (String, String)| {
            let name = name.strip_prefix(PREFIX)?.to_owned();
            (!value.is_empty()).then_some((name, value))
        };
        Self(variables.into_iter().filter_map(secret).collect())
    }
}

/// Names only.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn only_secrets_are_taken_and_none_is_shown() {
        let variables = [("CANDOR_SECRET_SHOP", "s3cret"), ("CANDOR_SECRET_EMPTY", ""), ("PATH", "/bin")];
        let secrets: Secrets = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(secrets.get("SHOP"), Some("s3cret"));
        assert_eq!((secrets.get("EMPTY"), secrets.get("PATH"), secrets.get("CANDOR_SECRET_SHOP")), (None, None, None));
        assert_eq!(format!("{secrets:?}"), "{\"SHOP\"}");
    }
}
