//! Typed identifiers. Each wraps a UUIDv7, so ids sort by creation time, and a conversation's id
//! can never be passed where an agent's is meant.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

typed_id!(
    /// One conversation between one visitor and the business.
    ConversationId
);
typed_id!(
    /// One browser (or signed-in customer) that may hold several conversations over time.
    VisitorId
);
typed_id!(
    /// One member of staff: a support agent or a manager.
    AgentId
);
typed_id!(
    /// One run of one server process.
    NodeId
);
