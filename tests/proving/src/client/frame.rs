//! Frames of the server as far as a client needs them. Knows nothing of what follows from them.

use crate::history::{Author, Entry, Kind};
use crate::random::{digest, mark_of};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::borrow::Cow;
use uuid::Uuid;

/// The fields of any frame that are of interest.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) what: Cow<'a, str>,
    pub(super) id: Option<Uuid>,
    pub(super) conversation: Option<Uuid>,
    pub(super) seq: Option<u64>,
    pub(super) token: Option<String>,
    pub(super) epoch: Option<String>,
    #[serde(borrow)]
    pub(super) code: Option<Cow<'a, str>>,
    pub(super) retry_after_ms: Option<u64>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
    from: Option<From>,
    agent: Option<Agent>,
}

#[derive(Deserialize)]
struct From {
    role: Author,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Agent {
    Named { name: String },
    Other(serde::de::IgnoredAny),
}

impl<'a> Frame<'a> {
    /// Reads a frame.
    pub(super) fn read(text: &'a str) -> Result<Self> {
        serde_json::from_str(text).with_context(|| format!("not a frame: {text}"))
    }

    /// An `event` as the reader has it, with the mark of its text.
    pub(super) fn entry(self) -> Result<(Entry, Option<u64>)> {
        let kind = match self.kind.as_deref() {
            Some("message") => Kind::Message,
            Some("state") => Kind::State,
            Some("hidden") => Kind::Hidden,
            _ => Kind::Other,
        };
        let content = if kind == Kind::State { self.state.as_deref() } else { self.text.as_deref() };
        let assigned = self.state.as_deref() == Some("assigned");
        let owner = match self.agent {
            Some(Agent::Named { name }) if assigned => Some(name),
            Some(Agent::Other(_)) | Some(Agent::Named { .. }) | None => None,
        };
        let entry = Entry {
            seq: self.seq.context("an event without a number")?,
            kind,
            author: self.from.map_or(Author::System, |from| from.role),
            id: self.id.filter(|_| kind == Kind::Message),
            text: content.map_or(0, digest),
            owner,
        };
        Ok((entry, self.text.as_deref().and_then(mark_of)))
    }
}
