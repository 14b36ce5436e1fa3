//! Who had a conversation, and since when it is the bot's again.

use super::words::cut;
use super::{Held, Quote, Since};
use crate::domain::{Author, Event, EventKind};
use serde_json::Value;

pub(super) fn state_of(event: &Event) -> Option<&str> {
    let data = event.data.as_ref().filter(|_| event.kind == EventKind::State)?;
    data.get("state").and_then(Value::as_str)
}

/// Where a person last gave it back to the bot.
pub(super) fn last_return(events: &[Event]) -> Option<Since> {
    let mut held = false;
    let mut found = None;
    for event in events {
        match state_of(event) {
            Some("assigned") => held = true,
            Some("bot") if held => {
                held = false;
                found = Some(Since { seq: event.seq, at: event.at });
            }
            _ => {}
        }
    }
    found
}

pub(super) fn people(events: &[Event]) -> Vec<Held> {
    let mut all: Vec<Held> = Vec::new();
    for event in events {
        if let Some(state) = state_of(event) {
            if let Some(last) = all.last_mut().filter(|held| held.until.is_none()) {
                last.until = Some(event.at);
            }
            let name = event.data.as_ref().and_then(|data| data.pointer("/agent/name")).and_then(Value::as_str);
            if let Some(name) = name.filter(|_| state == "assigned") {
                all.push(Held { name: name.to_owned(), from: event.at, until: None, last: None });
            }
        } else if event.author == Author::Agent
            && event.kind == EventKind::Message
            && let (Some(held), Some(text)) = (all.last_mut(), &event.text)
        {
            held.last = Some(Quote { seq: event.seq, text: cut(text) });
        }
    }
    all
}
