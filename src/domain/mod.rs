//! The values that every layer speaks in.
//!
//! Nothing here does I/O, knows a database, a socket or a model. Storage derives sit on the types
//! so that a column has one meaning, but no statement is written here.

pub mod agent;
pub mod analysis;
pub mod attachment;
pub mod calendar;
pub mod churn;
pub(crate) mod column;
pub mod context;
pub mod conversation;
pub mod customer;
pub mod event;
pub mod id;
pub mod invitation;
pub mod time;
pub mod turn;

pub use agent::{Agent, Presence, Role};
pub use analysis::{Analysis, Evidence, IntentScore, OTHER, Sentiment, Source, Wish};
pub use attachment::{Attachment, AttachmentKind};
pub use churn::{Band, ChurnRisk, ChurnSignal};
pub use context::{Context, EarlierTurn, Gist};
pub use conversation::{Conversation, State};
pub use customer::{Customer, Profile};
pub use event::{Author, Event, EventKind, Visibility};
pub use id::{AgentId, ConversationId, NodeId, VisitorId};
pub use invitation::{Arm, Invitation};
pub use time::Timestamp;
pub use turn::{ActionKind, Mood, Reason, TurnRecord, WordWeight};
