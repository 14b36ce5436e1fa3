//! What is known about the person who writes: from the business's signed word, and from earlier visits.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A customer, as far as decisions and texts may know them. `Default` is a stranger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Customer {
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Locale of their browser or account, such as `de-AT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The business itself vouched for who they are.
    pub verified: bool,
    /// The business serves them first. Only ever true of a verified customer.
    pub vip: bool,
    /// The business marked them as vulnerable. Only ever true of a verified customer.
    pub vulnerable: bool,
    /// Other conversations that they opened in the 24 hours before this one.
    pub contacts: u32,
    /// Their latest satisfaction score before this conversation, 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rating: Option<i64>,
    /// They object to the reading of their mood.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub objects: bool,
    /// Further facts by name (plan, customer number ...), that texts may use as `{customer.name}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// What the business's signed word says about a customer, as stored with the visitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The locale of their account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The business serves them first.
    pub vip: bool,
    /// The business marked them as vulnerable.
    pub vulnerable: bool,
    /// Further facts by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

impl Customer {
    /// A customer for whom the business vouched. Their e-mail address is a fact named `email`.
    #[must_use]
    pub fn vouched(profile: Profile) -> Self {
        let mut facts = profile.facts;
        if let Some(email) = profile.email {
            facts.entry("email".to_owned()).or_insert(email);
        }
        Self {
            name: profile.name,
            locale: profile.locale,
            verified: true,
            vip: profile.vip,
            vulnerable: profile.vulnerable,
            facts,
            ..Self::default()
        }
    }
}

/// Somebody of whom nothing is known.
pub static STRANGER: Customer = Customer {
    name: None,
    locale: None,
    verified: false,
    vip: false,
    vulnerable: false,
    contacts: 0,
    last_rating: None,
    objects: false,
    facts: BTreeMap::new(),
};
