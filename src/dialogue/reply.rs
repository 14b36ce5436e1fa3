//! What the bot says, as a value: which answer, which question, which offer. Knows no words; `render` has those.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A lookup that has to be made, with its values by slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupCall {
    /// The lookup.
    pub lookup: String,
    /// Its values, by slot.
    pub slots: BTreeMap<String, String>,
}

/// What the bot says, before it is put into words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// The canned answer of an intent.
    Answer {
        /// The intent.
        intent: String,
    },
    /// An answer that the business's system has to give.
    Lookup {
        /// The intent.
        intent: String,
        /// The lookup.
        lookup: String,
        /// Its values, by slot.
        slots: BTreeMap<String, String>,
    },
    /// A question for a value.
    Ask {
        /// The intent that needs it.
        intent: String,
        /// The slot.
        slot: String,
        /// It was asked for before.
        again: bool,
        /// What was given cannot be a value.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        invalid: bool,
        /// The options to choose from, as a lookup listed them before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
        /// The lookup that lists them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lookup: Option<LookupCall>,
    },
    /// What a task will do, for a yes or a no.
    Confirm {
        /// The task.
        task: String,
        /// Its values, by slot.
        slots: BTreeMap<String, String>,
        /// Neither a yes nor a no came the last time.
        again: bool,
    },
    /// The customer left a task; nothing was done.
    Cancelled {
        /// The task.
        task: String,
    },
    /// The answer to a question in the middle of something, and the open question again.
    Aside {
        /// The answer.
        answer: Box<Reply>,
        /// The open question.
        then: Box<Reply>,
    },
    /// The answers to two questions of one message, in their order.
    Both {
        /// The first.
        first: Box<Reply>,
        /// The second.
        second: Box<Reply>,
    },
    /// "Did you mean this or that?"
    Clarify {
        /// The better intent.
        first: String,
        /// The other one.
        second: String,
    },
    /// "I did not get that."
    Fallback {
        /// The turn before was a failure too.
        again: bool,
    },
    /// The offer of a person.
    Offer {
        /// Why, as a code.
        reason: String,
        /// The answer to the customer's question, said as well: an offer is no excuse for ignoring it.
        answer: Option<Box<Reply>>,
    },
    /// The offer of a person in a language that the bot does not speak.
    OtherLanguage {
        /// ISO 639-1.
        language: String,
        /// Why, as a code.
        reason: String,
    },
    /// The honest answer to "are you a bot?" in such a language.
    BotQuestion {
        /// ISO 639-1.
        language: String,
    },
    /// The hand-over to a person.
    Handoff {
        /// Why, as a code.
        reason: String,
    },
    /// The customer wants to go on with the bot.
    DeclinedOffer,
    /// Nothing: a person owns the conversation.
    None,
}

impl Reply {
    /// The lookup that has to be made before this can be said: its name and values. There is one at most.
    #[must_use]
    pub fn lookup(&self) -> Option<(&str, &BTreeMap<String, String>)> {
        match self {
            Self::Lookup { lookup, slots, .. } => Some((lookup, slots)),
            Self::Ask { lookup: Some(call), .. } => Some((&call.lookup, &call.slots)),
            Self::Offer { answer: Some(answer), .. } => answer.lookup(),
            Self::Aside { answer: one, then: two } | Self::Both { first: one, second: two } => {
                one.lookup().or_else(|| two.lookup())
            }
            _ => None,
        }
    }

    /// True when the lookup is there to list options.
    #[must_use]
    pub fn lists(&self) -> bool {
        match self {
            Self::Ask { lookup, .. } => lookup.is_some(),
            Self::Aside { answer, then } => answer.lookup().is_none() && then.lists(),
            _ => false,
        }
    }

    /// The part that tells the customer something; none of a question or an offer.
    #[must_use]
    pub fn told(&self) -> Option<&Self> {
        match self {
            Self::Answer { .. } | Self::Lookup { .. } | Self::Both { .. } => Some(self),
            Self::Aside { answer, .. } => answer.told(),
            _ => None,
        }
    }
}
